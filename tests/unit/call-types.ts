import * as z from 'zod';
import type { Call } from '../../db/call.ts';

/** Never run: `npm run check` fails when one of these compiles, or the first does not. */
export async function typedCalls(call: Call): Promise<void> {
  const of = { p_job: 'j', p_run: 1 };
  const count: number = await call('payloads_purge', { p_days: 1, p_limit: 1 });
  await call('job_dispatch', { ...of, p_from: count, p_limit: 1 }, z.unknown());
  const terms = { p_user: 'u', p_per_row: 1, p_unlimited: false, p_standing: 1, p_bounds: {} };
  await call('job_start', { p_job: 'j', ...terms, p_upload: null }, z.unknown());
  // @ts-expect-error JSON needs something to read it by
  await call('job_start', { p_job: 'j', ...terms, p_upload: null });
  // @ts-expect-error there is no such function
  await call('job_dipsatch', { ...of, p_from: 0, p_limit: 1 });
  // @ts-expect-error a parameter is missing
  await call('job_dispatch', { ...of, p_from: 0 });
  // @ts-expect-error there is no such parameter
  await call('job_dispatch', { ...of, p_from: 0, p_limit: 1, p_until: 2 });
  // @ts-expect-error a number is not a text
  await call('job_dispatch', { p_job: 1, p_run: 1, p_from: 0, p_limit: 1 });
  // @ts-expect-error null is no value of it
  await call('job_dispatch', { p_job: null, p_run: 1, p_from: 0, p_limit: 1 });
  // @ts-expect-error nor of a function whose answer is plain
  await call('payloads_purge', { p_days: null, p_limit: 1 });
  // @ts-expect-error the answer is a number
  const text: string = await call('payloads_purge', { p_days: 1, p_limit: 1 });
  // @ts-expect-error what JSON holds, nobody has said
  const { chunks } = await call('job_dispatch', { ...of, p_from: 0, p_limit: 1 });
  void [text, chunks];
}
