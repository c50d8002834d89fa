import type { JobOptions, OutputField } from '../../functions/processing/job-options.ts';
import type { Brief, RowProcessor } from '../../functions/processing/processor.ts';
import { createRowTools } from '../../functions/processing/create-row-tools.ts';
import type { ConnectionLimiter } from '../../functions/providers/connection-limiter.ts';
import type { RunningDeadline } from '../../functions/providers/deadline.ts';
import { createCtx, type Ctx } from '../../functions/context.ts';
import { parseEnv } from '../../functions/env.ts';
import { testEnv } from './ctx.ts';

const nowhere = 'http://127.0.0.1:9';

/** What rows are given; Redis and the providers are out of reach unless `env` names them. */
export function rowCtx(
  env: Record<string, string> = {},
): Ctx & { lines: Record<string, unknown>[] } {
  const config = parseEnv({ ...testEnv('postgres://u:p@127.0.0.1:9/none', nowhere), ...env });
  const lines: Record<string, unknown>[] = [];
  return { ...createCtx(config), log: (event, fields) => lines.push({ event, ...fields }), lines };
}

/** A deadline from now on, and the means to cancel it. */
export function deadlineIn(
  startMs: number,
  stopMs = startMs + 8000,
): RunningDeadline & { cancel: () => void } {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), stopMs);
  return {
    startUntil: Date.now() + startMs,
    stopAt: Date.now() + stopMs,
    signal: abort.signal,
    stop: () => abort.abort(),
    halt: () => {},
    hold: () => {},
    isToCommit: async () => false,
    clear: () => clearTimeout(timer),
    cancel: () => {
      clearTimeout(timer);
      abort.abort();
    },
  };
}

/** The tools of one row of an invocation, and what goes with them. */
export function rowToolsIn(
  ctx: Ctx,
  connections: ConnectionLimiter,
  deadline: RunningDeadline,
  of = { userId: 'a user', jobId: 'a job' },
) {
  const toolbox = createRowTools(ctx, { connections, deadline, open: [] }, of);
  return { ...toolbox, tools: toolbox.toolsOf(new Map(), () => undefined) };
}

/** A model's streamed answer. */
export const streamed = (text: string): Response =>
  new Response(
    `data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\ndata: [DONE]\n\n`,
  );

/** What a processor is asked by default of a file with this header. */
export const briefOf = (
  { defaultPrompt }: Pick<RowProcessor, 'defaultPrompt'>,
  header: readonly string[],
  given: Partial<Brief> = {},
): Brief => ({ header, columns: null, prompt: defaultPrompt, options: {}, sender: null, ...given });

/** One of each type, as a user of the processor `columns` asks. */
export const questions: OutputField[] = [
  { name: 'Employees', description: 'How many people\nwork there?', type: 'number' },
  { name: 'ネット販売', description: '通販サイトはありますか。', type: 'boolean' },
  { name: 'Size', description: 'Which size?', type: 'choice', choices: ['S', 'L "XL"'] },
  { name: 'Why us?', description: 'One reason.', type: 'text' },
];

/** What a processor must be given besides its prompt. */
export const optionsOf = (processor: string): JobOptions =>
  processor === 'columns' ? { outputs: questions } : {};
