/** `rowloom.name` as SQL is written here; a host such as `//rowloom.example` is none. */
export const reference = /(?<![\w/.@-])rowloom\.(\w+)/g;

/** SQL that says `rowloom.name`, with the schema of a version in that word's place. */
export const inSchema = (schema: string, text: string): string =>
  text.replaceAll(reference, `${schema}.$1`);
