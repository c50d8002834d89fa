import { randomUUID } from 'node:crypto';
import { settleUser } from '../../functions/ledger/due.ts';
import { readStanding } from '../../functions/ledger/standing.ts';
import type { BillingShop } from '../db/billing-shop.ts';
import type { Books, Hold } from './greedy-user.ts';
import { holdAnswer } from './hold-answer.ts';

/** A user's books as the product keeps them, held from and released to as a job's run does. */
export class LedgerBooks implements Books {
  readonly #shop: BillingShop;
  readonly #userId: string;

  constructor(shop: BillingShop, userId: string) {
    this.#shop = shop;
    this.#userId = userId;
  }

  async balance(): Promise<number> {
    await settleUser(this.#shop.ctx, this.#userId);
    const text = 'select credits_balance::float8 as balance from users where id = $1';
    const [row] = await this.#shop.ctx.db.rows<{ balance: number }>(text, [this.#userId]);
    if (!row) throw new Error('There is no such user.');
    return row.balance;
  }

  unlimited = async (): Promise<boolean> =>
    (await readStanding(this.#shop.ctx, this.#userId)).plan?.credits === null;

  async hold(credits: number): Promise<Hold> {
    const job = randomUUID();
    await this.#letTimePass();
    await settleUser(this.#shop.ctx, this.#userId);
    const { plan, standingVersion } = await readStanding(this.#shop.ctx, this.#userId);
    const held = await this.#shop.ctx.db.call(
      'ledger_hold',
      {
        p_user: this.#userId,
        p_job: job,
        p_run: 1,
        p_credits: credits,
        p_unlimited: plan?.credits === null,
        p_standing: standingVersion,
      },
      holdAnswer,
    );
    if (held.outcome !== 'held') throw new Error(`${credits} credits: ${held.outcome}`);
    return { credits, end: (used) => this.#release(job, { rows: used, credits: credits - used }) };
  }

  async #release(job: string, back: { rows: number; credits: number }): Promise<void> {
    await this.#letTimePass();
    await this.#shop.ctx.db.call('ledger_release', {
      p_user: this.#userId,
      p_job: job,
      p_run: 1,
      p_credits: back.credits,
      p_rows: back.rows,
    });
    await settleUser(this.#shop.ctx, this.#userId);
  }

  /** The database's clock is the real one: as soon as it is later there, so it is in the user's books. */
  async #letTimePass(): Promise<void> {
    const us = this.#shop.standIn.nowMs() * 1000;
    const digits = (value: number, length: number) => String(value).padStart(length, '0');
    const position = `${digits(Math.floor(us / 1e6), 11)}.60.${digits(us % 1e6, 6)}.`;
    await this.#shop.database.pool.query(
      'update users set newest_position = greatest(newest_position, $2) where id = $1',
      [this.#userId, position],
    );
  }
}
