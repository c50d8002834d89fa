import { appendFileSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const levels = ['debug', 'log', 'info', 'warn', 'error'];

/** Where the Worker's console lines go, and from which level on. */
export type LogOptions = {
  /** A file to append to, or a function; absent: stderr. */
  log?: string | ((line: string) => void) | undefined;
  logLevel?: 'debug' | 'info' | 'warn' | 'error' | undefined;
};

/** Positions in the minified bundle become positions in the source. */
function unminify(mapFile: string): (text: string) => string {
  const load = () => {
    const payload = JSON.parse(readFileSync(mapFile, 'utf8')) as SourceMapPayload;
    const map = new SourceMap(payload);
    return (line: string, column: string) => map.findEntry(Number(line) - 1, Number(column) - 1);
  };
  let find: ReturnType<typeof load> | undefined;
  return (text) => {
    if (!text.includes('/bundle/worker.js:')) return text;
    const entryAt = (find ??= load());
    const position = /file:\/\/\/bundle\/worker\.js:(\d+):(\d+)/g;
    return text.replaceAll(position, (raw: string, line: string, column: string) => {
      const entry = entryAt(line, column);
      if (!('originalSource' in entry)) return raw;
      const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
      return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    });
  };
}

/** Reads workerd's structured lines and passes on their messages; what it cannot read it passes raw. */
export function logReader(options: LogOptions, mapFile: string): (stream: Readable) => void {
  const { log } = options;
  const write =
    typeof log === 'function'
      ? log
      : typeof log === 'string'
        ? (line: string) => appendFileSync(log, `${line}\n`)
        : (line: string) => void process.stderr.write(`${line}\n`);
  const least = levels.indexOf(options.logLevel ?? 'debug');
  const readable = unminify(mapFile);
  const take = (line: string): void => {
    let entry: { level?: string; message?: string };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      return write(line);
    }
    const message = entry.message ?? line;
    // wrangler.toml names nodejs_compat for older runtimes too; the reminder is no news.
    if (/compatibility flag \w+ became the default/.test(message)) return undefined;
    if (levels.indexOf(entry.level ?? 'error') >= least) write(readable(message));
    return undefined;
  };
  return (stream) => void createInterface({ input: stream }).on('line', take);
}
