import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { Config } from '../env.ts';
import { awayReasons } from '../providers/errors.pure.ts';
import { type Needs, type OpenProvider, type Waiting, waitingFor } from './waiting.pure.ts';

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

/** Providers that nobody calls for now. */
export const readOpenProviders = (ctx: Pick<Ctx, 'db'>): Promise<OpenProvider[]> =>
  ctx.db.call('providers_open', {}, openProviders);

/** What the rows of a job cannot do without. */
export const needsOf = (config: Pick<Config, 'models'>, needsSearch: boolean): Needs => ({
  search: needsSearch,
  models: config.models.map(({ name }) => name),
});

/** What keeps the rows of a job from being worked; undefined: nothing. */
export const waitingOf = (
  config: Pick<Config, 'models'>,
  needsSearch: boolean,
  open: readonly OpenProvider[],
): Waiting | undefined => waitingFor(needsOf(config, needsSearch), open);
