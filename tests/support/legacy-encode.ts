const tables = new Map<string, Map<string, number[]>>();

/** Bytes of each character, found by decoding all one and two bytes; the first that give it win. */
function tableOf(label: string): Map<string, number[]> {
  let table = tables.get(label);
  if (table) return table;
  table = new Map();
  const decoder = new TextDecoder(label, { fatal: true });
  const add = (bytes: number[]): void => {
    let char: string;
    try {
      char = decoder.decode(Uint8Array.from(bytes));
    } catch {
      return;
    }
    if (Array.from(char).length === 1 && !table?.has(char)) table?.set(char, bytes);
  };
  for (let byte = 0; byte < 256; byte += 1) add([byte]);
  if (table.size < 250 && !/^(windows|iso-8859|koi8|ibm|mac|x-mac)/.test(label))
    for (let lead = 0x81; lead <= 0xfe; lead += 1)
      for (let trail = 0x40; trail <= 0xfe; trail += 1) add([lead, trail]);
  tables.set(label, table);
  return table;
}

/** ISO-2022-JP is EUC-JP without the high bits, between escapes. */
function iso2022jp(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let isWide = false;
  for (const char of text) {
    const [first = 0, second] = tableOf('euc-jp').get(char) ?? [];
    if ((second !== undefined) !== isWide) {
      isWide = !isWide;
      bytes.push(0x1b, ...(isWide ? [0x24, 0x42] : [0x28, 0x42]));
    }
    if (second === undefined) bytes.push(first);
    else bytes.push(first & 0x7f, second & 0x7f);
  }
  return Uint8Array.from(bytes);
}

/** The text in a legacy encoding; undefined if it has a character that the encoding has not. */
export function encodeLegacy(label: string, text: string): Uint8Array | undefined {
  if (label === 'iso-2022-jp') return iso2022jp(text);
  const table = tableOf(label);
  const bytes: number[] = [];
  for (const char of text) {
    const found = table.get(char);
    if (!found) return undefined;
    for (const byte of found) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
