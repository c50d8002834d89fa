const sampleEveryMs = 40;
/** An isolate that has nothing to do may leave a call unanswered. */
const patienceMs = 1000;

type Usage = { usedSize: number; backingStorageSize?: number };
type Reply = { id: number; result?: unknown; error?: { message: string } };

/** A session with V8's inspector of the Worker. @see https://chromedevtools.github.io/devtools-protocol/v8/ */
async function connect(port: number) {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
    id: string;
    webSocketDebuggerUrl: string;
  }[];
  const target = targets.find(({ id }) => id === 'core:user:worker') ?? targets[0];
  if (!target) throw new Error('The inspector shows no Worker.');
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('The inspector does not answer.')));
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  socket.addEventListener('message', ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  let calls = 0;
  /** Undefined: no answer came. */
  const call = (method: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      calls += 1;
      setTimeout(resolve, patienceMs);
      waiting.set(calls, ({ result, error }) =>
        error ? reject(new Error(error.message)) : resolve(result),
      );
      socket.send(JSON.stringify({ id: calls, method }));
    });
  return { call, close: () => socket.close() };
}

/**
 * Samples what V8 holds of an isolate, array buffers included, each time after a full collection:
 * what is left of it is in use. The returned function ends it and gives the highest in MB.
 */
export async function measureHeld(port: number): Promise<() => Promise<number>> {
  const inspector = await connect(port);
  let peak = 0;
  let isOver = false;
  const sample = async (): Promise<void> => {
    await inspector.call('HeapProfiler.collectGarbage');
    const usage = (await inspector.call('Runtime.getHeapUsage')) as Usage | undefined;
    if (usage) peak = Math.max(peak, usage.usedSize + (usage.backingStorageSize ?? 0));
  };
  const sampling = (async () => {
    while (!isOver) {
      await sample();
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    }
  })();
  sampling.catch(() => undefined);
  return async () => {
    isOver = true;
    await sampling;
    inspector.close();
    return peak / 1_000_000;
  };
}
