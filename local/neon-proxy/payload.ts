import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Refusal } from './answers.ts';
import type { Outcome } from './pipeline.ts';
import type { Statement } from './prepared.ts';
import { jsonValue, parameterText } from './values.ts';

/** How a statement's rows are to be written. */
type Style = { isRaw: boolean; isArray: boolean };

type Payload = {
  statements: Statement[];
  /** Opens the batch's transaction; absent: one statement, without a transaction around it. */
  begin: string | undefined;
  /** Headers that Neon repeats in the answer to a batch. */
  echo: Record<string, string>;
  styles: Style[];
};

const levels: Record<string, string> = {
  Serializable: 'SERIALIZABLE',
  RepeatableRead: 'REPEATABLE READ',
  ReadCommitted: 'READ COMMITTED',
  ReadUncommitted: 'READ UNCOMMITTED',
};
const levelHeader = 'neon-batch-isolation-level';
const readOnlyHeader = 'neon-batch-read-only';
const deferrableHeader = 'neon-batch-deferrable';

/** Reads a request's body. @throws Refusal 413 past `maxBytes`; Error when the caller goes away. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const refusal = () => new Refusal(413, `request is too large (max is ${maxBytes} bytes)`);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else reject(refusal());
    });
    request.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)),
    );
    request.once('close', () => {
      if (!request.complete) reject(new Refusal(400, 'could not read the HTTP request body'));
    });
  });
}

const unparsable = (why: string): Refusal =>
  new Refusal(400, `could not parse the HTTP request body: ${why}`);

function toStatement(input: unknown): { statement: Statement; arrayMode: unknown } {
  const { query, params = [], arrayMode } = (input ?? {}) as Record<string, unknown>;
  if (typeof query !== 'string' || !Array.isArray(params))
    throw unparsable('data did not match any variant of untagged enum Payload');
  return { statement: { query, params: params.map(parameterText) }, arrayMode };
}

function beginFor(headers: IncomingHttpHeaders, echo: Record<string, string>): string {
  const modes: string[] = [];
  const level = headers[levelHeader];
  if (typeof level === 'string') {
    modes.push(`ISOLATION LEVEL ${levels[level]}`);
    echo[levelHeader] = level;
  }
  for (const [header, mode] of [
    [readOnlyHeader, 'READ ONLY'],
    [deferrableHeader, 'DEFERRABLE'],
  ] as const)
    if (headers[header] === 'true') {
      modes.push(mode);
      echo[header] = 'true';
    }
  return `START TRANSACTION ${modes.join(', ')}`;
}

/**
 * Reads body and headers as Neon does: of the boolean headers anything but `true` is false.
 * @throws Refusal 400 for what is not JSON, is no query, or names an unknown isolation level.
 */
export function parsePayload(headers: IncomingHttpHeaders, body: Buffer): Payload {
  const level = headers[levelHeader];
  if (level !== undefined && (typeof level !== 'string' || !Object.hasOwn(levels, level)))
    throw new Refusal(400, 'invalid isolation level');
  let input: { queries?: unknown } | null;
  try {
    input = JSON.parse(body.toString()) as typeof input;
  } catch (error) {
    throw unparsable((error as Error).message);
  }
  const queries = input?.queries;
  const isBatch = Array.isArray(queries);
  const read = isBatch ? queries.map(toStatement) : [toStatement(input)];
  const isRaw = headers['neon-raw-text-output'] === 'true';
  const isArray = headers['neon-array-mode'] === 'true';
  const echo: Record<string, string> = {};
  return {
    statements: read.map(({ statement }) => statement),
    begin: isBatch ? beginFor(headers, echo) : undefined,
    echo,
    styles: read.map(({ arrayMode }) => ({
      isRaw,
      isArray: typeof arrayMode === 'boolean' ? arrayMode : isArray,
    })),
  };
}

function resultOf({ fields, rows, command, rowCount }: Outcome, style: Style | undefined): unknown {
  const { isRaw = true, isArray = true } = style ?? {};
  const valued = isRaw
    ? rows
    : rows.map((row) => row.map((text, at) => jsonValue(text, fields[at]?.dataTypeID ?? 0)));
  const written = isArray
    ? valued
    : valued.map((row) => Object.fromEntries(row.map((value, at) => [fields[at]?.name, value])));
  return { rowAsArray: isArray, fields, rows: written, command, rowCount };
}

/** Neon's answer to a request that went well, as JSON text. */
export function resultBody({ begin, styles }: Payload, outcomes: Outcome[]): string {
  const results = outcomes.map((outcome, at) => resultOf(outcome, styles[at]));
  return JSON.stringify(begin === undefined ? results[0] : { results });
}
