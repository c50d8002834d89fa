/** LF stands for CRLF too, and for both in one file. */
export type Newline = '\n' | '\r';

/** How a file's text is cut into cells. PapaParse guesses both wrongly at times: we look ourselves. */
export type Dialect = {
  delimiter: Delimiter | typeof noDelimiter;
  newline: Newline;
  /** Characters at the file's start that are no data: Excel's `sep=;` with its line end. */
  skip: number;
  /** Cells that most of the first lines have. */
  width: number;
};

/** In a file of one column: decoded text never holds it. */
export const noDelimiter = '\0\0';

/** Of several that fit alike the first: the last ones stand in plain text more often. */
const delimiters = ['\t', '|', ';', ','] as const;
type Delimiter = (typeof delimiters)[number];

const isDelimiter = (char: string): char is Delimiter =>
  (delimiters as readonly string[]).includes(char);

/** Excel's own first line, which names the delimiter; a quote before it is closed behind it. */
const excelSep = /^(?:sep=([,;\t|])|"sep=([,;\t|])")(\r\n|\r(?!$)|\n|\r?$)/i;

/** Lines that vote on the delimiter. */
const sampleLines = 50;

/** Quotes without an end that are read as text; each costs another look at what follows it. */
const maxOpenQuotes = 5;

/** Delimiters of one record outside quotes. */
type Line = {
  counts: Record<Delimiter, number>;
  /** Commas with a blank behind them, as in prose, or before three digits of a number. */
  textCommas: number;
  /** A blank line, or one of delimiters alone, stands before it. */
  isAfterGap: boolean;
};

const emptyLine = (isAfterGap: boolean): Line => ({
  counts: { ',': 0, ';': 0, '\t': 0, '|': 0 },
  textCommas: 0,
  isAfterGap,
});

const thousands = /^\d,\d{3}(?!\d)/;

const isTextComma = (text: string, at: number): boolean =>
  text[at + 1] === ' ' || thousands.test(text.slice(Math.max(0, at - 1), at + 5));

/** The lines of a text that are not blank, and its first line end. A line that is cut off does not count. */
function survey(
  text: string,
  maxLines: number,
  isWhole: boolean,
): { lines: Line[]; newline: Newline | undefined } {
  const lines: Line[] = [];
  let newline: Newline | undefined;
  let line = emptyLine(false);
  let [isQuoted, isCellStart, isBlank, isEmptied] = [false, true, true, true];
  let [quoteAt, openQuotes] = [0, 0];
  for (let i = 0; lines.length < maxLines; i += 1) {
    if (i >= text.length) {
      if (!isQuoted || !isWhole || openQuotes === maxOpenQuotes) break;
      // The quote has no end: it is read as text.
      openQuotes += 1;
      [isQuoted, i] = [false, quoteAt + 1];
    }
    const char = text.charAt(i);
    if (isQuoted) {
      if (char !== '"') continue;
      if (text[i + 1] === '"') i += 1;
      else isQuoted = false;
    } else if (char === '\n' || (char === '\r' && newline !== '\n')) {
      // A CR at the very end may be half of a CRLF.
      if (char === '\r' && i + 1 < text.length) newline ??= text[i + 1] === '\n' ? '\n' : '\r';
      else if (char === '\n') newline ??= '\n';
      if (!isBlank) lines.push(line);
      line = emptyLine(isEmptied && (isBlank ? line.isAfterGap || lines.length > 0 : true));
      [isCellStart, isBlank, isEmptied] = [true, true, true];
    } else {
      isBlank &&= char === ' ' || char === '\r';
      isQuoted = char === '"' && isCellStart;
      if (isQuoted) quoteAt = i;
      isCellStart = isDelimiter(char);
      isEmptied &&= isCellStart || char === ' ' || char === '\r';
      if (isDelimiter(char)) line.counts[char] += 1;
      if (char === ',' && isTextComma(text, i)) line.textCommas += 1;
    }
  }
  if (!isBlank && lines.length < maxLines && (isWhole || lines.length === 0)) lines.push(line);
  return { lines, newline };
}

/** The line end of a file by its first line; undefined while the text has none outside quotes. */
export const sniffNewline = (text: string): Newline | undefined => survey(text, 1, false).newline;

/**
 * Reads delimiter and newline off the beginning of a file, outside quotes. The delimiter wins by which
 * most of the first lines have the same number of cells; a file has one column if there is none. CR is the
 * newline if the first line ends with one alone. Undefined while the text has no line end but is not whole.
 */
export function sniffDialect(text: string, isWhole: boolean): Dialect | undefined {
  const named = excelSep.exec(text);
  const skip = named?.[0].length ?? 0;
  const { newline } = survey(text, 1, isWhole);
  if (newline === undefined && !isWhole) return undefined;
  const { lines } = survey(text.slice(skip), sampleLines, isWhole);
  const votes = delimiters.flatMap((delimiter) => voteOf(delimiter, lines) ?? []);
  const byName = named?.[1] ?? named?.[2];
  const best = votes.reduce<Vote | undefined>(
    (best, vote) => (best === undefined || isBetter(vote, best) ? vote : best),
    undefined,
  );
  const vote = byName === undefined ? best : votes.find(({ delimiter }) => delimiter === byName);
  return {
    delimiter:
      byName !== undefined && isDelimiter(byName) ? byName : (vote?.delimiter ?? noDelimiter),
    newline: newline ?? '\n',
    skip,
    width: (vote?.count ?? 0) + 1,
  };
}

/** `agreeing` lines have `count` delimiters. */
type Vote = { delimiter: Delimiter; count: number; agreeing: number; isInFirstLine: boolean };

function isBetter(vote: Vote, than: Vote): boolean {
  if (vote.agreeing !== than.agreeing) return vote.agreeing > than.agreeing;
  if (vote.isInFirstLine !== than.isInFirstLine) return vote.isInFirstLine;
  return vote.count > than.count;
}

/** Undefined if the lines do not show that this is a delimiter. */
function voteOf(delimiter: Delimiter, lines: Line[]): Vote | undefined {
  const counts = lines.map((line) => line.counts[delimiter]);
  const tally = new Map<number, number>();
  for (const count of counts) if (count > 0) tally.set(count, (tally.get(count) ?? 0) + 1);
  if (tally.size === 0) return undefined;
  const [count, agreeing] = [...tally].reduce((best, entry) => (entry[1] > best[1] ? entry : best));
  const isInFirstLine = (counts[0] ?? 0) > 0;
  const vote = { delimiter, count, agreeing, isInFirstLine };
  return isInFirstLine || isTable(vote, lines, counts) ? vote : undefined;
}

/**
 * Whether lines below a first one without the delimiter make a table, and are not the text of one column:
 * they agree, there are more of them than lines above, and their commas are no prose.
 */
function isTable({ delimiter, count, agreeing }: Vote, lines: Line[], counts: number[]): boolean {
  const start = counts.indexOf(count);
  if (agreeing * 2 <= counts.length - start) return false;
  const sum = (ofLine: (line: Line) => number): number =>
    lines.reduce((total, line) => total + ofLine(line), 0);
  const isProse = sum((line) => line.textCommas) * 2 >= sum((line) => line.counts[',']);
  if (delimiter === ',' && isProse) return false;
  if (lines.slice(0, start + 1).some(({ isAfterGap }) => isAfterGap)) return true;
  return agreeing > start || start === 1;
}
