import { ReplyError } from '../reply.ts';

export type Token = {
  kind: 'name' | 'keyword' | 'number' | 'string' | 'symbol' | 'end';
  text: string;
  line: number;
};

/** A script that cannot be read: Redis' words for it, with the line. */
export class LuaSyntaxError extends ReplyError {
  constructor(line: number, problem: string) {
    super(`ERR Error compiling script (new function): user_script:${line}: ${problem}`);
  }
}

const keywords = new Set(
  (
    'and break do else elseif end false for function if in local nil not or repeat return then ' +
    'true until while'
  ).split(' '),
);
const symbols = /(?:\.\.\.|\.\.|==|~=|<=|>=|[+\-*/%^#<>=(){}[\];:,.])/y;
const name = /[A-Za-z_]\w*/y;
const number = /0[xX][\da-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const blank = /[ \t\r\n\f\v]+|--\[(=*)\[[^]*?\]\1\]|--[^\n]*/y;
const longString = /\[(=*)\[\r?\n?([^]*?)\]\1\]/y;
const quoted = /"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/y;

const escapes: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

const unescape = (inner: string) =>
  inner.replaceAll(/\\(\d{1,3}|[^])/g, (_, code: string) =>
    /^\d/.test(code) ? String.fromCharCode(Number(code)) : (escapes[code] ?? code),
  );

/** Cuts a script into tokens; throws `LuaSyntaxError`. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let [at, line] = [0, 1];
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (!match) return null;
    at = pattern.lastIndex;
    return match;
  };
  const add = (kind: Token['kind'], text: string, raw = text) => {
    tokens.push({ kind, text, line });
    line += raw.split('\n').length - 1;
  };
  while (at < source.length) {
    const gap = take(blank);
    if (gap) {
      line += gap[0].split('\n').length - 1;
      continue;
    }
    const long = take(longString);
    if (long) {
      add('string', long[2] ?? '', long[0]);
      continue;
    }
    const string = take(quoted);
    if (string) {
      add('string', unescape(string[0].slice(1, -1)), string[0]);
      continue;
    }
    const word = take(name)?.[0];
    if (word !== undefined) {
      add(keywords.has(word) ? 'keyword' : 'name', word);
      continue;
    }
    const digits = take(number)?.[0];
    if (digits !== undefined) {
      add('number', digits);
      continue;
    }
    const symbol = take(symbols)?.[0];
    if (symbol === undefined && /["']/.test(source.charAt(at)))
      throw new LuaSyntaxError(line, "unfinished string near '<eof>'");
    if (symbol === undefined)
      throw new LuaSyntaxError(line, `unexpected symbol near '${source.charAt(at)}'`);
    add('symbol', symbol);
  }
  tokens.push({ kind: 'end', text: '<eof>', line });
  return tokens;
}
