import { type Reply, ReplyError } from '../reply.ts';
import { arg, slice, syntaxError } from './command.ts';
import type { Keyspace } from './keyspace.ts';
import { formatScore, parseInteger, parseScore } from './numbers.ts';

export type Scored = [member: string, score: number];

const byScore = ([aMember, a]: Scored, [bMember, b]: Scored) =>
  a === b ? Number(aMember > bMember) - Number(aMember < bMember) : a - b;

/** Members by score, then by bytes. Sorted on reading: stand-in sets are small. */
export const sorted = (scores: Map<string, number> | undefined): Scored[] =>
  [...(scores ?? [])].sort(byScore);

function boundOf(text: string): { at: number; open: boolean } {
  const open = text.startsWith('(');
  return { at: parseScore(open ? text.slice(1) : text, 'ERR min or max is not a float'), open };
}

/** Whether a score lies between two bounds such as `1`, `(2`, `-inf`. */
export function between(min: string, max: string): (score: number) => boolean {
  const [low, high] = [boundOf(min), boundOf(max)];
  return (score) =>
    (low.open ? score > low.at : score >= low.at) &&
    (high.open ? score < high.at : score <= high.at);
}

type RangeOptions = {
  byScore: boolean;
  rev: boolean;
  withScores: boolean;
  limit?: [offset: number, count: number];
};

function optionsOf(words: string[], start: RangeOptions, allowed: string[]): RangeOptions {
  const options = { ...start };
  for (let at = 0; at < words.length; at += 1) {
    const word = arg(words, at).toUpperCase();
    if (!allowed.includes(word)) throw syntaxError();
    if (word === 'BYSCORE') options.byScore = true;
    else if (word === 'REV') options.rev = true;
    else if (word === 'WITHSCORES') options.withScores = true;
    else {
      if (at + 2 >= words.length) throw syntaxError();
      options.limit = [parseInteger(arg(words, at + 1)), parseInteger(arg(words, at + 2))];
      at += 2;
    }
  }
  return options;
}

/** ZRANGE and the older commands that are special cases of it. */
export function range(start: Partial<RangeOptions>, allowed: string[]) {
  return (keys: Keyspace, [key = '', first = '', last = '', ...words]: string[]): Reply => {
    const initial = { byScore: false, rev: false, withScores: false, ...start };
    const options = optionsOf(words, initial, allowed);
    const { rev, limit } = options;
    if (limit && !options.byScore)
      throw new ReplyError(
        'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
      );
    let chosen = options.byScore
      ? chooseByScore(keys, key, rev ? [last, first] : [first, last])
      : undefined;
    if (rev) chosen?.reverse();
    if (!chosen) {
      const [from, to] = [parseInteger(first), parseInteger(last)];
      const all = sorted(keys.read(key, 'zset')?.scores);
      chosen = slice(rev ? all.toReversed() : all, from, to);
    }
    if (limit) chosen = limited(chosen, limit);
    if (!options.withScores) return chosen.map(([member]) => member);
    return chosen.flatMap(([member, score]) => [member, formatScore(score)]);
  };
}

function chooseByScore(keys: Keyspace, key: string, [min, max]: [string, string]): Scored[] {
  const inside = between(min, max);
  return sorted(keys.read(key, 'zset')?.scores).filter(([, score]) => inside(score));
}

function limited(items: Scored[], [offset, count]: [number, number]): Scored[] {
  if (offset < 0) return [];
  return count < 0 ? items.slice(offset) : items.slice(offset, offset + count);
}
