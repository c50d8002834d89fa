import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import { createGzip } from 'node:zlib';
import { freePort } from '../../local/stack/ports.ts';

/** As `compression`, which Next uses: text is compressed unless its `Cache-Control` says `no-transform`. */
const isCompressed = (headers: IncomingHttpHeaders): boolean =>
  /^text\/|json/.test(headers['content-type'] ?? '') &&
  !/(?:^|,)\s*no-transform\s*(?:,|$)/.test(headers['cache-control'] ?? '');

/** A proxy that compresses what comes from `target`, so that a reader sees little before the end. */
export async function startCompressingProxy(target: string) {
  const server = createServer((asked, answer) => {
    const { headers, method } = asked;
    const onward = request(new URL(asked.url ?? '', target), { headers, method }, (came) => {
      const { statusCode = 502, headers: given } = came;
      if (!isCompressed(given)) {
        answer.writeHead(statusCode, given);
        came.pipe(answer);
        return;
      }
      const { 'content-length': _length, ...rest } = given;
      answer.writeHead(statusCode, { ...rest, 'content-encoding': 'gzip' });
      answer.flushHeaders();
      came.pipe(createGzip()).pipe(answer);
    });
    answer.on('close', () => onward.destroy());
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
}
