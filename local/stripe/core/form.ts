/** A decoded parameter: a string, a list, or a hash. Lists come as hashes with numeric keys. */
export type Raw = string | { [key: string]: Raw };

/** `a[b][]=1` → `['a', 'b', '']`. */
const partsOf = (key: string): string[] => {
  const open = key.indexOf('[');
  if (open < 1 || !key.endsWith(']')) return [key];
  return [key.slice(0, open), ...key.slice(open + 1, -1).split('][')];
};

/**
 * Decodes a form body or a query string with nested brackets (`a[0][b]=1`, `a[]=1`).
 * Source: stripe-node `queryStringifyRequestData`; https://docs.stripe.com/api
 */
export function decodeForm(text: string): Record<string, Raw> {
  const root: Record<string, Raw> = Object.create(null) as Record<string, Raw>;
  for (const [key, value] of new URLSearchParams(text)) {
    const parts = partsOf(key);
    let here = root;
    for (const [index, part] of parts.entries()) {
      const name = part === '' ? String(Object.keys(here).length) : part;
      if (index === parts.length - 1) {
        here[name] = value;
        break;
      }
      const next = here[name];
      const deeper = typeof next === 'object' ? next : (Object.create(null) as Record<string, Raw>);
      here[name] = deeper;
      here = deeper;
    }
  }
  return root;
}
