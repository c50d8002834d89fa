import type { Ctx } from '../context.ts';
import type { ProviderCall } from './call-provider.ts';
import { createConnectionLimiter, type SlotFetch } from './connection-limiter.ts';
import type { Away } from './errors.pure.ts';
import { acceptAnswer, asProviderError } from './http.ts';
import { askModel, probeMessages } from './model.ts';
import { searchWeb } from './search.ts';
import { awayFor } from './away.pure.ts';

/** A provider that does not answer a tiny call by then is no use to rows. */
const timeoutMs = 8000;
const query = 'Wikipedia';
/** As many as rows ask for: a provider may refuse the number. */
const probeTokens = 600;

/**
 * Calls a provider as rows do, for next to nothing (a failed search costs nothing, one that succeeds a search;
 * a model a few tokens), once. → `undefined`: it works, or only asks for patience; else why it is away.
 */
export async function probeProvider(
  ctx: Pick<Ctx, 'config' | 'now'>,
  name: string,
  fetch: SlotFetch = createConnectionLimiter().fetch,
): Promise<Away | undefined> {
  const now = () => ctx.now().getTime();
  const model = ctx.config.models.find((one) => one.name === name);
  const label = model ? 'Model' : 'Search';
  const call: ProviderCall = {
    fetch: (url, init, ms, ...rest) => fetch(url, init, Math.min(ms, timeoutMs), ...rest),
    signal: new AbortController().signal,
    check: async () => {},
    accept: (response) => acceptAnswer(label, response, now()),
  };
  try {
    if (model) await askModel(model, call, probeMessages, { maxTokens: probeTokens, urgent: true });
    else await searchWeb(ctx.config.search, call, query);
    return undefined;
  } catch (error) {
    return awayFor(name, asProviderError(label, error), now());
  }
}
