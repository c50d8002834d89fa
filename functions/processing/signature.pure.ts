/** How letters close, in the languages that e-mails are written in. */
const formulas = [
  '(?:(?:kind|best|warm|many|with (?:kind|best|warm)) )?(?:regards|wishes)',
  '(?:best|cheers|thanks|many thanks|thank you|sincerely|(?:yours )?(?:sincerely|truly|faithfully))(?=[,!.]?$)',
  'mit (?:freundlich|best|herzlich|sonnig)\\p{L}* (?:gr(?:ü|ue|u)(?:ß|ss)|empfehlung)\\p{L}*',
  '(?:(?:freundlich|best|viel|lieb|herzlich|schön)e )?gr(?:ü|ue)(?:ß|ss)e',
  'hochachtungsvoll|mfg|vg|lg',
  '(?:bien )?cordialement|bien à vous|(?:meilleures|sincères|cordiales) salutations|sincèrement',
  '(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente',
  '(?:cordiali|distinti|cari) saluti|cordialmente',
  'atenciosamente|(?:com os )?(?:melhores )?cumprimentos|(?:um )?abraço',
  '(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?',
  'z poważaniem|(?:med )?vänlig\\p{L}* hälsning\\p{L}*|(?:med )?venn?lig hilsen|s pozdravem',
  '敬具|草々|(?:何卒)?(?:どうぞ)?(?:よろしく|宜しく)お(?:願|ねが)い.{0,12}|此致|祝好|감사합니다',
];
/** A line that begins with one, such as `Viele Grüße aus Basel`. */
const closing = new RegExp(`^(?:${formulas.join('|')})(?![\\p{L}\\p{N}])`, 'iu');
const longestClosing = 50;

const isClosing = (line: string): boolean =>
  line.trim().length <= longestClosing && !/[?:]$/.test(line.trim()) && closing.test(line.trim());

const firstLine = (text: string): string => text.trimStart().split('\n', 1)[0] ?? '';

/** Whether a signature brings its own `Best regards`. */
export const beginsWithClosing = (signature: string): boolean => isClosing(firstLine(signature));

const bare = (line: string): string =>
  line
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}@]+/gu, ' ')
    .trim();

/** An e-mail and, below an empty line, the signature as it is; what the model has written of it goes. */
export function signed(body: string, signature: string | undefined): string {
  if (!signature) return body;
  const own = new Set(signature.split('\n').map(bare));
  const lines = body.split('\n');
  let end = 1 + lines.findLastIndex((line) => bare(line) !== '' && !own.has(bare(line)));
  // Two closings would stand above each other.
  if (beginsWithClosing(signature) && end > 1 && isClosing(lines[end - 1] ?? '')) end -= 1;
  const text = end === 0 ? body : lines.slice(0, end).join('\n');
  return `${text.trimEnd()}\n\n${signature}`;
}
