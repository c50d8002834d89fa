import { isPublicHost } from './address.pure.ts';

const longest = 2000;

/**
 * What is wrong with the address that is told of a job's end, in words that go on from its name; undefined:
 * nothing. `localHosts`: hosts, with or without a port, that may be private and without TLS.
 */
export function notifyUrlProblem(
  text: string,
  localHosts: readonly string[] = [],
): string | undefined {
  if (text.length > longest) return 'is too long: 2000 characters at most';
  // A URL's parser would leave out line ends and tabs, and change half a character.
  if (/[\s\p{Cc}]/u.test(text) || !text.isWellFormed() || !URL.canParse(text))
    return 'is not a URL';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'has a user name or a password in it';
  const isLocal = localHosts.includes(url.host) || localHosts.includes(url.hostname);
  if (isLocal && url.protocol === 'http:') return undefined;
  if (url.protocol !== 'https:') return 'is not an https URL';
  return isLocal || isPublicHost(url.hostname) ? undefined : 'does not name a public host';
}
