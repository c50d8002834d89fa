import type { Rig } from './worker.ts';
import type { Job } from './worker-client.ts';
import { someone } from './worker.ts';

/** Fires the Worker's cron trigger. */
export const everyMinute = (rig: Rig): Promise<void> => rig.worker.scheduled('* * * * *');

/** Lets time pass for a job as the database measures it: leases run out, and it shows no sign of life. */
export async function minutesPass({ database: { pool } }: Rig, id: string): Promise<void> {
  await pool.query(
    `update jobs set progress_at = progress_at - interval '6 minutes',
        dispatched_at = dispatched_at - interval '6 minutes',
        cancel_at = cancel_at - interval '6 minutes' where id = $1`,
    [id],
  );
  await pool.query(
    "update job_chunks set lease_until = lease_until - interval '6 minutes' where job_id = $1",
    [id],
  );
}

/** Waits for a job's end, with time passing and the watchdog looking while nothing moves. */
export async function endedInTime(rig: Rig, token: string, id: string): Promise<Job> {
  for (let rounds = 0; rounds < 8; rounds += 1) {
    await minutesPass(rig, id);
    await everyMinute(rig);
    const job = await rig.ended(token, id, 1000).catch(() => undefined);
    if (job) return job;
  }
  throw new Error(`The job ${id} does not end.`);
}

const outputs = new Map<string, string>();

/** The output of a job that met no fault; the same file is worked once. */
export async function undisturbed(rig: Rig, csv: string): Promise<string> {
  const known = outputs.get(csv);
  if (known !== undefined) return known;
  const { token } = await rig.user(someone());
  const { id } = await rig.startJob(token, csv);
  await rig.ended(token, id, 5000).catch(() => everyMinute(rig));
  await rig.ended(token, id);
  const output = await rig.output(token, id);
  outputs.set(csv, output);
  return output;
}
