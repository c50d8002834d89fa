import { afterAll, afterEach, describe } from 'vitest';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { outageRig, testOutagesOf } from '../support/outage-cases.ts';
import { mend } from '../support/outages.ts';

const rig = await outageRig();
afterEach(() => mend(rig));
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await rig.close();
});

describe('search does not answer for a while', () => testOutagesOf('search', rig));
