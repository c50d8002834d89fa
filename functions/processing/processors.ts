import { classify } from './classify.ts';
import { columnsProcessor } from './columns-processor.ts';
import type { RowProcessor } from './processor.ts';
import { researchEmail } from './research-email.ts';

/** Every way of working a row, by the name that `POST /v1/jobs` takes. */
export const processors: ReadonlyMap<string, RowProcessor> = new Map(
  [researchEmail, columnsProcessor, classify].map((processor) => [processor.name, processor]),
);

export const defaultProcessor = researchEmail.name;
