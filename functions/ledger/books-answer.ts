import * as z from 'zod';
import type { StoredBooks } from './audit.pure.ts';
import { timelineAnswer } from './timeline-answer.ts';

/** Reads what `rowloom.books_read` gives. */
export const booksAnswer = z.strictObject({
  timeline: timelineAnswer,
  totals: z.strictObject({
    plan: z.int(),
    bonus: z.int(),
    purchased: z.int(),
    held: z.int(),
    shortfall: z.int(),
  }),
  moved: z.record(z.string(), z.int()),
  misfits: z.int(),
  subscriptions: z.array(z.looseObject({ subscription: z.string() })),
}) satisfies z.ZodType<StoredBooks>;
