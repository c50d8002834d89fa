import { request } from 'node:http';
import { finished } from 'node:stream/promises';
import { Client } from 'pg';
import { type Answer, Connection } from './http-client.ts';

/** What the load thread can be asked to do; each task is timed in there. */
export type Task =
  | {
      kind: 'http';
      port: number;
      connections: number;
      requests: Uint8Array[];
      /** So many that follow each other are sent in order by one connection; absent: 1. */
      inARow?: number;
    }
  | {
      kind: 'sql';
      url: string;
      connections: number;
      statement: string;
      params: string[][];
      /** Sent first and not timed: a new connection has no plans yet. */
      warmUp: string[][];
    }
  | { kind: 'upload'; url: string; token: string; head: string; block: Uint8Array; bytes: number }
  | { kind: 'download'; url: string; token: string };

export type Outcome = {
  seconds: number;
  /** CPU of the load thread meanwhile. */
  cpuSeconds: number;
  latenciesMs: Float64Array;
  /** Answers by HTTP status. */
  statuses: Record<number, number>;
  /** The first answer that was no success, or the last body of an upload. */
  said: string;
  /** Of the body that was sent or received. */
  bytes: number;
};

type Part = Omit<Outcome, 'cpuSeconds'>;

/** Works `count` items with as many workers as `work` functions, each taking some in a row; gives times per item in order. */
async function drive(count: number, workers: ((at: number) => Promise<void>)[], inARow = 1) {
  const latenciesMs = new Float64Array(count);
  let next = 0;
  const start = performance.now();
  await Promise.all(
    workers.map(async (work) => {
      while (next < count) {
        const first = next;
        next += inARow;
        for (let at = first; at < Math.min(first + inARow, count); at += 1) {
          const begin = performance.now();
          await work(at);
          latenciesMs[at] = performance.now() - begin;
        }
      }
    }),
  );
  return { latenciesMs, seconds: (performance.now() - start) / 1000 };
}

async function http(task: Task & { kind: 'http' }): Promise<Part> {
  const { port, requests } = task;
  const open = Array.from({ length: task.connections }, () => Connection.open(port));
  const connections = await Promise.all(open);
  const statuses: Record<number, number> = {};
  let said = '';
  const take = ({ status, body }: Answer): void => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status >= 300) said ||= body.toString('utf8').slice(0, 300);
  };
  try {
    const timed = await drive(
      requests.length,
      connections.map((connection) => async (at) => {
        take(await connection.send(requests[at] ?? new Uint8Array()));
      }),
      task.inARow,
    );
    return { ...timed, statuses, said, bytes: 0 };
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function sql(task: Task & { kind: 'sql' }): Promise<Part> {
  const clients = Array.from(
    { length: task.connections },
    () => new Client({ connectionString: task.url }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const pass = (params: string[][]) =>
    drive(
      params.length,
      clients.map((client) => async (at) => {
        await client.query({ name: 'b', text: task.statement, values: params[at] ?? [] });
      }),
    );
  try {
    await pass(task.warmUp);
    const timed = await pass(task.params);
    return { ...timed, statuses: {}, said: '', bytes: 0 };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** How much of a CSV can be kept without cutting a row: up to the last line end outside quotes. */
function wholeRows(csv: Uint8Array): number {
  const bytes = Buffer.from(csv.buffer, csv.byteOffset, csv.byteLength);
  for (let end = bytes.lastIndexOf(10); end >= 0; end = bytes.lastIndexOf(10, end - 1)) {
    let quotes = 0;
    for (let at = bytes.indexOf(34); at >= 0 && at < end; at = bytes.indexOf(34, at + 1))
      quotes += 1;
    if (quotes % 2 === 0) return end + 1;
    if (end === 0) break;
  }
  return 0;
}

/** `head`, then `block` over and over until there are `bytes`, less what would be a torn row. */
function* pieces(task: Task & { kind: 'upload' }): Generator<Uint8Array> {
  const { block } = task;
  yield Buffer.from(task.head);
  let left = task.bytes - Buffer.byteLength(task.head);
  for (; left >= block.length; left -= block.length) yield block;
  const end = wholeRows(block.subarray(0, left));
  if (end > 0) yield block.subarray(0, end);
}

async function upload(task: Task & { kind: 'upload' }): Promise<Part> {
  const sizes = Array.from(pieces(task), (piece) => piece.length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const start = performance.now();
  const outgoing = request(task.url, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${task.token}`,
      'content-type': 'text/csv',
      'content-length': bytes,
    },
  });
  const answered = new Promise<{ status: number; said: string }>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      let said = '';
      response.setEncoding('utf8').on('data', (text: string) => (said += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, said }));
    });
  });
  answered.catch(() => undefined);
  const drained = () => new Promise<void>((resolve) => outgoing.once('drain', () => resolve()));
  // A refusal before the end of the body ends the sending too.
  const over = answered.then(
    () => undefined,
    () => undefined,
  );
  for (const piece of pieces(task)) {
    const slice = 65_536;
    for (let at = 0; at < piece.length; at += slice)
      if (!outgoing.write(piece.subarray(at, at + slice))) await Promise.race([drained(), over]);
  }
  outgoing.end();
  const { status, said } = await answered;
  const seconds = (performance.now() - start) / 1000;
  const statuses = { [status]: 1 };
  return { seconds, latenciesMs: Float64Array.of(seconds * 1000), statuses, said, bytes };
}

async function download(task: Task & { kind: 'download' }): Promise<Part> {
  const start = performance.now();
  let bytes = 0;
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { authorization: `Bearer ${task.token}` };
    const outgoing = request(task.url, { headers }, (response) => {
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      finished(response).then(() => resolve(response.statusCode ?? 0), reject);
    });
    outgoing.once('error', reject).end();
  });
  const seconds = (performance.now() - start) / 1000;
  const statuses = { [status]: 1 };
  return { seconds, latenciesMs: Float64Array.of(seconds * 1000), statuses, said: '', bytes };
}

/** Does a task and tells what it took. */
export async function perform(task: Task): Promise<Outcome> {
  const before = process.threadCpuUsage();
  const part = await (task.kind === 'http'
    ? http(task)
    : task.kind === 'sql'
      ? sql(task)
      : task.kind === 'upload'
        ? upload(task)
        : download(task));
  const { user, system } = process.threadCpuUsage(before);
  return { ...part, cpuSeconds: (user + system) / 1_000_000 };
}
