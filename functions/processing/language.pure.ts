import type { Brief } from './processor.ts';

/** `auto`, or the tag that a job asks for: its own before its sender's. */
export const languageOf = ({ options, sender }: Pick<Brief, 'options' | 'sender'>): string =>
  options.language ?? sender?.language ?? 'auto';

/** A tag with its name in English, such as `German (de)`. */
function languageName(tag: string): string {
  const name = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' }).of(tag);
  return name === undefined ? `the language with the tag ${tag}` : `${name} (${tag})`;
}

/** In which language the model is to write: the job's, or the lead's. */
export function languageRule(brief: Pick<Brief, 'options' | 'sender'>): string {
  const language = languageOf(brief);
  return language === 'auto'
    ? [
        "Write in the language of business at the lead's place, as the lead section tells it: by country, city,",
        'phone code, domains of e-mail and website, company and name. That the research or the task is in',
        'another language does not matter, unless the task asks for one. In doubt write English.',
      ].join(' ')
    : `Write in ${languageName(language)}, whatever language the lead, the research or the task is in.`;
}
