import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UploadAccount } from '../../functions/jobs/upload-memory.ts';

const now = () => new Date();
const most = 40_000_000;
const atOnce = async () => undefined;
let users = 0;
const aUser = () => `user-${(users += 1)}`;

type File = { batches: number[]; pieceMs: number };

/** Reads a file as an upload does: a piece, what is gathered of it, a statement now and then. */
async function upload(account: UploadAccount, { batches, pieceMs }: File, onHeld: () => void) {
  const memory = account.open(aUser(), now);
  await memory.begin(3);
  const underWay = new Set<Promise<void>>();
  for (const characters of batches) {
    if (pieceMs > 0) await pause(pieceMs);
    await memory.room();
    memory.gathered(characters);
    onHeld();
    memory.gathered(0);
    const sent = await memory.send(characters, atOnce);
    onHeld();
    const statement: Promise<void> = pause(1).then(() => {
      sent();
      underWay.delete(statement);
    });
    underWay.add(statement);
    if (underWay.size >= 2) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  memory.end();
}

test('any number of uploads of any size: all come to their end, and hold little more than the bound', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          batches: fc.array(
            fc.oneof(
              { weight: 9, arbitrary: fc.integer({ min: 1, max: 1_200_000 }) },
              { weight: 1, arbitrary: fc.constant(6_300_000) },
            ),
            { maxLength: 8 },
          ),
          pieceMs: fc.constantFrom(0, 0, 0, 1),
        }),
        { minLength: 1, maxLength: 90 },
      ),
      async (files) => {
        const account = new UploadAccount();
        let highest = 0;
        const onHeld = () => {
          highest = Math.max(highest, account.held(Date.now()).bytes);
        };
        await Promise.all(files.map((file) => upload(account, file, onHeld)));
        // One statement goes whatever its size, and text waits that was read before it.
        expect(highest).toBeLessThan(most + 8 * 6_300_000);
        expect(account.held(Date.now()).bytes).toBe(0);
      },
    ),
    { numRuns: 12 },
  );
}, 60_000);

test('what one upload of usual text holds makes it wait for nobody', async () => {
  const account = new UploadAccount();
  const memory = account.open(aUser(), now);
  await memory.begin(3);
  memory.gathered(600_000);
  const [first, second] = [memory.send(600_000, atOnce), memory.send(600_000, atOnce)];
  expect(memory.isScarce()).toBe(false);
  await Promise.all([first, second]);
});

test('what the runtime has ended is forgotten: a statement after its time, the rest after a minute', async () => {
  const account = new UploadAccount();
  let nowMs = 0;
  const clock = () => new Date(nowMs);
  const dead = account.open(aUser(), clock);
  await dead.begin(3);
  dead.gathered(500_000);
  await dead.send(6_600_000, atOnce);
  const begun = account.open(aUser(), clock).begin(3);
  nowMs = 19_999;
  expect(account.held(nowMs).isSending).toBe(true);
  expect(account.held(nowMs).bytes).toBeGreaterThan(most / 2);
  nowMs = 20_000;
  expect(account.held(nowMs).isSending).toBe(false);
  await begun;
  expect(account.held(59_999).bytes).toBeGreaterThan(1_000_000);
  expect(account.held(60_000).bytes).toBeLessThan(1_000_000);
});

test('when nothing is let go for half a minute the next one is told to come again', async () => {
  const account = new UploadAccount();
  let nowMs = 0;
  const clock = () => new Date(nowMs);
  const full = account.open(aUser(), clock);
  await full.begin(3);
  full.gathered(most);
  const refused = account.open(aUser(), clock).begin(3);
  const told = expect(refused).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 10 });
  nowMs = 30_000;
  await told;
});

test('a user has a few more here than the database allows, waiting ones too; others have theirs', async () => {
  const account = new UploadAccount();
  let nowMs = 0;
  const clock = () => new Date(nowMs);
  const [greedy, other] = [aUser(), aUser()];
  const open = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const memory = account.open(greedy, clock);
      await memory.begin(3);
      return memory;
    }),
  );
  const refused = { code: 'too_many_uploads', extra: { limit: 3, used: 3 }, retryAfterSeconds: 5 };
  await expect(account.open(greedy, clock).begin(3)).rejects.toMatchObject(refused);
  open[0]?.gathered(most);
  const waiting = account.open(other, clock).begin(3);
  for (let i = 0; i < 4; i += 1)
    account
      .open(other, clock)
      .begin(3)
      .catch(() => undefined);
  await expect(account.open(other, clock).begin(3)).rejects.toMatchObject(refused);
  open[0]?.end();
  await waiting;
  await account.open(greedy, clock).begin(3);
  nowMs = 60_000;
  await Promise.all([1, 2, 3, 4, 5].map(() => account.open(greedy, clock).begin(3)));
});

test('rows without end make their own upload give up, not those of others wait', async () => {
  const account = new UploadAccount();
  const open = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const memory = account.open(aUser(), now);
      await memory.begin(3);
      return memory;
    }),
  );
  let refused = 0;
  for (let bytes = 65_536; bytes < 1_048_576; bytes += 65_536)
    for (const memory of open.slice(1))
      await memory.room().then(
        () => memory.unread(bytes),
        () => {
          refused += 1;
          memory.end();
        },
      );
  expect(refused).toBeGreaterThan(0);
  expect(account.held(Date.now()).bytes).toBeLessThan(most + 2_000_000);
  await open[0]?.room();
});
