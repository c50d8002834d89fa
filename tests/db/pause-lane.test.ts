import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Ctx } from '../../functions/context.ts';
import { pauseLane, resumeLanes } from '../../functions/processing/pause-lane.ts';
import { aroundCalls } from '../support/around-calls.ts';
import { JobFixture } from '../support/job-fixture.ts';

const lane = 'user-1-short';

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await JobFixture.open();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  fixture.paused.clear();
  await fixture.query('delete from paused_lanes; delete from providers');
  for (const provider of ['search', 'complete']) await open(provider);
});

const open = (provider: string) =>
  fixture.ctx.db.call('provider_open', { p_name: provider, p_reason: 'unavailable', p_detail: '' });
const close = (provider: string) => fixture.ctx.db.call('provider_close', { p_name: provider });

type Hook = () => unknown;

/** A Worker on whose calls something else happens: `db` by the function's name, `pause` and `resume` of the queue. */
function worker(hooks: Record<string, { before?: Hook; after?: Hook }>): Ctx {
  const hooked = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    await hooks[name]?.before?.();
    const result = await work();
    await hooks[name]?.after?.();
    return result;
  };
  const { ctx, paused } = fixture;
  const flowControl = {
    pause: (name: string) => hooked('pause', async () => void paused.add(name)),
    resume: (name: string) => hooked('resume', async () => void paused.delete(name)),
  };
  const db = aroundCalls(ctx.db, ({ name }, next) => hooked(name, next));
  return { ...ctx, db, qstash: { flowControl } as never };
}

const cut = () => {
  throw new Error('cut');
};

const minutePasses = () =>
  fixture.query("update paused_lanes set paused_at = paused_at - interval '61 seconds'");

/** What the cron does for lanes, every minute. */
async function minutesPass(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await minutePasses();
    await resumeLanes(fixture.ctx);
  }
}

const noted = async () =>
  (await fixture.query('select provider from paused_lanes order by 1')).map(
    (row) => row['provider'],
  );

describe('a lane is held back while its provider is away, and no longer', () => {
  test('by one who pauses and one who resumes', async () => {
    expect(await pauseLane(fixture.ctx, lane, ['search'])).toBe(true);
    await resumeLanes(fixture.ctx);
    expect([...fixture.paused]).toEqual([lane]);
    await close('search');
    await resumeLanes(fixture.ctx);
    expect([...fixture.paused]).toEqual([]);
    await minutesPass(1);
    expect(await noted()).toEqual([]);
  });

  test('when a second one cannot pause it for another provider', async () => {
    await pauseLane(fixture.ctx, lane, ['search']);
    const second = pauseLane(worker({ pause: { before: cut } }), lane, ['complete']);
    await expect(second).rejects.toThrow('cut');
    expect([...fixture.paused]).toEqual([lane]);
    await close('search');
    await close('complete');
    await resumeLanes(fixture.ctx);
    expect([...fixture.paused]).toEqual([]);
  });

  test('when the queue pauses it but does not say so', async () => {
    const pausing = pauseLane(worker({ pause: { after: cut } }), lane, ['search']);
    await expect(pausing).rejects.toThrow('cut');
    await close('search');
    await resumeLanes(fixture.ctx);
    expect([...fixture.paused]).toEqual([]);
  });

  test('when a pause that timed out reaches the queue after the lane was resumed', async () => {
    const timedOut = pauseLane(worker({ pause: { before: cut } }), lane, ['search']);
    await expect(timedOut).rejects.toThrow('cut');
    await close('search');
    await resumeLanes(fixture.ctx);
    fixture.paused.add(lane);
    await minutesPass(1);
    expect([...fixture.paused]).toEqual([]);
  });

  test('when who pauses dies, and the provider came back before the queue heard of the pause', async () => {
    const never = () => new Promise<never>(() => undefined);
    await new Promise<void>((dies) => {
      const before = async () => {
        await close('search');
        await resumeLanes(fixture.ctx);
      };
      const after = () => {
        dies();
        return never();
      };
      const dying = worker({ pause: { before, after }, lane_pause_failed: { before: never } });
      void pauseLane(dying, lane, ['search']);
    });
    expect([...fixture.paused]).toEqual([lane]);
    await minutesPass(1);
    expect([...fixture.paused]).toEqual([]);
  });

  test('when who resumes it forgets it only after the provider is away again', async () => {
    await pauseLane(fixture.ctx, lane, ['search']);
    await minutePasses();
    await close('search');
    const awayAgain = async () => {
      await open('search');
      expect(await pauseLane(fixture.ctx, lane, ['search'])).toBe(true);
    };
    await resumeLanes(worker({ resume: { after: awayAgain } }));
    expect([...fixture.paused]).toEqual([lane]);
    await minutesPass(2);
    expect([...fixture.paused]).toEqual([lane]);
    await close('search');
    await resumeLanes(fixture.ctx);
    expect([...fixture.paused]).toEqual([]);
  });

  test('when a resume overtakes the next pause: whoever is delivered to pauses it anew', async () => {
    await pauseLane(fixture.ctx, lane, ['search']);
    await minutePasses();
    await close('search');
    const awayAgain = async () => {
      await open('search');
      await pauseLane(fixture.ctx, lane, ['search']);
    };
    await resumeLanes(worker({ resume: { before: awayAgain } }));
    expect([...fixture.paused]).toEqual([]);
    await minutePasses();
    expect(await pauseLane(fixture.ctx, lane, ['search'])).toBe(true);
    expect([...fixture.paused]).toEqual([lane]);
  });
});

test('a pause that failed keeps nobody else from pausing the lane', async () => {
  const failed = pauseLane(worker({ pause: { before: cut } }), lane, ['search']);
  await expect(failed).rejects.toThrow('cut');
  expect(await pauseLane(fixture.ctx, lane, ['search'])).toBe(true);
  expect([...fixture.paused]).toEqual([lane]);
});

test('a lane that could not be resumed is resumed by the cron', async () => {
  await pauseLane(fixture.ctx, lane, ['search']);
  await close('search');
  await resumeLanes(worker({ resume: { before: cut } }));
  expect([...fixture.paused]).toEqual([lane]);
  await minutesPass(1);
  expect([...fixture.paused]).toEqual([]);
  expect(await noted()).toEqual([]);
});
