import { expect, test } from 'vitest';
import { settingsErrors } from '../../functions/jobs/settings.ts';
import { notifyUrlProblem } from '../../functions/notifications/notify-url.pure.ts';

test.each([
  'https://hooks.example.com/rowloom',
  'https://hooks.example.com:8443/a?token=x#y',
  'https://HOOKS.Example.COM/',
  'https://example.com.',
  'https://münchen.example/haken',
  'https://例え.example/',
  'https://a_b.example.com/',
  'https://8.8.8.8/',
  'https://172.15.255.255/',
  'https://172.32.0.1/',
  'https://100.63.255.255/',
  'https://100.128.0.1/',
  'https://[2606:4700:4700::1111]/',
  'https://[2001:4860:4860::8888]:444/',
  'https://localhost.example.com/',
  'https://internal.example.com/',
  `https://example.com/${'x'.repeat(1980)}`,
])('%s may be told', (url) => {
  expect(notifyUrlProblem(url)).toBeUndefined();
});

const [noUrl, noHttps] = ['is not a URL', 'is not an https URL'];
const closed = 'does not name a public host';
const named = 'has a user name or a password in it';

test.each([
  ['', noUrl],
  ['hooks.example.com', noUrl],
  ['/hooks', noUrl],
  ['https://', noUrl],
  ['https://256.1.1.1/', noUrl],
  ['https://example.com:70000/', noUrl],
  ['https://exa\nmple.com/', noUrl],
  [' https://example.com/', noUrl],
  ['https://example.com/\u0000', noUrl],
  ['https://example.com/\ud800', noUrl],
  ['http://example.com/', noHttps],
  ['ftp://example.com/', noHttps],
  ['file:///etc/passwd', noHttps],
  ['javascript:alert(1)', noHttps],
  ['wss://example.com/', noHttps],
  ['https://ada@example.com/', named],
  ['https://ada:secret@example.com/', named],
  ['https://:secret@example.com/', named],
  ['https://localhost/', closed],
  ['https://LOCALHOST:8443/', closed],
  ['https://localhost./', closed],
  ['https://api.localhost/', closed],
  ['https://printer.local/', closed],
  ['https://metadata.google.internal/', closed],
  ['https://metadata.google.internal./', closed],
  ['https://db.home.arpa/', closed],
  ['https://intranet/', closed],
  ['https://com/', closed],
  ['https://com./', closed],
  ['https://a..b.example/', closed],
  ['https://127.0.0.1/', closed],
  ['https://127.0.0.1./', closed],
  ['https://127.1/', closed],
  ['https://2130706433/', closed],
  ['https://0x7f000001/', closed],
  ['https://0x7f.1/', closed],
  ['https://0177.0.0.1/', closed],
  ['https://１２７.0.0.1/', closed],
  ['https://127%2e0%2e0%2e1/', closed],
  ['https://0.0.0.0/', closed],
  ['https://0/', closed],
  ['https://10.1.2.3/', closed],
  ['https://100.64.0.1/', closed],
  ['https://100.127.255.255/', closed],
  ['https://169.254.169.254/latest/meta-data', closed],
  ['https://172.16.0.1/', closed],
  ['https://172.31.255.255/', closed],
  ['https://192.168.1.1/', closed],
  ['https://192.0.0.192/', closed],
  ['https://198.18.0.1/', closed],
  ['https://203.0.113.9/', closed],
  ['https://224.0.0.1/', closed],
  ['https://255.255.255.255/', closed],
  ['https://[::]/', closed],
  ['https://[::1]/', closed],
  ['https://[::ffff:127.0.0.1]/', closed],
  ['https://[::ffff:7f00:1]/', closed],
  ['https://[::ffff:8.8.8.8]/', closed],
  ['https://[::127.0.0.1]/', closed],
  ['https://[64:ff9b::7f00:1]/', closed],
  ['https://[fe80::1]/', closed],
  ['https://[fc00::1]/', closed],
  ['https://[fd12:3456::1]/', closed],
  ['https://[ff02::1]/', closed],
  ['https://[2001:db8::1]/', closed],
  ['https://[2001:0:7f00:1::]/', closed],
  ['https://[2002:7f00:1::]/', closed],
  ['https://[3fff:123::1]/', closed],
])('%j may not: it %s', (url, problem) => {
  expect(notifyUrlProblem(url)).toBe(problem);
});

test('2,000 characters are the most', () => {
  expect(notifyUrlProblem(`https://example.com/${'x'.repeat(1981)}`)).toMatch(/^is too long/);
});

test('hosts that are named for development may be private and without TLS, by port or by all', () => {
  const local = ['127.0.0.1:4000', 'receiver', '[::1]:4000'];
  for (const url of ['http://127.0.0.1:4000/a', 'http://receiver:99/', 'http://[::1]:4000/'])
    expect(notifyUrlProblem(url, local), url).toBeUndefined();
  expect(notifyUrlProblem('https://receiver/', local)).toBeUndefined();
  expect(notifyUrlProblem('http://127.0.0.1:4001/', local)).toBe(noHttps);
  expect(notifyUrlProblem('https://127.0.0.1:4001/', local)).toBe(closed);
  expect(notifyUrlProblem('ftp://receiver/', local)).toBe(noHttps);
  expect(notifyUrlProblem('http://a:b@receiver/', local)).toBe(named);
  expect(notifyUrlProblem('http://receiver.example/', local)).toBe(noHttps);
});

test('a job that is to tell another address is not made, and its field is named', () => {
  const settings = { processor: 'research_email', prompt: '', columns: null };
  const errors = (notifyUrl: string, hosts?: string[]) =>
    settingsErrors({ ...settings, options: { notifyUrl } }, hosts);
  expect(errors('http://127.0.0.1:4000/')).toEqual([{ field: 'notifyUrl', message: noHttps }]);
  expect(errors('http://127.0.0.1:4000/', ['127.0.0.1'])).toEqual([]);
  expect(errors('https://example.com/')).toEqual([]);
});
