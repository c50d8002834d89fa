import { hash } from 'node:crypto';
import { type Command, type Reply, ReplyError } from '../reply.ts';

/** What a script passes to a function of Redis; undefined: neither text nor number. */
export type Argument = string | number | undefined;

export const sha1 = (bytes: string): string => hash('sha1', Buffer.from(bytes, 'latin1'), 'hex');

/** redis.sha1hex */
export function sha1hex(args: Argument[]): Reply {
  if (args.length !== 1) throw new ReplyError('ERR wrong number of arguments');
  return sha1(String(args[0] ?? ''));
}

/** What redis.call and redis.pcall send. */
export function commandOf(args: Argument[]): Command {
  if (args.length === 0)
    throw new ReplyError('ERR Please specify at least one argument for this redis lib call');
  return args.map((word) => {
    if (word === undefined)
      throw new ReplyError('ERR Lua redis lib command arguments must be strings or integers');
    return typeof word === 'number' ? formatNumber(word) : word;
  });
}

/** C's `%.17g`: how a number becomes a command's argument. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value).replace('Infinity', 'inf').toLowerCase();
  const isSmall = value !== 0 && Math.abs(value) < 1e-4;
  const text = isSmall ? value.toExponential(16) : value.toPrecision(17);
  const [digits = '', exponent] = text.split('e');
  const short = digits.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
  return exponent ? `${short}e${exponent.replace(/^(.)(\d)$/, '$10$2')}` : short;
}
