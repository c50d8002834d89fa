import { countOf } from './limits.pure.ts';

/**
 * Which quotes enclose a cell: those up to the first quote before a delimiter, whatever stands between; or
 * those with nothing but doubled ones between; or none.
 */
export const quotings = ['wide', 'narrow', 'none'] as const;
export type Quoting = (typeof quotings)[number];

const isCellEnd = (line: string, at: number, delimiter: string): boolean =>
  at >= line.length || line.startsWith(delimiter, at);

/** Where the quote that opens a cell at `start` is closed, and where that cell ends. */
function closingQuote(
  line: string,
  start: number,
  delimiter: string,
  quoting: Quoting,
): { at: number; end: number } | undefined {
  for (let at = line.indexOf('"', start + 1); at >= 0; at = line.indexOf('"', at + 1)) {
    let end = at + 1;
    while (line[end] === ' ') end += 1;
    if (isCellEnd(line, end, delimiter)) return { at, end };
    if (line[at + 1] === '"') at += 1;
    else if (quoting === 'narrow') return undefined;
  }
  return undefined;
}

/**
 * Cuts one line, without its end, into cells as RFC 4180 does, but for quotes that enclose no cell: they
 * are text. `isOpen`: a cell begins with a quote and none closes it.
 */
export function cellsOfLine(
  line: string,
  delimiter: string,
  quoting: Quoting,
): { cells: string[]; isOpen: boolean } {
  const cells: string[] = [];
  let isOpen = false;
  // Behind a quote that nothing closes the others are text too: to look again would take squared time.
  let areText = quoting === 'none';
  for (let start = 0; start <= line.length;) {
    const isQuoted = line[start] === '"' && !areText;
    const closing = isQuoted ? closingQuote(line, start, delimiter, quoting) : undefined;
    if (isQuoted && !closing && quoting === 'wide') {
      areText = true;
      isOpen = countOf(line.slice(start), '"') % 2 === 1;
    }
    const next = closing ? closing.end : line.indexOf(delimiter, start);
    const end = next < 0 ? line.length : next;
    cells.push(
      closing ? line.slice(start + 1, closing.at).replaceAll('""', '"') : line.slice(start, end),
    );
    start = end + delimiter.length;
  }
  return { cells, isOpen };
}
