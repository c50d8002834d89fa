/**
 * Words of which placeholders are made, in the languages that e-mails are written in: what is to be filled
 * in (`name`), whose it is (`your`) and what to do (`insert`).
 */
const words = new Set(
  `your my insert add enter fill here placeholder specific relevant xx xxx xxxx x
  name names firstname lastname surname fullname recipient sender client customer prospect contact person
  company companies organization organisation firm business employer title position role job department
  team industry sector product products service services solution benefit feature achievement award
  project topic event date day time month year number amount percentage metric phone telephone mobile
  email address street city location country website url link calendar booking signature challenge goal
  pain proposition detail details
  ihr ihre ihren ihrem ihrer dein deine vorname nachname namen empfänger absender firma firmenname
  unternehmen unternehmens unternehmensname ansprechpartner telefon telefonnummer datum uhrzeit branche
  stadt ort produkt dienstleistung einfügen hier
  votre vos ton nom prénom entreprise société destinataire expéditeur téléphone poste secteur ville insérer
  tu tus su sus nombre apellido empresa compañía destinatario remitente teléfono cargo puesto fecha ciudad
  insertar
  tuo tua suo nome cognome azienda destinatario telefono ruolo data città inserire
  seu sua sobrenome telefone cargo cidade inserir
  uw jouw naam voornaam achternaam bedrijf bedrijfsnaam functie telefoonnummer stad invullen`.split(
    /\s+/,
  ),
);
const wideWords =
  /名前|氏名|会社名|御社名|貴社名|担当者|日付|電話番号|姓名|公司|您的|你的|이름|회사/;

/** A comment of an editor: "[the company] grew". */
const editorial = /^(the|its|their|our|his|her)\s/i;

function isPlaceholderText(text: string): boolean {
  if (wideWords.test(text)) return true;
  if (/^[xX]+$/.test(text)) return /^X+$/.test(text);
  if (!/^\p{L}/u.test(text) || editorial.test(text)) return false;
  return (text.toLowerCase().match(/\p{L}+/gu) ?? []).some((word) => words.has(word));
}

/** Elements of HTML that are words of placeholders too. */
const elements = new Set(['title', 'address', 'time', 'details', 'link', 'data']);
const isElement = (text: string): boolean => elements.has(text.toLowerCase());

type Form = { pattern: RegExp; holds: (text: string) => boolean };
const forms: Form[] = [
  // Not a Markdown link or its definition, a checkbox, or an index of an array.
  {
    pattern:
      /(?<![-*] )(?<![\w!])\[([^[\]\n]{1,100})\](?!\((?:https?:|mailto:|tel:|www\.|[/#.]))(?!\[\d)(?!: ?https?:)/gu,
    holds: isPlaceholderText,
  },
  { pattern: /(?<=\w)\[((?:your|my) [^[\]\n]{1,90})\]/giu, holds: isPlaceholderText },
  { pattern: /【([^【】\n]{1,60})】/gu, holds: isPlaceholderText },
  { pattern: /\{\{([^{}\n]{1,100})\}\}/gu, holds: () => true },
  { pattern: /\{([\p{L}][\p{L}\p{N} _.-]{0,60})\}/gu, holds: isPlaceholderText },
  {
    pattern: /<([\p{L}][\p{L}\p{N} _'’-]{0,80})>/gu,
    holds: (text) => isPlaceholderText(text) && !isElement(text),
  },
  { pattern: /%([A-Z]+(?:_[A-Z]+)+)%/gu, holds: () => true },
  { pattern: /([○〇◯]{2,})/gu, holds: () => true },
  // A gap to fill in, not a line of its own.
  { pattern: /(?<=\p{L}[^\n_]{0,80}[ \t])(_{3,})/gu, holds: () => true },
];

/** The first placeholder that is left in a text, as it stands there; undefined: none. */
export function findPlaceholder(text: string): string | undefined {
  for (const { pattern, holds } of forms)
    for (const [found, inner = ''] of text.matchAll(pattern)) if (holds(inner.trim())) return found;
  return undefined;
}
