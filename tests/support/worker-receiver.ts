import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = { path: string; headers: IncomingHttpHeaders; body: string };

/** A status, with a `Location` where it is a redirect; `hang` answers nothing. */
type Answer = number | 'hang';

/** Somebody else's endpoint on loopback: keeps what it gets and answers path by path, the last answer for ever. */
export async function startReceiver() {
  const received: Received[] = [];
  const answers = new Map<string, Answer[]>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      received.push({ path, headers: request.headers, body: Buffer.concat(parts).toString() });
      const left = answers.get(path) ?? [];
      const answer = (left.length > 1 ? left.shift() : left[0]) ?? 200;
      if (answer === 'hang') return;
      const isRedirect = answer >= 300 && answer < 400;
      response.writeHead(answer, isRedirect ? { location: '/elsewhere' } : {});
      // More than anybody should read.
      response.end('x'.repeat(1_000_000));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    /** As NOTIFY_LOCAL_HOSTS takes it. */
    host,
    received,
    at: (path: string) => received.filter((one) => one.path === path),
    /** Gives an address that answers so. */
    answering: (path: string, ...to: Answer[]): string => {
      answers.set(path, to);
      return `http://${host}${path}`;
    },
    close: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
