import { type Command, type Reply, ReplyError, Status } from '../reply.ts';

/** RESP2: commands out. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
export const encode = (command: Command): string =>
  `*${command.length}\r\n${command.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

/** Not enough bytes yet; tells it apart from every reply. */
const PARTIAL = Symbol('partial');

/** RESP2: replies in, from bytes that come in any pieces. */
export class ReplyReader {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Takes bytes in and hands out every reply that is complete. Throws on foreign bytes. */
  push(bytes: Buffer): Reply[] {
    const rest = this.#buffer.subarray(this.#at);
    this.#buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    this.#at = 0;
    const replies: Reply[] = [];
    for (;;) {
      const before = this.#at;
      const reply = this.#read();
      if (reply === PARTIAL) {
        this.#at = before;
        return replies;
      }
      replies.push(reply);
    }
  }

  #line(): string | typeof PARTIAL {
    const end = this.#buffer.indexOf('\r\n', this.#at);
    if (end < 0) return PARTIAL;
    const line = this.#buffer.toString('latin1', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #read(): Reply | typeof PARTIAL {
    const line = this.#line();
    if (line === PARTIAL) return PARTIAL;
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return new Status(rest);
      case '-':
        return new ReplyError(rest);
      case ':':
        return Number(rest);
      case '$':
        return this.#bulk(Number(rest));
      case '*':
        return this.#array(Number(rest));
      default:
        throw new Error(`redis-server sent "${line.slice(0, 40)}", which is not RESP2`);
    }
  }

  #bulk(length: number): Reply | typeof PARTIAL {
    if (length < 0) return null;
    if (this.#buffer.length < this.#at + length + 2) return PARTIAL;
    const value = this.#buffer.toString('latin1', this.#at, this.#at + length);
    this.#at += length + 2;
    return value;
  }

  #array(length: number): Reply | typeof PARTIAL {
    if (length < 0) return null;
    const items: Reply[] = [];
    while (items.length < length) {
      const item = this.#read();
      if (item === PARTIAL) return PARTIAL;
      items.push(item);
    }
    return items;
  }
}
