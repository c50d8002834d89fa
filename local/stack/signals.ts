import { abandonAll } from './run-directory.ts';

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes on a Ctrl-C that the terminal has already sent to everybody: one key, two signals. */
const echoMs = 500;
const parentCheckMs = 250;

/**
 * A signal sent to npm kills the shell between npm and us and gets no further. Only under npm: who
 * starts us by hand may well leave us running.
 */
function watchParent(gone: () => void): void {
  if (!process.env['npm_lifecycle_event']) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, parentCheckMs).unref();
}

/**
 * Calls `stop` at the first SIGINT, SIGTERM or SIGHUP, or when npm or the output is gone; a second
 * signal ends everything at once with 130. Handlers that libraries install are removed: some of them
 * end the process before us.
 */
export function onStopSignal(stop: (name: NodeJS.Signals) => void): void {
  let first = 0;
  const handle = (name: NodeJS.Signals): void => {
    if (first === 0) {
      first = Date.now();
      return stop(name);
    }
    if (Date.now() - first < echoMs) return undefined;
    abandonAll();
    return process.exit(130);
  };
  for (const name of names) {
    process.removeAllListeners(name);
    process.on(name, handle);
  }
  // Nobody reads any more (`npm run dev | head`): that too is a wish to stop.
  const hangUp = (): void => void (first === 0 && handle('SIGHUP'));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', hangUp);
  watchParent(hangUp);
  process.on('newListener', (event, listener) => {
    const isSignal = names.some((name) => name === event);
    if (isSignal && listener !== handle)
      queueMicrotask(() => process.removeListener(event, listener));
  });
}
