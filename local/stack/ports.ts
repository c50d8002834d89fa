import { createServer } from 'node:net';

/** Whether `port` can be listened on at loopback now. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A free port below 32768: above, the system may hand it to an outgoing connection meanwhile. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error('No free port between 20000 and 32000 after 100 tries.');
}

const neighbours = ['postgres', 'neon', 'qstash', 'redis', 'stripe', 'providers'] as const;

/** The ports of a stack. */
export type Ports = Record<'api' | (typeof neighbours)[number], number>;

/**
 * The ports of a stack: of a lasting one `api` and its neighbours, each replaced by a free one when
 * taken; of an ephemeral one any free ones.
 * @throws Error if a port asked for by name is taken.
 */
export async function choosePorts(api: number | undefined, ephemeral: boolean): Promise<Ports> {
  const first = api ?? (ephemeral ? await freePort() : 8787);
  if (!(await isFree(first)))
    throw new Error(
      `Port ${first} is taken. Stop what listens there, or choose another one with --port.`,
    );
  const others = await Promise.all(
    neighbours.map(async (name, index) => {
      const wanted = first + 1 + index;
      const port = !ephemeral && (await isFree(wanted)) ? wanted : await freePort();
      return [name, port] as const;
    }),
  );
  return { api: first, ...(Object.fromEntries(others) as Omit<Ports, 'api'>) };
}
