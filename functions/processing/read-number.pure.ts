const digits = /^[-+]?\d+$/;
/** Groups of three with one kind of separator, then perhaps decimals with the other. */
const grouped = /^[-+]?\d{1,3}(?:([.,' ])\d{3})(?:\1\d{3})*(?:([.,])\d+)?$/;
const decimal = /^[-+]?\d+[.,]\d+$/;
/** 1,200 and 1.200 are twelve hundred to some and one and a fifth to others. */
const ambiguous = /^[-+]?[1-9]\d{0,2}[.,]\d{3}$/;

const least = 1e-15;

/** As digits with a point, without an exponent; undefined: it cannot be written exactly. */
function cellOf(value: number): string | undefined {
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) return undefined;
  if (Math.abs(value) < least) return '0';
  const text = String(value);
  return text.includes('e') ? value.toFixed(15).replace(/0+$/, '') : text;
}

/** A text that can be read in one way only, as a number; undefined: it cannot. */
function parsed(written: string): number | undefined {
  const text = written
    .normalize('NFKC')
    .replaceAll('−', '-')
    .replaceAll('’', "'")
    .replaceAll(/\s/g, ' ')
    .trim();
  if (text.length > 40 || /^[-+]?0\d/.test(text) || ambiguous.test(text)) return undefined;
  if (digits.test(text)) return Number(text);
  if (decimal.test(text)) return Number(text.replace(',', '.'));
  const [, group, point] = grouped.exec(text) ?? [];
  if (group === undefined || group === point) return undefined;
  return Number(text.replaceAll(group, '').replace(',', '.'));
}

/**
 * A model's number as a cell: a JSON number, or a text that can be read in one way only (`12`, `1,200,000`,
 * `1.200,50`, not `1,200`). Undefined: it is no number, or one that would lose digits.
 */
export function readNumber(value: unknown): string | undefined {
  if (typeof value === 'number') return cellOf(value);
  const number = typeof value === 'string' ? parsed(value) : undefined;
  return number === undefined ? undefined : cellOf(number);
}
