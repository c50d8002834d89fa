import { countOf } from './limits.pure.ts';

const isCellEnd = (line: string, at: number, delimiter: string): boolean =>
  at >= line.length || line.startsWith(delimiter, at);

/** Where the cell that opens a quote at `start` closes it: before a delimiter or the line's end; -1 if never. */
function closingQuote(line: string, start: number, delimiter: string): { at: number; end: number } {
  for (let at = line.indexOf('"', start + 1); at >= 0; at = line.indexOf('"', at + 1)) {
    let end = at + 1;
    while (line[end] === ' ') end += 1;
    if (isCellEnd(line, end, delimiter)) return { at, end };
    if (line[at + 1] === '"') at += 1;
  }
  return { at: -1, end: -1 };
}

/**
 * Cuts one line, without its end, into cells as RFC 4180 does, but for quotes that do not enclose a whole
 * cell: they are text. With `isLiteral` all are. `isOpen`: a cell begins with a quote and none closes it.
 */
export function cellsOfLine(
  line: string,
  delimiter: string,
  isLiteral = false,
): { cells: string[]; isOpen: boolean } {
  const cells: string[] = [];
  let isOpen = false;
  // Behind a quote that nothing closes the others are text too: to look again would take squared time.
  let areText = isLiteral;
  for (let start = 0; start <= line.length;) {
    const isQuoted = line[start] === '"' && !areText;
    const closing = isQuoted ? closingQuote(line, start, delimiter) : { at: -1, end: -1 };
    const isClosed = closing.at >= 0;
    if (isQuoted && !isClosed) {
      areText = true;
      isOpen = countOf(line.slice(start), '"') % 2 === 1;
    }
    const next = isClosed ? closing.end : line.indexOf(delimiter, start);
    const end = next < 0 ? line.length : next;
    cells.push(
      isClosed ? line.slice(start + 1, closing.at).replaceAll('""', '"') : line.slice(start, end),
    );
    start = end + delimiter.length;
  }
  return { cells, isOpen };
}
