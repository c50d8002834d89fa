import type { Context, MiddlewareHandler } from 'hono';
import type { Ctx } from '../context.ts';
import { createTokenVerifier, type Identity, type TokenVerifier } from '../http/auth.ts';
import type { Vars } from '../http/middleware.ts';
import { createRateLimiter, type RateLimiter } from '../http/rate-limit.ts';
import { ensureUser, type Ensured } from '../users/ensure.ts';
import { retryQuietly } from '../stripe/retry-events.ts';

/** Users whose id this isolate remembers; ids never change, so that nothing can go stale. */
const rememberedUsers = 5000;

export type UserEnv = { Variables: Vars & { userId: string } };

/** Knows who is calling: verifies tokens, makes users on their first call, limits their rate. */
export class Session {
  readonly #ctx: Ctx;
  readonly #verify: TokenVerifier;
  readonly #limit: RateLimiter;
  readonly #known = new Map<string, string>();

  constructor(ctx: Ctx) {
    this.#ctx = ctx;
    this.#verify = createTokenVerifier(ctx.config.auth);
    this.#limit = createRateLimiter({
      redis: ctx.redis,
      perMinute: ctx.config.rateLimitPerMinute,
      onUnavailable: () => ctx.log('redis_unavailable', { use: 'rate_limit' }),
    });
  }

  /** The caller's rows, read now; for routes that show them. */
  async load(c: Context): Promise<Ensured> {
    const identity = await this.#verify(c.req.header('authorization'));
    const ensured = await this.#ensure(c, identity);
    await this.#admit(c, ensured.user.id);
    return ensured;
  }

  /** Middleware for routes that need no more than the user's id. */
  require(): MiddlewareHandler<UserEnv> {
    return async (c, next) => {
      const identity = await this.#verify(c.req.header('authorization'));
      const known = this.#known.get(keyOf(identity));
      await this.#admit(c, known ?? (await this.#ensure(c, identity)).user.id);
      return next();
    };
  }

  async #admit(c: Context, userId: string): Promise<void> {
    c.set('userId', userId);
    await this.#limit(`user:${userId}`);
  }

  async #ensure(c: Context, identity: Identity): Promise<Ensured> {
    const ensured = await ensureUser(this.#ctx, identity);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= rememberedUsers && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(keyOf(identity), ensured.user.id);
    // Events that were waiting for this person need not wait for the cron.
    if (ensured.eventsDue > 0) c.executionCtx.waitUntil(retryQuietly(this.#ctx));
    return ensured;
  }
}

/** A changed e-mail is another key, so that the row learns of it. */
const keyOf = (identity: Identity): string =>
  JSON.stringify([identity.externalId, identity.email, identity.emailVerified]);
