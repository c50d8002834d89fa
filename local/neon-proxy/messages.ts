import type { Step } from './prepared.ts';
import type { Text } from './values.ts';

const sync = Buffer.from([0x53, 0, 0, 0, 4]);
/** Close, Parse, Bind, Describe and Execute without names, texts and parameters; a little generous. */
const fixedBytes = 64;

const sizeOf = (text: Text): number => (text === null ? 4 : 4 + Buffer.byteLength(text));

/** Writes frontend messages one behind the other into a buffer that is large enough. */
class Writer {
  readonly buffer: Buffer;
  at = 0;
  #lengthAt = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  open(type: number): void {
    this.#lengthAt = this.buffer.writeUInt8(type, this.at);
    this.at = this.#lengthAt + 4;
  }

  close(): void {
    this.buffer.writeInt32BE(this.at - this.#lengthAt, this.#lengthAt);
  }

  byte(value: number): void {
    this.at = this.buffer.writeUInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.buffer.writeUInt16BE(value, this.at);
  }

  string(text: string): void {
    this.at += this.buffer.write(text, this.at);
    this.byte(0);
  }

  parameter(text: Text): void {
    const start = this.at + 4;
    if (text !== null) this.at = start + this.buffer.write(text, start);
    else this.at = start;
    this.buffer.writeInt32BE(text === null ? -1 : this.at - start, start - 4);
  }
}

/** A prepared statement's old bearer of the name goes first; closing none is no error. */
function parse(writer: Writer, { prepared, query }: Step): void {
  writer.open(0x43);
  writer.byte(0x53);
  writer.string(prepared.name);
  writer.close();
  writer.open(0x50);
  writer.string(prepared.name);
  writer.string(query);
  writer.int16(0);
  writer.close();
}

/** Parameters and results are text; the portal is the unnamed one. */
function bind(writer: Writer, { prepared, params }: Step): void {
  writer.open(0x42);
  writer.byte(0);
  writer.string(prepared.name);
  writer.int16(0);
  writer.int16(params.length);
  for (const text of params) writer.parameter(text);
  writer.int16(0);
  writer.close();
}

function describe(writer: Writer): void {
  writer.open(0x44);
  writer.byte(0x50);
  writer.byte(0);
  writer.close();
}

function execute(writer: Writer): void {
  writer.open(0x45);
  writer.byte(0);
  writer.int16(0);
  writer.int16(0);
  writer.close();
}

/**
 * The extended query protocol's messages for some statements and a Sync, in one buffer for one system
 * call.
 * Source: postgresql.org/docs/current/protocol-message-formats.html
 */
export function encode(steps: Step[]): Buffer {
  let size = sync.length;
  for (const { query, params, mustParse } of steps) {
    size += fixedBytes + (mustParse ? Buffer.byteLength(query) : 0);
    for (const text of params) size += sizeOf(text);
  }
  const writer = new Writer(size);
  for (const step of steps) {
    if (step.mustParse) parse(writer, step);
    bind(writer, step);
    if (step.prepared.fields === undefined) describe(writer);
    execute(writer);
  }
  sync.copy(writer.buffer, writer.at);
  return writer.buffer.subarray(0, writer.at + sync.length);
}
