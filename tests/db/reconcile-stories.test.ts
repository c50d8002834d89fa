import { afterAll } from 'vitest';
import { playBy } from '../support/convergence.ts';
import { losing, lost } from '../support/lost-events.ts';

/**
 * Stories with a past that left no trace in what Stripe has in the end, with spending in it. What was paid, when,
 * what went back of it and where the subscription stands are equal all the same.
 */
const pasts = {
  'past_due, grace runs out without an event, then paid':
    'what was used while the grace had run out: an invoice that is paid does not say since when it failed',
  'past_due, and grace runs out':
    'the subscription says that it is past_due, and not since when: jobs of that time stay usage',
  'unpaid after the last retry': 'the same, and that it is unpaid since',
  'downgrade now, then upgrade now, spending between':
    'a downgrade at once has no invoice, and the upgrade after it hides the state: nothing tells of its cap',
  "a plan's credits raised in the catalogue, then a late fact":
    'what is learned after the catalogue has changed is decided by it: policy, not loss',
};

playBy(losing(pasts));
await import('./convergence/entitlement.test.ts');
await import('./convergence/money.test.ts');
await import('./convergence/plans.test.ts');

afterAll(() => console.log('reconcile: stories with lost events', lost));
