/** Everything in Unicode's category Cc but line end and tab; Postgres refuses U+0000 in JSON. */
// oxlint-disable-next-line no-control-regex -- those are the very characters to remove
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Characters that would begin a new line, or pose as one. */
// oxlint-disable-next-line no-control-regex -- those are the very characters to remove
const lineBreaking = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/**
 * `<` and whatever a model may read as one: what Unicode folds to it or shows like it, its invisible twin among
 * the tag characters, and its name in HTML. What follows does not matter: what is invisible may be in between.
 */
const lessThan =
  /[<≮＜﹤˂❮\u{1d236}\u{e003c}]|&\p{DI}*(?:l\p{DI}*t|#(?:[\p{DI}0]*6\p{DI}*0|\p{DI}*x[\p{DI}0]*3\p{DI}*c))\p{DI}*;/giu;

/** At most `longest` UTF-16 units, never half a character. */
export function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const last = text.charCodeAt(longest - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? longest - 1 : longest);
}

/** A provider's text as it may be stored: no control characters, no half characters, not too long. */
export const cleanText = (text: string, longest: number): string =>
  cut(text.replace(/\r\n?/g, '\n').replace(control, '').trim().toWellFormed(), longest);

/** A cell as one short line. The first slice keeps a cell of a megabyte from costing one. */
export const oneLine = (text: string, longest: number): string =>
  cut(
    text
      .trimStart()
      .slice(0, longest * 4)
      .replace(lineBreaking, ' ')
      .trim()
      .toWellFormed(),
    longest,
  );

/** Data that cannot open or close a section of the prompt: sections stand between tags. */
export const withoutTags = (text: string): string => text.replace(lessThan, '‹');
