import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import { Chunker } from '../csv/chunker.pure.ts';
import { mayStillAppear } from '../csv/columns.pure.ts';
import { CsvDecoder } from '../csv/decoder.pure.ts';
import { csvInvalid } from '../csv/limits.pure.ts';
import { readBody } from '../csv/read-body.ts';
import { CsvReader } from '../csv/reader.pure.ts';
import { type JobRow, jobRow } from './job-row.ts';
import { missingColumns } from '../processing/prompt.pure.ts';
import { startJob } from './start-job.ts';
import { ChunkStore } from './store-chunks.ts';

export type UploadInput = {
  userId: string;
  jobId: string;
  body: ReadableStream<Uint8Array> | null;
  /** From Content-Length; it only helps to choose the size of a chunk. */
  contentLength: number | undefined;
};

/**
 * Streams a CSV into chunks in the database, never holding the file, then starts the job. An upload
 * that breaks off, is refused or is overtaken by another leaves no rows behind. Throws `csv_invalid`,
 * `too_large`, `insufficient_credits` (the rows are kept), `job_not_open`, `upload_superseded`.
 */
export async function uploadInput(ctx: Ctx, input: UploadInput) {
  const { maxUploadBytes } = ctx.config;
  if ((input.contentLength ?? 0) > maxUploadBytes) throw tooLarge(maxUploadBytes, 'bytes');
  const uploadId = crypto.randomUUID();
  const of = { p_job: input.jobId, p_user: input.userId, p_upload: uploadId };
  const job = await ctx.db.call('job_upload_begin', of, jobRow);
  let header: string[];
  try {
    header = await storeRows(ctx, input, job, uploadId);
  } catch (error) {
    await ctx.db.call('job_upload_abort', { p_job: job.id, p_upload: uploadId }).catch(() => {
      ctx.log('upload_abort_failed', { jobId: job.id });
    });
    throw error;
  }
  return startJob(ctx, { userId: input.userId, jobId: job.id, upload: { id: uploadId, header } });
}

const tooLarge = (limit: number, unit: 'bytes' | 'rows') =>
  new DomainError('too_large', `The file has more than ${limit} ${unit}.`, {
    extra: unit === 'bytes' ? { limitBytes: limit } : { limitRows: limit },
  });

/** Reads the body to its end; gives the header, which the longest row may have widened. */
async function storeRows(
  ctx: Ctx,
  input: UploadInput,
  job: JobRow,
  uploadId: string,
): Promise<string[]> {
  const reader = new CsvReader();
  const decoder = new CsvDecoder(() => reader.line);
  const chunker = new Chunker(ctx.config.parallelInvocations, input.contentLength);
  const store = new ChunkStore(ctx, job.id, uploadId);
  let [bytes, characters, isChecked] = [0, 0, false];

  const accept = (rows: string[][], length: number): void => {
    characters += length;
    if (reader.header && !isChecked) {
      checkHeader(job, reader.header, { isComplete: false });
      isChecked = true;
    }
    chunker.add(rows, length);
    if (chunker.rows > ctx.config.maxRows) throw tooLarge(ctx.config.maxRows, 'rows');
  };

  try {
    for await (const piece of readBody(input.body)) {
      bytes += piece.byteLength;
      if (bytes > ctx.config.maxUploadBytes) throw tooLarge(ctx.config.maxUploadBytes, 'bytes');
      const text = decoder.push(piece);
      accept(reader.push(text), text.length);
      const parsedShare = 1 - reader.unread / Math.max(1, characters);
      await store.add(chunker.take(bytes * parsedShare));
    }
    const text = decoder.end();
    accept(reader.push(text), text.length);
    accept(reader.end(), 0);
    const header = reader.header ?? [];
    checkHeader(job, header, { isComplete: true });
    if (chunker.rows === 0) throw csvInvalid(2, 'There are no rows below the header.');
    await store.add(chunker.finish());
    await store.done();
    return header;
  } finally {
    await store.settled();
  }
}

/** What was said when the job was created must be true of the file; a long row can still add columns. */
function checkHeader(job: JobRow, header: string[], { isComplete }: { isComplete: boolean }): void {
  const wanted = [
    ...(job.columns ?? []).filter((name) => !header.includes(name)),
    ...missingColumns(job.prompt, header),
  ];
  const missing = wanted.find((name) => isComplete || !mayStillAppear(name, header.length));
  if (missing !== undefined)
    throw csvInvalid(1, `There is no column "${missing}", which the job's prompt or columns name.`);
}
