import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readBody } from '../../functions/csv/read-body.ts';
import { DomainError } from '../../functions/errors.ts';
import { UploadWatch } from '../../functions/jobs/upload-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What comes of a body that is sent by `send`, while the clock is set forward by hand. */
function watched() {
  const seen = { bytes: 0, code: 'none', isCancelled: false };
  let send: (bytes: number) => void = () => expect.unreachable();
  let close = (): void => expect.unreachable();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      send = (bytes) => controller.enqueue(new Uint8Array(bytes));
      close = () => controller.close();
    },
    cancel: () => void (seen.isCancelled = true),
  });
  const watch = new UploadWatch();
  const [pauses, ended] = [{ ms: 0 }, Promise.withResolvers<void>()];
  void (async () => {
    try {
      for await (const piece of readBody(body, watch.wait)) {
        seen.bytes += piece.byteLength;
        if (pauses.ms > 0) await new Promise((resolve) => setTimeout(resolve, pauses.ms));
      }
      seen.code = 'whole';
    } catch (error) {
      seen.code = error instanceof DomainError ? error.code : String(error);
    }
    ended.resolve();
  })();
  const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
  return { seen, send, close, watch, pauses, pass, ended: ended.promise };
}

test('a client that sends nothing for 30 s is given up', async () => {
  const { seen, send, pass } = watched();
  send(65_536);
  await pass(29.9);
  expect(seen).toEqual({ bytes: 65_536, code: 'none', isCancelled: false });
  await pass(0.1);
  expect(seen).toEqual({ bytes: 65_536, code: 'upload_interrupted', isCancelled: true });
});

test('one that sends less than 64 KiB a minute is given up, one that sends that much is not', async () => {
  const [slow, slower] = [watched(), watched()];
  for (let second = 0; second < 300; second += 10) {
    slow.send(14_000);
    if (slower.seen.code === 'none') slower.send(9000);
    await slow.pass(10);
  }
  expect(slower.seen).toMatchObject({ bytes: 0, code: 'upload_interrupted', isCancelled: true });
  slow.close();
  await slow.ended;
  expect(slow.seen).toMatchObject({ bytes: 420_000, code: 'whole' });
});

test('time in which the upload itself waits is not the client’s', async () => {
  const { seen, send, close, pauses, pass, ended } = watched();
  pauses.ms = 100_000;
  send(3 * 65_536);
  close();
  await pass(400);
  await ended;
  expect(seen).toMatchObject({ bytes: 3 * 65_536, code: 'whole' });
});

test('an upload that was superseded ends at once, in the middle of a read or before the next', async () => {
  const [reading, busy] = [watched(), watched()];
  busy.pauses.ms = 5000;
  busy.send(65_536);
  await busy.pass(1);
  for (const { watch } of [reading, busy]) watch.end(new DomainError('upload_superseded'));
  await reading.pass(0);
  expect(reading.seen).toMatchObject({ code: 'upload_superseded', isCancelled: true });
  await busy.pass(5);
  expect(busy.seen).toMatchObject({ code: 'upload_superseded', isCancelled: true });
});
