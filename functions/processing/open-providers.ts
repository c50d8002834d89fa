import * as z from 'zod';
import type { Config } from '../env.ts';
import { awayReasons } from '../providers/errors.pure.ts';
import { processors } from './processors.ts';
import type { Needs, OpenProvider } from './waiting.pure.ts';

const ms = (text: string): number => Date.parse(text);

/** What `rowloom.providers_open` says. */
export const openProviders = z.array(
  z
    .strictObject({
      name: z.string(),
      reason: z.enum(awayReasons),
      detail: z.string(),
      openedAt: z.string(),
      until: z.string().nullable(),
    })
    .transform(({ openedAt, until, ...rest }): OpenProvider => ({
      ...rest,
      openedAtMs: ms(openedAt),
      untilMs: until === null ? undefined : ms(until),
    })),
);

/** What the rows of a kind of job cannot do without. */
export const needsOf = (config: Pick<Config, 'models'>, processor: string): Needs => ({
  search: processors.get(processor)?.research !== undefined,
  models: config.models.map(({ name }) => name),
});
