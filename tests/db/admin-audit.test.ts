import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { auditBooks, auditStep, beginAudit } from '../../functions/ledger/audit-books.ts';
import { foldVersion } from '../../functions/ledger/fold.pure.ts';
import { listEntries } from '../../functions/ledger/list-entries.ts';
import { refoldBooks } from '../../functions/ledger/refold-books.ts';
import { ensureUser } from '../../functions/users/ensure.ts';
import { holdCredits, openBooks, send } from '../support/books.ts';
import { invoice, packSession } from '../support/stripe-events.ts';

// As after a change of meaning: books that the version before folded are older.
vi.mock('../../functions/ledger/fold.pure.ts', async (original) => ({
  ...(await original<object>()),
  foldVersion: 7,
}));

const { database, ctx } = await openBooks();

/** Somebody with 500 bonus credits, a plan of 5,000 that made them expire, a pack of 500 and 300 held. */
async function someone() {
  const externalId = randomUUID();
  const identity = { externalId, email: null, emailVerified: false };
  const { user } = await ensureUser(ctx, identity);
  const at = Math.floor(Date.now() / 1000) - 3600;
  const subscription = `sub_${externalId}`;
  const sale = { userId: user.id, subscription, price: 'price_plan_growth', periodStart: at };
  const paid = invoice(sale, { created: at, status_transitions: { paid_at: at } });
  await send(ctx, 'invoice.paid', paid, { created: at });
  const pack = packSession({ userId: user.id, pack: 'small' });
  await send(ctx, 'checkout.session.completed', pack, { created: at + 60 });
  const { job, release } = await holdCredits(ctx, user.id, 300);
  return { id: user.id, subscription, job, release };
}

/** Changes rows behind the ledger's back, as nobody can by the API. */
const bend = (text: string, ...values: unknown[]) =>
  database.pool.query(
    `do $bend$ begin set local session_replication_role = replica; ${text.replace(
      /\$(\d)/g,
      (_, nth: string) => `'${String(values[Number(nth) - 1])}'`,
    )}; end $bend$`,
  );

const kindsOf = async (id: string) => {
  const { differences } = await auditBooks(ctx, { limit: 1000 });
  return differences.filter(({ userId }) => userId === id).flatMap(({ kinds }) => kinds);
};

const read = async (id: string) => {
  const { rows } = await database.pool.query(
    `select to_jsonb(u) - 'version' - 'standing_version' - 'fold_version' as u,
        (select jsonb_agg(to_jsonb(l) order by key) from credit_lots l where l.user_id = u.id) as lots,
        (select jsonb_agg(to_jsonb(h) order by key) from credit_holds h where h.user_id = u.id) as holds,
        (select jsonb_agg(to_jsonb(s)) from subscriptions s where s.user_id = u.id) as subscriptions
      from users u where id = $1`,
    [id],
  );
  return rows[0] as unknown;
};

describe('the audit', () => {
  test('looks at everybody, page by page, and finds nothing in sound books', async () => {
    const ids = [];
    for (let i = 0; i < 5; i += 1) ids.push((await someone()).id);
    const { rows } = await database.pool.query<{ id: string }>('select id from users order by id');
    const stops: (string | null)[] = [];
    let checked = 0;
    for (let cursor: string | undefined; ;) {
      const page = await auditBooks(ctx, { limit: 2, cursor });
      expect(page.differences).toEqual([]);
      checked += page.checked;
      stops.push(page.nextCursor);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(checked).toBe(rows.length);
    expect(stops).toEqual([rows[1]?.id, rows[3]?.id, null]);
  });

  const wrongs: [string, string[], string][] = [
    [
      'a lot',
      ['lots', 'movements'],
      "update credit_lots set remaining = remaining - 1 where user_id = $1 and kind = 'plan'",
    ],
    [
      'a lot that is gone',
      ['lots', 'movements'],
      "delete from credit_lots where user_id = $1 and kind = 'purchased'",
    ],
    [
      'a lot from nowhere',
      ['lots', 'movements'],
      "insert into credit_lots (user_id, key, kind, opened, granted, remaining) values ($1, 'gift', 'bonus', '0', 5, 5)",
    ],
    [
      'a lot that should have expired',
      ['lots'],
      "update credit_lots set is_expired = false where user_id = $1 and kind = 'bonus'",
    ],
    [
      'the balance',
      ['totals', 'entries'],
      'update users set credits_balance = credits_balance + 1, credits_bonus = credits_bonus + 1 where id = $1',
    ],
    ['what is held', ['totals'], 'update users set credits_held = 0 where id = $1'],
    ['a shortfall', ['totals'], 'update users set credits_shortfall = 7 where id = $1'],
    ['a hold', ['holds'], 'delete from credit_holds where user_id = $1'],
    ['what a hold took', ['holds'], "update credit_holds set takes = '[]' where user_id = $1"],
    [
      'an entitlement',
      ['subscriptions'],
      "update subscriptions set terms = jsonb_set(terms, '{credits}', 'null') where user_id = $1",
    ],
    [
      'a subscription',
      ['subscriptions'],
      "update subscriptions set status = 'past_due' where user_id = $1",
    ],
    [
      'a suspension',
      ['suspension'],
      "update users set suspended_at = now(), suspended_reason = 'r' where id = $1",
    ],
    [
      'a month to come',
      ['due'],
      "update users set next_due_at = now() + interval '1 day' where id = $1",
    ],
  ];
  test.each(wrongs)(
    'names %s that is not what the facts come to; a refold mends it',
    async (_, kinds, text) => {
      const { id } = await someone();
      const sound = await read(id);
      await bend(text, id);
      const bent = await read(id);
      expect(bent).not.toEqual(sound);
      expect(await kindsOf(id)).toEqual(kinds);
      expect(await read(id)).toEqual(bent);

      const preview = await refoldBooks(ctx, { user: id, dryRun: true });
      expect(preview).toMatchObject({ userId: id, posted: false, differs: kinds, entries: [] });
      expect(await read(id)).toEqual(bent);
      expect(await refoldBooks(ctx, { user: id, dryRun: false })).toEqual({
        ...preview,
        posted: true,
      });
      expect(await read(id)).toEqual(sound);
    },
  );

  test('names entries that do not add up, which no refold can mend', async () => {
    const { id } = await someone();
    const gift = `insert into credit_entries (user_id, at, kind, amount, plan, bonus, purchased, balance_after,
      idempotency_key, source_type, source_id, movements)
      select $1::uuid, now(), 'correction', $2::bigint, 0, $2::bigint, 0, $3, gen_random_uuid(), 'x', 'x', jsonb_build_object('gift', $2::bigint)`;
    const forget = () =>
      bend("delete from credit_entries where user_id = $1 and source_type = 'x'", id);
    await bend(gift, id, 5, 5205);
    expect(await kindsOf(id)).toEqual(['entries', 'movements']);
    expect(await refoldBooks(ctx, { user: id, dryRun: false })).toMatchObject({ posted: false });
    await forget();
    // A chain of balances with a gap, though its amounts add up.
    await bend(gift, id, 0, 9999);
    expect(await kindsOf(id)).toEqual(['entries']);
    await forget();
  });

  test('names a fact that was learned with other numbers', async () => {
    const { id } = await someone();
    const mark = (fact: string) =>
      bend(`update credit_facts set body = ${fact} where user_id = $1 and kind = $2`, id, 'pack');
    await mark('body || \'{"differs":true}\'');
    const { differences } = await auditBooks(ctx, { limit: 1000 });
    expect(differences).toMatchObject([{ userId: id, kinds: ['fact'] }]);
    expect(differences[0]?.details).toMatchObject([{ kind: 'fact', key: /^session:/ }]);
    await mark("body - 'differs'");
  });

  test('goes on where a user cannot be folded at all, and says so', async () => {
    const [{ id }, { id: other }] = [await someone(), await someone()];
    const body = (
      await database.pool.query<{ body: unknown }>(
        "select body from credit_facts where user_id = $1 and kind = 'plan'",
        [id],
      )
    ).rows[0]?.body;
    const store = (value: string) =>
      bend(
        "update credit_facts set body = $2::jsonb where user_id = $1 and kind = 'plan'",
        id,
        value,
      );
    await store('{"kind":"plan","key":"invoice:x","atUs":1}');
    await bend('update users set credits_shortfall = 7 where id = $1', other);
    const { differences } = await auditBooks(ctx, { limit: 1000 });
    expect(new Map(differences.map(({ userId, kinds }) => [userId, kinds]))).toEqual(
      new Map([
        [id, ['fold']],
        [other, ['totals']],
      ]),
    );
    await store(JSON.stringify(body));
    await refoldBooks(ctx, { user: other, dryRun: false });
  });

  test('says that books were folded by an older version, and what the present one changes', async () => {
    const { id } = await someone();
    const decide = (credits: number) =>
      bend(
        "update credit_facts set body = jsonb_set(body, '{credits}', $2) where user_id = $1 and kind = 'pack'",
        id,
        credits,
      );
    await decide(700);
    await bend('update users set fold_version = $2 where id = $1', id, foldVersion - 1);
    expect(await kindsOf(id)).toEqual(['lots', 'totals', 'older_fold']);
    const change = await refoldBooks(ctx, { user: id, dryRun: true });
    expect(change).toMatchObject({
      foldVersion: { stored: foldVersion - 1, present: foldVersion },
      balance: { before: 5200, after: 5400 },
      lots: [{ kind: 'purchased', before: 500, after: 700 }],
      entries: [{ kind: 'correction', amount: 200, lots: { plan: 0, bonus: 0, purchased: 200 } }],
      posted: false,
    });
    expect(await refoldBooks(ctx, { user: id, dryRun: false })).toEqual({
      ...change,
      posted: true,
    });
    expect(await kindsOf(id)).toEqual([]);
    const { items } = await listEntries(ctx, { userId: id, limit: 1 });
    expect(items).toMatchObject([{ kind: 'correction', amount: 200, balanceAfter: 5400 }]);

    // Once more: nothing is different, and nothing is written.
    const version = async () =>
      (await database.pool.query('select version, fold_version from users where id = $1', [id]))
        .rows;
    const settled = await version();
    expect(await refoldBooks(ctx, { user: id, dryRun: false })).toMatchObject({
      posted: false,
      differs: [],
      lots: [],
      entries: [],
    });
    expect(await version()).toEqual(settled);
  });

  test('does not take what is still to come for a difference', async () => {
    const { id, job } = await someone();
    await bend('update users set stale_since = now() where id = $1', id);
    const run = { p_user: id, p_job: job, p_run: 1 };
    await ctx.db.call('ledger_release', { ...run, p_credits: 100, p_rows: 200 });
    expect(await kindsOf(id)).toEqual([]);
    // But a lot that is wrong besides is one.
    const wrong = (by: number) =>
      bend(
        "update credit_lots set remaining = remaining + $2 where user_id = $1 and kind = 'purchased'",
        id,
        by,
      );
    await wrong(-1);
    expect(await kindsOf(id)).toContain('lots');
    await wrong(1);
    expect(await refoldBooks(ctx, { user: id, dryRun: false })).toMatchObject({
      posted: true,
      balance: { before: 5200, after: 5300 },
      entries: [{ kind: 'release', amount: 100 }],
    });
  });
});

describe('the daily walk', () => {
  test('logs whose books differ and how, nothing else, and goes on through the queue', async () => {
    const sent: unknown[] = [];
    const publishJSON = async (message: unknown) => {
      sent.push(message);
    };
    const walking = { ...ctx, qstash: { publishJSON } as unknown as typeof ctx.qstash };
    const { id } = await someone();
    await bend('update users set credits_shortfall = 7 where id = $1', id);
    await beginAudit(walking);
    expect(sent).toMatchObject([
      {
        url: 'http://127.0.0.1:8787/queue/audit',
        body: { cursor: null },
        flowControl: { key: 'audit' },
      },
    ]);
    ctx.lines.length = 0;
    expect(await auditStep(walking, { run: '2026-11-21', cursor: null })).toEqual({ done: true });
    expect(ctx.lines).toMatchObject([
      { event: 'audit_difference', userId: id, kind: 'totals' },
      { event: 'audit_step', run: '2026-11-21', differences: 1 },
    ]);
    expect(Object.keys(ctx.lines[0] ?? {})).toEqual(['event', 'userId', 'kind']);
    await refoldBooks(ctx, { user: id, dryRun: false });

    // More users than fit into one step: the next message names where to go on.
    await database.pool.query(
      'insert into users (id) select gen_random_uuid() from generate_series(1, 1000)',
    );
    sent.length = 0;
    expect(await auditStep(walking, { run: '2026-11-21', cursor: null })).toEqual({ done: false });
    const [next] = sent as { body: { run: string; cursor: string } }[];
    expect(next?.body).toMatchObject({ run: '2026-11-21', cursor: expect.any(String) as string });
    if (next) expect(await auditStep(walking, next.body)).toEqual({ done: true });
  });
});
