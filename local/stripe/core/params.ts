import type { Raw } from './form.ts';
import { invalid, missingParameter, unknownParameter } from './problem.ts';

/** Turns one decoded parameter into its value, or throws Stripe's refusal naming it. */
export type Rule<T> = {
  read: (raw: Raw, name: string) => T;
  needed?: boolean;
  /** The parameters inside of it, by name; of a list those of its elements. */
  inner?: Rules;
};
type Needed<T> = Rule<T> & { needed: true };
type Rules = Record<string, Rule<unknown>>;
type Of<R> = R extends Rule<infer T> ? T : never;
/** What a set of rules yields: needed ones always, the others perhaps. */
export type Values<S extends Rules> = {
  [K in keyof S as S[K] extends Needed<unknown> ? K : never]: Of<S[K]>;
} & { [K in keyof S as S[K] extends Needed<unknown> ? never : K]?: Of<S[K]> };

const text = (raw: Raw, name: string): string => {
  if (typeof raw !== 'string')
    throw invalid(`Invalid string: ${JSON.stringify(raw)}`, { param: name });
  if (raw.length > 5000)
    throw invalid(`Invalid string: must be at most 5000 characters`, { param: name });
  return raw;
};

/** A non-empty string: Stripe refuses `''` where it does not mean "unset". */
export const str: Rule<string> = {
  read(raw, name) {
    if (text(raw, name) === '')
      throw invalid(
        `You passed an empty string for '${name}'. We assume empty values are an attempt to unset a parameter; however '${name}' cannot be unset. You should remove '${name}' from your request or supply a non-empty value.`,
        { code: 'parameter_invalid_empty', param: name },
      );
    return text(raw, name);
  },
};

/** The rule, with `''` to unset, which reads as null. */
export const orUnset = <T>(rule: Rule<T>): Rule<T | null> => ({
  ...rule,
  read: (raw, name) => (raw === '' ? null : rule.read(raw, name)),
});

export const strOrUnset = orUnset(str);

export const int: Rule<number> = {
  read(raw, name) {
    if (typeof raw !== 'string' || !/^-?\d{1,15}$/.test(raw))
      throw invalid(`Invalid integer: ${typeof raw === 'string' ? raw : JSON.stringify(raw)}`, {
        code: 'parameter_invalid_integer',
        param: name,
      });
    return Number(raw);
  },
};

/** An integer that is not negative (amounts, quantities, times). */
export const natural: Rule<number> = {
  read(raw, name) {
    const value = int.read(raw, name);
    if (value < 0)
      throw invalid('Invalid non-negative integer', {
        code: 'parameter_invalid_integer',
        param: name,
      });
    return value;
  },
};

/** An integer from `min` to `max`. */
export const within = (min: number, max = Infinity): Rule<number> => ({
  read(raw, name) {
    const value = int.read(raw, name);
    if (value >= min && value <= max) return value;
    const [word, limit] = value < min ? ['greater', min] : ['less', max];
    throw invalid(`This value must be ${word} than or equal to ${limit}.`, {
      code: 'parameter_invalid_integer',
      param: name,
    });
  },
});

/** The largest amount: eight digits. Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts */
export const maxAmount = 99_999_999;

export const intOrUnset = orUnset(int);

export const bool: Rule<boolean> = {
  read(raw, name) {
    if (raw !== 'true' && raw !== 'false')
      throw invalid(`Invalid boolean: ${typeof raw === 'string' ? raw : JSON.stringify(raw)}`, {
        param: name,
      });
    return raw === 'true';
  },
};

export const decimal: Rule<string> = {
  read(raw, name) {
    if (typeof raw !== 'string' || !/^\d+(\.\d{1,12})?$/.test(raw))
      throw invalid(`Invalid decimal: ${JSON.stringify(raw)}`, { param: name });
    return raw;
  },
};

const currencies = new Set(Intl.supportedValuesOf('currency'));
/** A currency's code in any case; reads in lower case. Stripe knows fewer than ISO does. */
export const currency: Rule<string> = {
  read(raw, name) {
    const value = str.read(raw, name);
    if (currencies.has(value.toUpperCase())) return value.toLowerCase();
    throw invalid(`Invalid currency: ${value.toLowerCase()}.`, { param: name });
  },
};

export const oneOf = <const T extends string>(...values: T[]): Rule<T> => ({
  read(raw, name) {
    const found = values.find((value) => value === raw);
    if (found !== undefined) return found;
    throw invalid(`Invalid ${name}: must be one of ${values.join(', ')}`, { param: name });
  },
});

/** Tries the first rule, then the second (`trial_end` is a time or `now`). */
export const either = <A, B>(a: Rule<A>, b: Rule<B>): Rule<A | B> => ({
  inner: { ...a.inner, ...b.inner },
  read(raw, name) {
    try {
      return a.read(raw, name);
    } catch {
      return b.read(raw, name);
    }
  },
});

export const list = <T>(rule: Rule<T>, max = 100): Rule<T[]> => ({
  inner: { 0: rule },
  read(raw, name) {
    if (raw === '') return [];
    if (typeof raw === 'string') throw invalid('Invalid array', { param: name });
    const keys = Object.keys(raw);
    if (keys.some((key) => !/^\d+$/.test(key))) throw invalid('Invalid array', { param: name });
    if (keys.length > max)
      throw invalid(`Array '${name}' has too many elements: at most ${max}.`, { param: name });
    return keys
      .sort((x, y) => Number(x) - Number(y))
      .map((key) => rule.read(raw[key] ?? '', `${name}[${key}]`));
  },
});

/** Metadata: strings by key; null unsets all, `''` unsets one. Source: https://docs.stripe.com/api/metadata */
export const metadata: Rule<Record<string, string> | null> = {
  read(raw, name) {
    if (raw === '') return null;
    if (typeof raw === 'string')
      throw invalid('Invalid hash', { code: 'parameter_invalid_hash', param: name });
    const entries = Object.entries(raw).map(([key, value]): [string, string] => {
      if (typeof value !== 'string')
        throw invalid('Invalid string: metadata values are strings', { param: `${name}[${key}]` });
      if (key.length > 40 || value.length > 500)
        throw invalid(
          'Metadata keys have at most 40 characters and values at most 500 characters.',
          { param: name },
        );
      return [key, value];
    });
    return Object.fromEntries(entries);
  },
};

/** The rule, required. */
export const need = <T>(rule: Rule<T>): Needed<T> => ({ ...rule, needed: true });

const nested = (outer: string, key: string): string => (outer === '' ? key : `${outer}[${key}]`);

/** A hash of known parameters; an unknown one is refused, a missing needed one too. */
export const hash = <S extends Rules>(rules: S): Rule<Values<S>> => ({
  inner: rules,
  read(raw, name) {
    if (typeof raw === 'string')
      throw invalid('Invalid hash', { code: 'parameter_invalid_hash', param: name });
    for (const key of Object.keys(raw))
      if (!Object.hasOwn(rules, key)) throw unknownParameter(nested(name, key));
    const values: Record<string, unknown> = {};
    for (const [key, rule] of Object.entries(rules)) {
      const given = raw[key];
      if (given === undefined) {
        if (rule.needed) throw missingParameter(nested(name, key));
      } else values[key] = rule.read(given, nested(name, key));
    }
    return values as Values<S>;
  },
});

/** A hash whose every parameter follows one rule. */
export const hashOf = <K extends string, T>(names: K[], rule: Rule<T>) =>
  hash(Object.fromEntries(names.map((name) => [name, rule])) as Record<K, Rule<T>>);

/** A moment, or a range of moments in unix seconds. */
export const moments = either(natural, hash({ gt: int, gte: int, lt: int, lte: int }));

/** The parameters of every list. Source: https://docs.stripe.com/api/pagination */
export const page = { limit: natural, starting_after: str, ending_before: str };
