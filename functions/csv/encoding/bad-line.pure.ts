/** Where the first line begins that is not in the encoding; the first of all may begin within a character. */
export function badLine(bytes: Uint8Array, encoding: string): number {
  const isGood = (from: number, to: number): boolean => {
    try {
      new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes.subarray(from, to));
      return true;
    } catch {
      return false;
    }
  };
  let start = 0;
  for (const [i, byte] of bytes.entries()) {
    if (byte !== 0x0a && byte !== 0x0d) continue;
    if (start === 0 ? ![0, 1, 2, 3].some((from) => isGood(from, i)) : !isGood(start, i))
      return start;
    start = i + 1;
  }
  return start;
}
