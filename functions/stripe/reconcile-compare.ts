import type { Ctx } from '../context.ts';
import { applyReading, noChange, type Change } from './apply-reading.ts';
import { catalogueAnswer, knowledgeOf, readCatalogue, rememberCatalogue } from './catalogue.ts';
import {
  isBack,
  missingLinks,
  newsOfPage,
  wakesOf,
  type Known,
  type News,
} from './reconcile-known.ts';
import { idOf } from './normalise/json.pure.ts';
import type { Found, StripeObject } from './reconcile-lists.ts';
import { sayDifference } from './reconcile-says.pure.ts';
import type { Notice } from '../notices/notice.pure.ts';
import type { Reading } from './reading.pure.ts';
import { refusalOf } from './refusal.pure.ts';

export type Difference = Pick<Change, 'userId' | 'code' | 'entries' | 'facts'> & {
  /** Of Stripe: an id, and what it is the id of (`invoice`, `checkout_session`, …). */
  object: string;
  type: string;
  status: 'completed' | 'failed';
  /** One sentence for an operator. */
  says: string;
};

export const typeOf = ({ object }: StripeObject): string => object.replace('.', '_');

/** What Stripe's catalogue says is nobody's fact: it is taken over as it stands. */
async function takeOver(ctx: Ctx, reading: Reading, wakes: string[], notice: Notice) {
  if (!('facts' in reading)) return;
  const { identity, links, changes } = reading;
  const p = { identity, links, changes, notices: [...reading.notices, notice], wakes };
  rememberCatalogue(ctx, await ctx.db.call('catalogue_take_over', { p }, catalogueAnswer));
}

type Comparison = {
  dryRun: boolean;
  isOver: () => boolean;
  /** In a dry run: ids of payments that would be known by now. */
  wouldKnow: Set<string>;
};

/** Applies one piece of news, or says what it would do; undefined: it is no difference after all. */
async function apply(
  ctx: Ctx,
  news: News,
  { known, dryRun, wouldKnow }: Pick<Comparison, 'dryRun' | 'wouldKnow'> & { known: Known },
): Promise<Difference | undefined> {
  const { object, reading, before } = news;
  const facts = 'facts' in reading ? reading.facts : [];
  const told = facts[0];
  const say = (change: Change): string => sayDifference({ object, change, told, before, dryRun });
  const noticeOf = (change: Change): Notice => ({
    kind: 'reconcile_difference',
    subject: { type: typeOf(object), id: object.id },
    detail: say(change),
  });
  const isCatalogue = 'facts' in reading && reading.changes.length > 0;
  let change: Change;
  if (isCatalogue) {
    change = noChange;
    if (!dryRun) await takeOver(ctx, reading, wakesOf(news), noticeOf(change));
  } else change = await applyBooks(ctx, news, { dryRun, noticeOf });
  // Its payment is only missing because nothing is written.
  if (dryRun && change.code === 'unknown_payment')
    change = { ...noChange, facts: facts.map(({ key }) => key) };
  if ('facts' in reading) for (const { ref } of reading.links) if (dryRun) wouldKnow.add(ref);
  const isLinked = 'facts' in reading && missingLinks(reading, known).length > 0;
  const isDifferent = change.facts.length > 0 || isLinked || isCatalogue;
  const { status, userId, code, entries } = change;
  if (status === 'skipped' || (status === 'completed' && !isDifferent)) return undefined;
  if (status === 'failed' && !dryRun)
    await ctx.db.rows('select rowloom.notices_raise($1, $2)', [
      userId,
      JSON.stringify([noticeOf(change)]),
    ]);
  const says = say(change);
  const type = typeOf(object);
  return { object: object.id, type, userId, status, code, says, facts: change.facts, entries };
}

async function applyBooks(
  ctx: Ctx,
  news: News,
  { dryRun, noticeOf }: { dryRun: boolean; noticeOf: (change: Change) => Notice },
): Promise<Change> {
  try {
    return await applyReading(ctx, news.reading, {
      dryRun,
      wakes: wakesOf(news),
      noticesOf: (change) => [noticeOf(change)],
    });
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) throw error;
    return { ...noChange, status: 'failed', ...refusal };
  }
}

/** So many payers at once: a Worker may have six connections open. */
const mostLanes = 6;

/** What is told in order: all of one payer, of a charge, or of the catalogue. */
function laneOf({ object }: News): string {
  if (object.object === 'price' || object.object === 'product') return 'catalogue';
  const { customer, charge } = object as { customer?: unknown; charge?: unknown };
  return idOf(customer) ?? idOf(charge) ?? object.id;
}

/** Works lanes of news side by side, each in its order; an error stops what has not begun, and is thrown last. */
async function inLanes(news: readonly News[], work: (one: News) => Promise<void>): Promise<void> {
  const waiting = [...Map.groupBy(news, laneOf).values()];
  let isStopped = false;
  const takeTurns = async (): Promise<void> => {
    for (let lane = waiting.shift(); lane; lane = waiting.shift())
      for (const one of lane) {
        if (isStopped) return;
        await work(one);
      }
  };
  const turns = Array.from({ length: mostLanes }, () =>
    takeTurns().catch((error: unknown) => {
      isStopped = true;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(turns)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/**
 * Compares a page with the books and posts what they lack, or only says so. `isOver`: no time is left, the
 * page is to be compared again, which finds what was posted in the books.
 */
export async function comparePage(
  ctx: Ctx,
  page: readonly Found[],
  { dryRun, isOver, wouldKnow }: Comparison,
): Promise<{ differences: Difference[]; isDone: boolean }> {
  const knowledge = knowledgeOf(ctx, await readCatalogue(ctx));
  const { news, known } = await newsOfPage(ctx, page, { knowledge, wouldKnow });
  const differences = new Map<News, Difference>();
  let isDone = true;
  const compare = async (one: News): Promise<void> => {
    // A dry run leaves nothing behind that would make the page shorter.
    if (!dryRun && isOver()) isDone = false;
    if (!isDone) return;
    const difference = await apply(ctx, one, { known, dryRun, wouldKnow });
    if (difference) differences.set(one, difference);
  };
  // What went back belongs to what was paid, whoever paid it.
  await inLanes(
    news.filter((one) => !isBack(one)),
    compare,
  );
  await inLanes(news.filter(isBack), compare);
  return { differences: news.flatMap((one) => differences.get(one) ?? []), isDone };
}
