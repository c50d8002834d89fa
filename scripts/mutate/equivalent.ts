import type { Mutant } from './mutants.ts';

type Equivalent = { file: string; line: string; changes: string[]; why: string };

/** Changes that change nothing: on a line of a file, and why nobody could notice. */
const equivalents: Equivalent[] = [
  {
    file: '',
    line: '? -1 : 1',
    changes: ['1 → 2', '< → <='],
    why: 'a comparator of things that differ is asked for a sign',
  },
  {
    file: 'facts',
    line: 'Object.entries(part).toSorted',
    changes: ['< → >='],
    why: 'any one order of the names will do',
  },
  {
    file: 'facts',
    line: 'a.decidedAtMs < b.decidedAtMs',
    changes: ['< → <='],
    why: 'they are known to differ',
  },
  {
    file: 'facts',
    line: 'numbersOf(a) <= numbersOf(b)',
    changes: ['<= → <', '<= → >'],
    why: 'any one order of two tellings will do, and equal ones are one',
  },
  {
    file: 'facts',
    line: "a.kind === 'reversal' && b.kind === 'reversal'",
    changes: ['&& → ||'],
    why: 'two tellings of one key are of one kind',
  },
  {
    file: 'facts',
    line: "a.kind === 'state' && b.kind === 'state'",
    changes: ['&& → ||', "a.kind === 'state' && b.kind === 'state' → true"],
    why: 'two tellings of one key are of one kind, and only states say what was before them',
  },
  {
    file: 'facts',
    line: 'more > 0',
    changes: ['> → >='],
    why: 'equally final and great, they say the same',
  },
  {
    file: 'facts',
    line: 'return {};',
    changes: ['return {}; → ;'],
    why: 'spreading undefined adds nothing either',
  },
  {
    file: 'facts',
    line: 'from < sorted.length',
    changes: ['< → <='],
    why: 'past the end there is an empty group',
  },
  {
    file: 'facts',
    line: 'to - from > 1',
    changes: ['- → +', '> → >=', 'to - from > 1 → true'],
    why: 'one alone is in order',
  },
  {
    file: 'facts',
    line: 'while (isSameSecond(sorted[to], fact))',
    changes: ['isUpdate(fact) → true'],
    why: 'a created state stands before the updates of its second in either way',
  },
  {
    file: 'entitlement',
    line: 'monthly(a) > monthly(b)',
    changes: ['> → >='],
    why: 'they are known to differ',
  },
  {
    file: 'fold',
    line: 'monthPosition(atUs) >= position',
    changes: ['>= → >'],
    why: "a fact's place is never that of a month",
  },
  {
    file: 'fold',
    line: 'monthPosition(nowUs + 1)',
    changes: ['1 → 2'],
    why: 'months begin on whole seconds',
  },
  {
    file: 'fold',
    line: 'foldVersion = 1',
    changes: ['1 → 2'],
    why: 'it names the meaning, and has none',
  },
  {
    file: 'facts',
    line: 'fact.finality * 2',
    changes: ['2 → 3'],
    why: 'the weights keep their order',
  },
  {
    file: 'books',
    line: 'lowest.credits >= credits',
    changes: ['>= → >'],
    why: 'raised to where it stands, nothing is missing',
  },
  {
    file: 'books',
    line: 'lot.payment === null ? undefined',
    changes: ['lot.payment === null → false'],
    why: 'nobody pays under the key null',
  },
  {
    file: 'books',
    line: 'lot.subscription === null ? []',
    changes: ['lot.subscription === null → false'],
    why: 'no subscription has the key null, and so no cap',
  },
];

/** `was → becomes`, as the report tells it. */
export const changeOf = ({ start, end, text }: Mutant, source: string): string =>
  `${source.slice(start, end).replaceAll(/\s+/g, ' ')} → ${text}`;

export const isEquivalent = (mutant: Mutant, source: string): boolean =>
  equivalents.some(
    ({ file, line, changes }) =>
      (file === '' || mutant.file.endsWith(`/${file}.pure.ts`)) &&
      changes.includes(changeOf(mutant, source)) &&
      (source.split('\n')[mutant.line - 1] ?? '').includes(line),
  );
