/** A simple string (`+OK`), as opposed to a value. */
export class Status {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An error reply; its message is Redis' own line, code first. The store throws it too. */
export class ReplyError extends Error {}

/**
 * What a command answers. Strings are byte strings: one character per byte (latin1), so that
 * lengths, order and binary values come out as in Redis; `toBytes` and `toText` stand at the edge.
 */
export type Reply = null | number | string | Status | ReplyError | Reply[];

/** A command with its arguments, as byte strings. */
export type Command = string[];

export const OK = new Status('OK');

export const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

/** Where commands run: a real redis-server, or the built-in store. */
export type Backend = {
  kind: 'redis-server' | 'built-in';
  /** Runs commands in order; another caller's may come in between. */
  run: (commands: Command[]) => Promise<Reply[]>;
  /** Runs all without anything in between; an error instead when the whole is discarded. */
  transaction: (commands: Command[]) => Promise<Reply[] | ReplyError>;
  close: () => Promise<void>;
};
