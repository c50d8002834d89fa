/** A simple string (`+OK`), as opposed to a value. */
export class Status {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An error reply; its message is Redis' own line, code first. Commands throw it. */
export class ReplyError extends Error {}

/**
 * What a command answers. Strings are byte strings: one character per byte (latin1), so that
 * lengths, order and binary values come out as in Redis; `toBytes` and `toText` stand at the edge.
 */
export type Reply = null | number | string | Status | ReplyError | Reply[];

/** A command with its arguments, as byte strings. */
export type Command = string[];

export const okStatus = new Status('OK');

export const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
