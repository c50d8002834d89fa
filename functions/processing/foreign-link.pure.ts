const link = /(?:https?:\/\/|\bwww\.)(?:[^\s/?#@]*@)?([\p{L}\p{N}][\p{L}\p{N}.-]*)/giu;
const name = /[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu;

const bareHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^www\./, '')
    .replace(/[.-]+$/, '');

/** The host of the first link in `text` that none of `known` names; undefined: there is none. */
export function foreignLink(text: string, known: readonly string[]): string | undefined {
  const hosts = [...text.matchAll(link)].map(([, host = '']) => bareHost(host));
  if (hosts.length === 0) return undefined;
  const own = new Set(known.flatMap((one) => one.match(name) ?? []).map(bareHost));
  return hosts.find((host) => !own.has(host));
}
