import { afterAll, expect, test } from 'vitest';
import { encodeLegacy } from '../support/legacy-encode.ts';
import { leadsCsv } from '../support/legacy-leads.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { someone, startRig } from '../support/worker.ts';
import { expectProblem } from '../support/worker-problem.ts';

const rig = await startRig();

afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

const encoded = (label: string, text: string): Uint8Array => {
  const bytes = encodeLegacy(label, text);
  if (!bytes) throw new Error(`${label} has not all of the text.`);
  return bytes;
};

async function upload(body: Uint8Array, type: string) {
  const { token } = await rig.user(someone());
  const { id } = await rig.createJob(token);
  const path = `/v1/jobs/${id}/input`;
  const headers = { 'content-type': type };
  return { token, id, answer: await rig.api(path, { method: 'PUT', token, body, headers }) };
}

test.each([
  ['Shift_JIS, as the sender says', 'shift_jis', 'japanese', 'text/csv; charset="Shift_JIS"'],
  ['Windows-1251, by its words', 'windows-1251', 'russian', 'text/csv'],
] as const)('%s: the output has the same text', async (_, label, language, type) => {
  const text = leadsCsv(language, 5, 1);
  const { token, id, answer } = await upload(encoded(label, text), type);
  expect(answer.status).toBe(202);
  await rig.ended(token, id);
  const output = await (await rig.api(`/v1/jobs/${id}/output`, { token })).text();
  const lines = output.split('\r\n');
  for (const [i, line] of text.trim().split('\r\n').entries())
    expect(lines[i]?.replace(/^\ufeff/, '').startsWith(line)).toBe(true);
});

test.each([
  ['a charset that nobody knows', 'a,b\n1,2\n', 'text/csv; charset=klingon', 'utf-8'],
  ['a word that several encodings have', 'city\nBodø\n', 'text/csv', 'windows-1252'],
])('%s is asked for, and nothing is kept', async (_, text, type, candidate) => {
  const { token, id, answer } = await upload(encoded('windows-1252', text), type);
  const problem = await expectProblem(answer, 422, 'encoding_unknown');
  expect(problem['candidates']).toContain(candidate);
  expect(problem['detail']).toMatch(/charset=.*CSV UTF-8|CSV UTF-8.*charset=/);
  expect(await rig.readJob(token, id)).toMatchObject({ status: 'created', rows: { total: 0 } });
});
