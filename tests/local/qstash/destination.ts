import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A delivery as it arrived; `at` in Unix ms, `inFlight` counts it and those still unanswered. */
export type Hit = {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
  at: number;
  inFlight: number;
};

/** Answers a delivery; it must end the response. */
export type Answer = (hit: Hit, response: ServerResponse) => void | Promise<void>;

/** A recording HTTP destination for tests; `until` waits for that many hits on a path. */
export type Destination = {
  url: string;
  hits: Hit[];
  answer: Answer;
  on: (path: string) => Hit[];
  until: (path: string, count: number, timeoutMs?: number) => Promise<Hit[]>;
  close: () => Promise<void>;
};

/** Starts a destination on 127.0.0.1 that answers 200 until `answer` is replaced. */
export async function startDestination(): Promise<Destination> {
  let inFlight = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    inFlight += 1;
    let open = true;
    const ended = () => {
      if (open) inFlight -= 1;
      open = false;
    };
    // `finish` comes before the sender can have read the answer, `close` may come after.
    response.once('finish', ended).once('close', ended);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const { method = '', url = '', headers } = request;
      const body = Buffer.concat(chunks);
      const hit = { method, path: url, headers, body, at: Date.now(), inFlight };
      destination.hits.push(hit);
      void destination.answer(hit, response);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const destination: Destination = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hits: [],
    answer: (_hit, response) => void response.end('ok'),
    on: (path) => destination.hits.filter((hit) => hit.path === path),
    until: async (path, count, timeoutMs = 30_000) => {
      const end = Date.now() + timeoutMs;
      while (destination.on(path).length < count) {
        if (Date.now() > end)
          throw new Error(`${destination.on(path).length} of ${count} hits on ${path}`);
        await new Promise((resolve) => {
          setTimeout(resolve, 5);
        });
      }
      return destination.on(path);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return destination;
}
