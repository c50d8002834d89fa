import { DomainError } from '../errors.ts';

/** While money is disputed that paid for what was used, nothing new is begun. */
export const accountSuspended = (): DomainError =>
  new DomainError('account_suspended', 'The account is suspended; contact support.');
