import { foldText } from './header-words.pure.ts';

/** A text without letter case, accents and punctuation: `N/A` is `n a`. */
export const squeezed = (text: string): string =>
  (foldText(text).match(/[\p{L}\p{N}]+/gu) ?? []).join(' ');

/** The members of a list with commas, squeezed. */
export const phrases = (list: string): ReadonlySet<string> =>
  new Set(list.split(',').map(squeezed).filter(Boolean));

/** What people and exports write where they do not know; in the languages that leads come in. */
const unknown = phrases(
  `n/a, not available, not applicable, not provided, not specified, not known, not set, no value, no data, unknown,
  undefined, null, nan, tbd, tba, k.a., keine angabe, keine angaben, unbekannt, nicht bekannt, nicht angegeben,
  inconnu, inconnue, non renseigné, non renseignée, non communiqué, desconocido, desconocida, no aplica, no disponible,
  no consta, sin datos, sconosciuto, sconosciuta, non disponibile, non specificato, desconhecido, desconhecida,
  não informado, não informada, não se aplica, não disponível, onbekend, niet bekend, niet van toepassing, n.v.t., nvt,
  不明, 未入力, 該当なし, 未知, 알 수 없음, 해당 없음`,
);
/** What is no name, and no row; of a thing that is counted or ticked it is an answer: `competitors: none`. */
const nothing = phrases(
  `na, n.v., no, none, nil, test, tests, tester, teste, testing, asdf, foo, bar, dummy, example, sample, kein,
  keine, leer, ohne, aucun, aucune, néant, ninguno, ninguna, s/d, s/n, nessuno, nessuna, n.d., nenhum, nenhuma, geen,
  なし, 無し, 無, 未定, 未設定, 未登録, テスト, 无, 暂无, 测试, 없음, 미정, 테스트`,
);
const longestPhrase = 40;

/** Dashes and points; a star or a tick says something. */
const marks = /^[\p{Pd}\p{Pc}\p{Z}.…,;:?/\\|'"()[\]−~・。、]*$/u;
/** What spreadsheets show in the place of a value. */
const failed = /^#(?:n\/a|ref!|value!|name\?|null!|num!|div\/0!)$/i;

/** Whether a cell says nothing in whatever column: empty, dashes, or a placeholder such as `N/A`, `unknown` or `tbd`. */
export function isUnknown(cell: string): boolean {
  const text = cell.trim();
  if (marks.test(text)) return true;
  return text.length <= longestPhrase && (failed.test(text) || unknown.has(squeezed(text)));
}

/** Whether a cell says nothing by itself, without its column: `isUnknown`, or such as `none`, `0`, `test` or `★`. */
export function saysNothing(cell: string): boolean {
  const text = cell.trim();
  if (isUnknown(text) || !/[\p{L}\p{N}]/u.test(text)) return true;
  if (text.length > longestPhrase) return false;
  const plain = squeezed(text);
  return nothing.has(plain) || /^(?:0+|x{2,}|test(?:er)? ?\d+|ー+)$/.test(plain);
}
