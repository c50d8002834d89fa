import * as z from 'zod';
import type { Who } from './whose.pure.ts';

/** Reads what `rowloom.user_resolve` gives. */
export const whoAnswer: z.ZodType<Who> = z.union([
  z.strictObject({
    userId: z.string(),
    payment: z.string().nullable(),
    isChosen: z.boolean(),
  }),
  z.strictObject({
    userId: z.null(),
    isPayment: z.boolean(),
    references: z.array(z.string()),
    emails: z.array(z.string()),
    waitsFor: z.array(z.string()),
  }),
]);
