/**
 * A page of rows that were read up to one beyond its limit; `nextCursor` is what `cursorOf` gives of its last row,
 * null where no row is left.
 */
export function pageOf<Row extends object>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => string,
): { page: Row[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, nextCursor: rows.length > limit && last ? cursorOf(last) : null };
}
