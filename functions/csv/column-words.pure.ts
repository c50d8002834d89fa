import { isFilled } from './cells.pure.ts';

/** Words of which the names of columns in lists of leads are made; made by hand. */
const columnWords = new Set(
  `account address amount annual birthday category city code comment comments company contact count
  country county created price tel preis currency customer date department description domain email emails employees fax
  first full home id industry job keywords language last lead linkedin mail mobile modified name names no note
  notes number of organization organisation owner person phone position postal priority product province
  region revenue role score source state status street sum surname tag tags telephone title type updated
  url user web website work year zip zipcode e
  firma firmenname unternehmen kunde ansprechpartner vorname nachname anrede straße strasse ort stadt plz land
  telefon telefonnummer handy webseite umsatz branche datum notiz bemerkung nr
  entreprise société nom prénom adresse ville pays téléphone courriel site secteur
  empresa nombre apellido apellidos dirección ciudad país teléfono correo electrónico sector cargo
  azienda nome cognome indirizzo città paese telefono settore ruolo sobrenome endereço cidade telefone
  bedrijf bedrijfsnaam voornaam achternaam naam adres plaats stad telefoonnummer
  会社名 会社 氏名 名前 住所 電話番号 メール メールアドレス 都市 国 公司 公司名称 姓名 地址 电话 邮箱 城市 国家
  회사 회사명 이름 주소 전화번호 이메일 도시 компания имя фамилия адрес телефон город страна почта`.split(
    /\s+/,
  ),
);

/** Whether a cell has no other words than those of the names of columns. */
export function isColumnName(cell: string): boolean {
  if (cell.length > 60) return false;
  const words = cell.replaceAll(/(\p{Ll})(\p{Lu})/gu, '$1 $2').toLowerCase();
  const found = words.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return found.length > 0 && found.every((word) => columnWords.has(word));
}

/** How many cells of a line read as names of columns. */
export const namesOf = (cells: readonly string[]): number =>
  cells.filter((cell) => isFilled(cell) && isColumnName(cell)).length;

const [email, url, year] = [/\S@\S+\.\S/, /^(?:https?:\/\/|www\.)/i, /^(?:19|20)\d\d$/];

/** What stands in rows and not in a header; years do, in reports. */
export function isData(cell: string): boolean {
  const text = cell.trim();
  if (year.test(text) || text.length > 200) return text.length > 200;
  return email.test(text) || url.test(text) || (/\d/.test(text) && !/\p{L}/u.test(text));
}

/** An address, a site, an international telephone number or a company with its legal form: no name of a column. */
const ofRow = [
  /^\S+@[^\s@]+\.[^\s@]+$|<[^\s<>@]+@[^\s<>@]+>$/,
  /^(?:https?:\/\/|www\.)\S+$/i,
  /^\+\d[\d\s()./-]{6,}$/,
  /[\s,](?:Inc|Ltd|Corp|INC|LTD|AG|SE|KG|PLC)\.?$/,
  /[\s,](?:g?gmbh|kgaa|llc|sarl|pty)\.?$/i,
  /^(?:株式会社|有限会社|合同会社).|.(?:株式会社|有限会社|合同会社|有限公司)$|^(?:주식회사|㈜|\(주\))./u,
];

const longestOfRow = 100;

/** Whether a header is rather a row: a cell of it is no name of a column, and most others are none that is known. */
export function readsAsRow(header: readonly string[]): boolean {
  const cells = header.filter(isFilled).map((cell) => cell.trim());
  const isOfRow = (cell: string): boolean =>
    cell.length <= longestOfRow && ofRow.some((pattern) => pattern.test(cell));
  return namesOf(cells) * 2 < cells.length && cells.some(isOfRow);
}
