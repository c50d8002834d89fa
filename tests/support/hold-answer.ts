import * as z from 'zod';

/** What `rowloom.ledger_hold` says. */
export const holdAnswer = z.object({ outcome: z.string() });
