/** What people and exports write where they know nothing; full-width characters are folded first. */
const blank = new RegExp(
  `^(?:${[
    '[\\p{P}\\p{S}\\p{Z}ー]*',
    '0+',
    'x{2,}',
    'n ?[./]? ?[av][.]?|nan|null|nil|none|no|not (?:available|applicable|provided|specified|known)|unknown|undefined',
    'tb[ad]|test(?:s|ing|e?r?[ _-]?\\d*)?|asdf|foo|bar|dummy|example|sample|#(?:n/a|ref!|value!|name\\?|null!)',
    'k[.]? ?[ae][.]?|keine(?: angaben?)?|kein|unbekannt|leer|ohne',
    'aucune?|inconnue?|non renseigné|néant|ninguno|ninguna|desconocido|sin datos|s/[dn]',
    'nessun[oa]?|sconosciuto|nenhuma?|desconhecido|n/d|geen|onbekend|nvt|n[.]v[.]t[.]',
    'なし|無し?|不明|未定|未入力|該当なし|テスト|无|未知|暂无|없음',
  ].join('|')})$`,
  'iu',
);
const longestBlank = 40;

/** Whether a cell says nothing: empty, or a placeholder such as `N/A`, `-`, `none` or `test`. */
export function saysNothing(cell: string): boolean {
  const text = cell.slice(0, longestBlank * 4).trim();
  return text.length <= longestBlank && blank.test(text.normalize('NFKC').trim());
}
