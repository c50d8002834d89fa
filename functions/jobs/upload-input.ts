import type { Ctx } from '../deps.ts';
import { DomainError } from '../errors.ts';
import { Chunker } from './chunker.pure.ts';
import { decodeText } from './csv/decode.ts';
import { csvInvalid, CsvReader } from './csv/reader.pure.ts';
import type { JobRow } from './job.pure.ts';
import { missingColumns } from './prompt.pure.ts';
import { startJob } from './start-job.ts';

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
  const job = await ctx.db.call<JobRow>('job_upload_begin', {
    p_job: input.jobId,
    p_user: input.userId,
    p_upload: uploadId,
  });
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

/** Reads the body to its end; gives the header. */
async function storeRows(
  ctx: Ctx,
  input: UploadInput,
  job: JobRow,
  uploadId: string,
): Promise<string[]> {
  const reader = new CsvReader();
  const chunker = new Chunker(ctx.config.parallelInvocations, input.contentLength);
  let bytes = 0;
  let checked = false;

  const accept = async (rows: string[][], last: boolean): Promise<void> => {
    if (reader.header && !checked) {
      checkHeader(job, reader.header);
      checked = true;
    }
    chunker.add(rows);
    if (chunker.rows > ctx.config.maxRows) throw tooLarge(ctx.config.maxRows, 'rows');
    const chunks = last ? chunker.finish() : chunker.take(bytes);
    if (chunks.length > 0)
      await ctx.db.call('job_upload_append', {
        p_job: job.id,
        p_upload: uploadId,
        p_chunks: chunks,
      });
  };

  const pieces = decodeText(readAll(input.body), (count) => {
    bytes += count;
    if (bytes > ctx.config.maxUploadBytes) throw tooLarge(ctx.config.maxUploadBytes, 'bytes');
  });
  for await (const text of pieces) await accept(reader.push(text), false);
  await accept(reader.end(), true);
  if (chunker.rows === 0) throw csvInvalid(2, 'There are no rows below the header.');
  return reader.header ?? [];
}

/** The pieces of a body; a caller who goes away is `upload_interrupted`. */
async function* readAll(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new DomainError('upload_interrupted', 'The upload broke off; send the file again.', {
          cause,
        });
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** What was said when the job was created must be true of the file. */
function checkHeader(job: JobRow, header: string[]): void {
  const wanted = [
    ...(job.columns ?? []).filter((name) => !header.includes(name)),
    ...missingColumns(job.prompt, header),
  ];
  const [missing] = wanted;
  if (missing !== undefined)
    throw csvInvalid(1, `There is no column "${missing}", which the job's prompt or columns name.`);
}
