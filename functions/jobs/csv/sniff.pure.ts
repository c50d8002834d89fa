/** How a file's text is cut into cells. PapaParse guesses both wrongly at times: we look ourselves. */
export type Dialect = { delimiter: ',' | ';' | '\t' | '|'; newline: '\n' | '\r\n' | '\r' };

const delimiters = [',', ';', '\t', '|'] as const;

/**
 * Reads delimiter and newline off the beginning of a file, outside quotes. The delimiter is the one
 * that stands most often in the first line; a file without any has one column. The newline is the
 * first one; a lone CR at the very end of `text` does not count, since its LF may still come.
 */
export function sniffDialect(text: string): Dialect {
  const counts = new Map<string, number>();
  let quoted = false;
  let newline: Dialect['newline'] | undefined;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (char === '\n') newline = '\n';
    else if (char === '\r' && i + 1 < text.length) newline = text[i + 1] === '\n' ? '\r\n' : '\r';
    else counts.set(char, (counts.get(char) ?? 0) + 1);
    if (newline !== undefined) {
      // Blank lines before the header say nothing about the delimiter.
      if (counts.size > 0) break;
    }
  }
  const delimiter = delimiters.reduce((best, candidate) =>
    (counts.get(candidate) ?? 0) > (counts.get(best) ?? 0) ? candidate : best,
  );
  return { delimiter, newline: newline ?? '\n' };
}

/**
 * The encoding that a file's first bytes declare, or the reason why it is no text. UTF-8 unless a byte
 * order mark says otherwise; a NUL byte without one means a binary file.
 */
export function sniffEncoding(
  bytes: Uint8Array,
): { encoding: 'utf-8' | 'utf-16le' | 'utf-16be' } | { refused: string } {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { encoding: 'utf-16le' };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { encoding: 'utf-16be' };
  if (bytes.includes(0)) return { refused: 'The file is binary, not text. Export it as CSV.' };
  return { encoding: 'utf-8' };
}
