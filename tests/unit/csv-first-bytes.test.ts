import { describe, expect, test } from 'vitest';
import { csvRefusal, cutBytes, encodings, readText, utf8 } from '../support/csv.ts';

const signedOut = '<!DOCTYPE html>\n<html lang="en"><head><title>Sign in</title></head></html>';
const mail = 'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="x"\r\n\r\n--x\r\n';

describe('what is no CSV is told by its first bytes, with advice', () => {
  test.each([
    ['a sign-in page', signedOut, /web page \(HTML\).*signed out.*download it again/],
    ['a page behind blank lines', `\r\n\n  ${signedOut}`, /HTML/],
    ['a page without doctype', '<html><body>Please sign in</body></html>', /HTML/],
    ['a page that begins with a comment', '<!-- saved -->\n<p>Hello</p>', /HTML/],
    ['a table saved as .xls', '<table border="1"><tr><td>a</td></tr></table>', /HTML/],
    ['a table without attributes', '<table>\n<tr><td>a</td></tr></table>', /HTML/],
    ['a meta tag first', '<meta charset="utf-8"><table><tr>', /HTML/],
    ['XHTML', '<?xml version="1.0"?>\n<html xmlns="x"><body/></html>', /HTML/],
    ['XML', '<?xml version="1.0"?>\n<leads><lead/></leads>', /XML/],
    ['XML without a declaration', '<leads>\n  <lead name="Ada"/>\n</leads>', /XML/],
    ['a namespace', '<ss:Workbook xmlns:ss="urn:x">', /XML/],
    ['RTF', '{\\rtf1\\ansi a,b\\par}', /RTF/],
    ['a JSON object', '{"name": "Ada", "city": "Bonn"}', /JSON/],
    ['JSON over lines', '{\n  "leads": [\n    {"name": "Ada"}]}', /JSON/],
    ['a JSON list', '[{"name":"Ada"}]', /JSON/],
    ['a JSON list over lines', '[\n  {\n    "name": "Ada" } ]', /JSON/],
    ['rows as JSON', '[["name","city"],["Ada","Bonn"]]', /JSON/],
    ['a list of texts', '["Ada", "Bonn"]', /JSON/],
    ['a vCard', 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\n', /vCard/],
    ['a calendar', 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\n', /calendar/],
    ['a saved page (.mht)', mail, /MIME/],
    ['PostScript', '%!PS-Adobe-3.0\n', /PostScript/],
  ])('%s', async (_, text, reason) => {
    for (const encode of [utf8, encodings['UTF-8 with a mark'], encodings['UTF-16LE']])
      for (const size of [7, 65_536])
        expect(await csvRefusal(cutBytes(encode(text), size))).toEqual({
          line: 1,
          reason: expect.stringMatching(reason),
        });
  });

  test.each([
    ['JPEG', [0xff, 0xd8, 0xff, 0xe0, 0, 0x10], /picture/],
    ['PNG', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0], /picture/],
    ['GIF', [0x47, 0x49, 0x46, 0x38, 0x39, 0x61], /picture/],
    ['7-Zip', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], /7-Zip/],
    ['an empty zip', [0x50, 0x4b, 0x05, 0x06, 0, 0], /zip/],
  ])('%s', async (_, bytes, reason) => {
    const refused = await csvRefusal([Uint8Array.from(bytes)]);
    expect(refused).toEqual({ line: 1, reason: expect.stringMatching(reason) });
  });
});

describe('a header of a CSV may look a little like something else', () => {
  test.each([
    '[Name],[Email]',
    '{id},name',
    '{{name}},{{email}}',
    '<name>,<email>',
    '<name>;<email>',
    '<name>\t<email>',
    '<p>,q',
    '<email>',
    '[1],[2]',
    '"<b>Name</b>",City',
    '< 5,> 5',
    '<5 employees,city',
    '%PDF,city',
    'PK,city',
    'GIF,city',
    'BEGIN,END',
    'From: ,To: ',
    'ID;P',
    'BMW,Audi',
  ])('%s', async (header) => {
    const { rows } = await readText(`${header}\nAda,Bonn\n`);
    expect(rows).toHaveLength(1);
  });
});
