import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { JobOptions } from './job-options.ts';
import type { Sender } from './sender.ts';
import { type Duplicates, leaseSeconds, type StoredResults } from './chunk.pure.ts';
import { openProviders } from './open-providers.ts';
import type { ChunkMessage } from './publish-chunks.ts';

/** Rows and results are many, and ours: only that they are lists is looked at. */
const listOf = <T>() => z.custom<T>(Array.isArray, 'not a list');

const lease = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('leased'),
    chunk: z.strictObject({
      rows: listOf<string[][]>(),
      results: z.custom<StoredResults>(Array.isArray, 'not a list').nullable(),
      todo: z.array(z.int()).nullable(),
      duplicates: z.custom<Duplicates>(Array.isArray, 'not a list').nullable(),
      fruitlessLeases: z.int(),
      revision: z.int(),
    }),
    job: z.strictObject({
      userId: z.string(),
      rowsTotal: z.int(),
      rowsKept: z.int(),
      rowsSkipped: z.int(),
      header: listOf<string[]>(),
      columns: listOf<string[]>().nullable(),
      prompt: z.string(),
      processor: z.string(),
      needsSearch: z.boolean(),
      options: z.custom<JobOptions>(),
      sender: z.custom<Sender>().nullable(),
      startedAt: z.string(),
      generation: z.int(),
      settingsVersion: z.int(),
    }),
    open: openProviders,
    /** As many of the user's rows as may be are unpaid today: no more are worked; null: there may be more. */
    spent: z.looseObject({ limit: z.int(), used: z.int() }).nullable(),
  }),
  z.strictObject({ outcome: z.literal('busy'), retryAfterSeconds: z.number() }),
  z.strictObject({ outcome: z.literal(['done', 'gone']) }),
]);

type Lease = z.infer<typeof lease>;

/** A chunk that this delivery holds the lease on. */
export type Leased = Extract<Lease, { outcome: 'leased' }>;

/** Asks for the lease of a chunk, which `token` then holds for `leaseSeconds`. */
export const leaseChunk = (ctx: Ctx, message: ChunkMessage, token: string): Promise<Lease> =>
  ctx.db.call(
    'chunk_lease',
    {
      p_job: message.jobId,
      p_run: message.run,
      p_index: message.chunk,
      p_token: token,
      p_seconds: leaseSeconds,
      p_free_rows: ctx.config.bounds.freeErrorRowsPerDay,
    },
    lease,
  );
