/** Why a user's rows are not worked today, in their words; the database says what is too many. */
export const tooManyFailedRows = ({ limit, used }: { limit: number; used: number }): string =>
  `Too many rows failed or were cancelled today: ${used}, where ${limit} may. Change the rows or the prompt, and try again tomorrow (UTC)`;
