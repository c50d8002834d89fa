import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The path of a real `redis-server`, if there is one on PATH. */
export const redisServerPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'redis-server'))
  .find((path) => existsSync(path));

const utf8 = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');

/** One RESP2 reply as REST shows it, and where it ends; undefined while bytes are missing. */
function parse(bytes: string, at: number): { value: unknown; next: number } | undefined {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const [kind, rest, start] = [bytes[at], bytes.slice(at + 1, end), end + 2];
  if (kind === ':') return { value: Number(rest), next: start };
  if (kind === '+') return { value: rest, next: start };
  if (kind === '-') return { value: new Error(utf8(rest)), next: start };
  if (rest === '-1') return { value: null, next: start };
  if (kind === '$') {
    const next = start + Number(rest) + 2;
    return bytes.length < next ? undefined : { value: utf8(bytes.slice(start, next - 2)), next };
  }
  const items: unknown[] = [];
  let next = start;
  while (items.length < Number(rest)) {
    const item = parse(bytes, next);
    if (!item) return undefined;
    items.push(item.value instanceof Error ? item.value.message : item.value);
    next = item.next;
  }
  return { value: items, next };
}

/** Sends all commands and waits for as many replies; an error is a value here. */
function ask(path: string, commands: string[][]): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const replies: unknown[] = [];
    let [bytes, at] = ['', 0];
    socket.setEncoding('latin1').on('error', reject);
    socket.on('close', () => reject(new Error(`redis-server closed after ${replies.length}`)));
    socket.on('data', (more: string) => {
      bytes += more;
      for (let reply = parse(bytes, at); reply; reply = parse(bytes, at)) {
        replies.push(reply.value);
        at = reply.next;
      }
      if (replies.length < commands.length) return;
      socket.destroy();
      resolve(replies);
    });
    for (const command of commands) {
      const words = command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      socket.write(`*${command.length}\r\n${words.join('')}`);
    }
  });
}

/** What a fresh redis-server answers to commands, one after the other, and its version. */
export async function askRedisServer(
  server: string,
  commands: string[][],
): Promise<{ version: string; replies: unknown[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'rowloom-redis-'));
  const path = join(folder, 'redis.sock');
  const settings = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no'];
  const child = spawn(server, settings, { stdio: 'ignore', cwd: folder });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  try {
    let info: unknown[] | undefined;
    for (let tries = 0; !info && tries < 200; tries += 1) {
      await pause(25);
      info = await ask(path, [['INFO', 'server']]).catch(() => undefined);
    }
    const version = /redis_version:(\S+)/.exec(String(info))?.[1] ?? '';
    return { version, replies: await ask(path, commands) };
  } finally {
    process.off('exit', end);
    end();
    await rm(folder, { recursive: true, force: true });
  }
}
