import { normaliseCustomer } from '../normalise/catalogue.pure.ts';
import { isOurId, type Json } from '../normalise/json.pure.ts';
import { skip, tell, type Reading } from '../reading.pure.ts';

/** customer.created and .updated: links the customer to the user it names, and to nobody else. */
export function readCustomer(object: Json): Reading {
  const { id: customerId, userId, isDeleted } = normaliseCustomer(object);
  if (userId === null || isDeleted) return skip('names no user of ours');
  return tell({ userIds: [userId], customerId, email: null }, { isOurs: isOurId(userId) });
}

/** customer.deleted: what it paid for stays whose it was; the next purchase makes a new customer. */
export function readCustomerDeleted(object: Json): Reading {
  const { id: customerId, userId } = normaliseCustomer(object);
  return tell(null, {
    changes: [{ change: 'customer_deleted', customerId, userId: isOurId(userId) ? userId : null }],
  });
}
