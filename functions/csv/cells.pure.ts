/** Whether a cell holds more than blanks; most begin with a letter or a digit. */
export function isFilled(cell: string | undefined): boolean {
  if (cell === undefined || cell === '') return false;
  const code = cell.charCodeAt(0);
  return (code > 0x20 && code < 0x7f) || cell.trim() !== '';
}

/** Whether no cell of a row holds anything, only the first one does, or others too. */
export function contentOf(cells: readonly string[]): 'none' | 'first' | 'more' {
  for (let i = 1; i < cells.length; i += 1) if (isFilled(cells[i])) return 'more';
  return isFilled(cells[0]) ? 'first' : 'none';
}

const number = /^[-+(]?\s*[$€£¥]?\s*[-+]?\d[\d.,'’\s]*[%$€£¥)]?$/;

/** An amount, a count or a share, as spreadsheets write them. */
export const isNumber = (cell: string): boolean => cell.length <= 40 && number.test(cell.trim());
