/** Numbers that look random and are the same in every run. Source: mulberry32, public domain */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const words =
  `harbour maple copper quiet signal orchard lantern granite meadow velvet beacon cobalt timber
  anchor saffron willow falcon prairie ember summit canyon juniper drift mosaic`.split(/\s+/);

export const leadHeader = ['company', 'website', 'contact', 'email', 'city', 'employees', 'note'];

/** Rows as a salesperson has them, with quotes and line ends in some; each another company, numbered from `first`. */
export function* leadRows(count: number, first = 0): Generator<string[]> {
  const random = randomFrom(20_261_117);
  const word = (): string => words[Math.floor(random() * words.length)] ?? '';
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  for (let i = first; i < first + count; i += 1) {
    const name = `${capital(word())} ${capital(word())} ${i}`;
    const domain = `${word()}-${i}.example`;
    const person = `${capital(word())} ${capital(word())}`;
    const note = Array.from({ length: 9 }, word).join(' ');
    const quoted = i % 10 === 0 ? `said "${word()}", then\n${note}` : note;
    const employees = String(Math.floor(random() * 5000));
    const mail = `${person.toLowerCase().replace(' ', '.')}@${domain}`;
    yield [name, `https://${domain}/`, person, mail, capital(word()), employees, quoted];
  }
}

const cell = (text: string): string =>
  /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** Rows as CSV text, a line end behind each. */
export const csvOf = (rows: Iterable<string[]>): string =>
  Array.from(rows, (row) => `${row.map((text) => cell(text)).join(',')}\n`).join('');
