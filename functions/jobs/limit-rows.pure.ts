import { csvInvalid } from '../csv/limits.pure.ts';
import type { RowBatch } from '../csv/read-rows.pure.ts';
import { DomainError } from '../errors.ts';

/** Rows of a worksheet. Those that are not worked cost nobody anything, but they are stored. */
export const maxAllRows = 1_048_576;

const tooManyRows = (limitRows: number) =>
  new DomainError('too_large', `The file has more than ${limitRows} rows.`, {
    extra: { limitRows },
  });

/**
 * `limit` is of rows to be worked; all are at most `maxAllRows`. Throws `too_large`, and `csv_invalid` at
 * the end if none is to be worked.
 */
export async function* limitRows(
  batches: AsyncIterable<RowBatch>,
  limit: number,
  onBatch: (batch: RowBatch) => void,
): AsyncGenerator<RowBatch> {
  let [count, countAll, line] = [0, 0, 1];
  for await (const batch of batches) {
    onBatch(batch);
    count += batch.rows.length - batch.skips.size;
    countAll += batch.rows.length;
    line = batch.headerLine + 1;
    if (count > limit) throw tooManyRows(limit);
    if (countAll > maxAllRows) throw tooManyRows(maxAllRows);
    yield batch;
  }
  if (count === 0) throw csvInvalid(line, 'There are no rows below the header.');
}
