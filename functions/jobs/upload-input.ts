import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { chunkRows } from '../csv/chunk-rows.pure.ts';
import { columnList } from '../csv/columns.pure.ts';
import { decode } from '../csv/decode.pure.ts';
import { csvInvalid } from '../csv/limits.pure.ts';
import { dropOwnColumns } from '../csv/own-columns.pure.ts';
import { readBody } from '../csv/read-body.ts';
import { readRows, type RowBatch } from '../csv/read-rows.pure.ts';
import { type JobRow, jobRow } from './job-row.ts';
import { limitRows } from './limit-rows.pure.ts';
import { processors } from '../processing/processors.ts';
import { columnErrors } from './settings.ts';
import { startJob, type StoredUpload } from './start-job.ts';
import { storeChunks } from './store-chunks.ts';
import { isolateUploads, type UploadMemory } from './upload-memory.ts';
import { UploadWatch } from './upload-watch.ts';

export type UploadInput = {
  userId: string;
  jobId: string;
  body: ReadableStream<Uint8Array> | null;
  /** From Content-Length; it only helps to choose the size of a chunk. */
  contentLength: number | undefined;
  /** From Content-Type: a label of the Encoding Standard. */
  charset?: string | undefined;
};

/**
 * Streams a CSV into chunks in the database, never holding the file, then starts the job. An upload
 * that is cut off, refused or superseded by another leaves no rows behind. Throws `csv_invalid`, `encoding_unknown`,
 * `too_large`, `insufficient_credits`, `too_many_failed_rows` and `fair_use` (the rows are kept), `job_not_open`,
 * `upload_superseded`, also when the job was cancelled, `upload_interrupted` when too little comes,
 * `too_many_uploads`, `storage_full`, `busy` when the isolate has too many.
 */
export async function uploadInput(ctx: Ctx, input: UploadInput, account = isolateUploads) {
  const { maxUploadBytes } = ctx.config;
  if ((input.contentLength ?? 0) > maxUploadBytes) throw tooManyBytes(maxUploadBytes);
  const memory = account.open(input.userId, ctx.now);
  await memory.begin(ctx.config.bounds.uploads);
  const upload = await storeUpload(ctx, input, memory).finally(memory.end);
  return startJob(ctx, { userId: input.userId, jobId: input.jobId, upload });
}

async function storeUpload(
  ctx: Ctx,
  input: UploadInput,
  memory: UploadMemory,
): Promise<StoredUpload> {
  const uploadId = crypto.randomUUID();
  const job = await ctx.db.call(
    'job_upload_begin',
    {
      p_job: input.jobId,
      p_user: input.userId,
      p_upload: uploadId,
      p_bounds: ctx.config.bounds,
    },
    jobRow,
  );
  const watch = new UploadWatch();
  const alive = setInterval(() => void showLife(ctx, job.id, uploadId, watch), aliveMs);
  try {
    return { id: uploadId, ...(await storeRows(ctx, input, { job, uploadId, memory, watch })) };
  } catch (error) {
    await ctx.db.call('job_upload_abort', { p_job: job.id, p_upload: uploadId }).catch(() => {
      ctx.log('upload_abort_failed', { jobId: job.id });
    });
    throw error;
  } finally {
    clearInterval(alive);
  }
}

/** An upload that shows no life for three of these counts no more. */
const aliveMs = 20_000;

/** A sign of life that does not come through is the next one's; an upload that is no longer its job's ends. */
const showLife = (ctx: Ctx, jobId: string, uploadId: string, watch: UploadWatch): Promise<void> =>
  ctx.db.call('job_upload_alive', { p_job: jobId, p_upload: uploadId }).catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'upload_superseded') watch.end(error);
  });

const tooManyBytes = (limitBytes: number) =>
  new DomainError('too_large', `The file is larger than ${limitBytes} bytes.`, {
    extra: { limitBytes },
  });

/** What the file's reader can say at its end: the longest row may have widened the header. */
type Noticed = Pick<RowBatch, 'header' | 'warnings'> & { input: RowBatch['format'] | null };

type Upload = { job: JobRow; uploadId: string; memory: UploadMemory; watch: UploadWatch };

/** Reads the body to its end. */
async function storeRows(
  ctx: Ctx,
  input: UploadInput,
  { job, uploadId, memory, watch }: Upload,
): Promise<Noticed> {
  const { maxUploadBytes, maxRows, parallelInvocations } = ctx.config;
  let noticed: Noticed = { header: [], warnings: [], input: null };
  let [bytesRead, bytesCut] = [0, 0];
  const body = limitBytes(readBody(input.body, watch.wait), maxUploadBytes);
  const bytes = paced(body, memory, (count) => {
    bytesRead += count;
    memory.unread(bytesRead - bytesCut);
  });
  const outputColumns = processors.get(job.processor)?.outputColumns(job.options) ?? [];
  const read = dropOwnColumns(readRows(decode(bytes, input.charset)), outputColumns);
  const rows = limitRows(checkColumns(read, job), maxRows, (batch) => {
    noticed = { header: batch.header, warnings: batch.warnings, input: batch.format };
    bytesCut = batch.bytesSoFar;
    memory.unread(bytesRead - bytesCut);
  });
  const options = { parallelInvocations, totalBytes: input.contentLength, memory };
  await storeChunks(ctx, { jobId: job.id, uploadId }, chunkRows(rows, options), memory);
  return noticed;
}

/** Pieces as memory has room for what comes of them. */
async function* paced(
  pieces: AsyncIterable<Uint8Array>,
  memory: UploadMemory,
  onPiece: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    await memory.room();
    onPiece(piece.byteLength);
    yield piece;
  }
}

async function* limitBytes(
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.byteLength;
    if (bytes > limit) throw tooManyBytes(limit);
    yield piece;
  }
}

/** Checks the header as soon as it is there, and again once the longest row has widened it. */
async function* checkColumns(
  batches: AsyncIterable<RowBatch>,
  job: JobRow,
): AsyncGenerator<RowBatch> {
  let last: Pick<RowBatch, 'header' | 'headerLine'> | undefined;
  for await (const batch of batches) {
    if (!last) checkHeader(job, batch, { isComplete: false });
    const { header, headerLine } = batch;
    last = { header, headerLine };
    yield batch;
  }
  if (last) checkHeader(job, last, { isComplete: true });
}

/** What was said when the job was created must be true of the file; a long row can still add columns. */
function checkHeader(
  job: JobRow,
  { header, headerLine }: Pick<RowBatch, 'header' | 'headerLine'>,
  { isComplete }: { isComplete: boolean },
): void {
  const [first] = columnErrors(job, header, isComplete);
  if (first)
    throw csvInvalid(headerLine, `${first.field}: ${first.message}. ${columnList(header)}`);
}
