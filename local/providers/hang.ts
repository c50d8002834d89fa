import type { ServerResponse } from 'node:http';

const MAX_HANG_MS = 120_000;

/** Resolves when the client gives up; cuts the connection itself after two minutes. */
export function untilClientLeaves(outgoing: Pick<ServerResponse, 'once' | 'destroy'>) {
  return new Promise<void>((resolve) => {
    const timer = setTimeout(() => outgoing.destroy(), MAX_HANG_MS).unref();
    outgoing.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
