import type { Ctx } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { JobOptions } from '../processing/job-options.ts';
import { defaultProcessor, processors } from '../processing/processors.ts';
import { type JobRow, jobRow } from './job-row.ts';
import { wholeJobView } from './job.pure.ts';
import { findWholeJob } from './read-job.ts';
import { columnErrors, type JobSettings, settingsErrors, unfitSettings } from './settings.ts';

/** What is to be otherwise; null: as if it had never been said. */
export type JobChange = { [K in keyof JobOptions]?: JobOptions[K] | null | undefined } & {
  processor?: string | null | undefined;
  prompt?: string | null | undefined;
  columns?: string[] | null | undefined;
};

/** How often a change is made anew when another came in between. */
const mostTries = 4;

/**
 * Changes what a job is asked, while nothing of it was worked but samples; those stay, unless their columns are other
 * ones now. Throws `invalid_request`, `job_running`, `job_not_open`, `busy`.
 */
export async function changeJob(
  ctx: Ctx,
  { change, ...of }: { userId: string; jobId: string; change: JobChange },
) {
  for (let tries = 1; ; tries += 1) {
    const job = await findWholeJob(ctx, of);
    const settings = changed(job, change);
    const errors = settingsErrors(settings, ctx.config.notifyLocalHosts);
    const columnsErrors = job.header ? columnErrors(settings, job.header, true) : [];
    const isOpen = ['created', 'awaiting_credits', 'ready'].includes(job.status);
    if (isOpen && errors.length + columnsErrors.length > 0)
      throw unfitSettings([...errors, ...columnsErrors]);
    try {
      const after = await ctx.db.call(
        'job_change',
        {
          p_job: of.jobId,
          p_user: of.userId,
          p_version: job.settings_version,
          p_processor: settings.processor,
          p_prompt: settings.prompt,
          p_columns: settings.columns,
          p_options: settings.options,
          p_needs_search: processors.get(settings.processor)?.searches(settings.options) ?? false,
          p_discards: columnsOf(job) !== columnsOf(settings),
          p_was: job.options,
          p_reworks: workedBy(job) !== workedBy(settings),
        },
        jobRow,
      );
      return wholeJobView(after, ctx.now());
    } catch (error) {
      const isRace = error instanceof DomainError && error.code === 'settings_changed';
      if (!isRace || tries === mostTries) throw error;
    }
  }
}

/** What rows are worked by, as a text to compare. */
const workedBy = ({ processor, prompt, columns, options }: JobSettings): string => {
  const { research, outputs, language, sender } = options;
  return JSON.stringify([processor, prompt, columns, research, outputs, language, sender]);
};

/** The columns that results have, as a text to compare. */
const columnsOf = ({ processor, options }: Pick<JobSettings, 'processor' | 'options'>): string =>
  JSON.stringify(processors.get(processor)?.outputColumns(options));

function changed(job: JobRow, change: JobChange): JobSettings {
  const { processor: named, prompt: said, columns: shown, ...others } = change;
  const processor = named === undefined ? job.processor : (named ?? defaultProcessor);
  const options: Record<string, unknown> = { ...job.options };
  for (const [name, value] of Object.entries(others))
    if (value === null) delete options[name];
    else if (value !== undefined) options[name] = value;
  // They belong to the processor that is left.
  if (processor !== job.processor && others.outputs === undefined) delete options['outputs'];
  const before = processors.get(job.processor)?.defaultPrompt;
  const after = processors.get(processor)?.defaultPrompt ?? '';
  const kept = job.prompt === before ? after : job.prompt;
  return {
    processor,
    prompt: said === undefined ? kept : (said ?? after),
    columns: shown === undefined ? job.columns : shown,
    options,
  };
}
