import { skip, type Decision } from '../decision.pure.ts';
import { asIdentity, asObject, asText, type Json } from '../shapes.pure.ts';

/** customer.created and .updated: links the customer to the user it names, and to nobody else. */
export function decideCustomer(customer: Json): Decision {
  const customerId = asText(customer['id']);
  const userId = asIdentity(asObject(customer['metadata'])['user_id']);
  if (customerId === undefined || userId === undefined || customer['deleted'] === true)
    return skip('names no user of ours');
  return {
    identity: { userIds: [userId], customerId, email: null },
    effects: [{ effect: 'link_customer' }],
  };
}

/** customer.deleted: the next purchase makes a new customer. */
export function decideCustomerDeleted(customer: Json): Decision {
  const customerId = asText(customer['id']);
  if (customerId === undefined) return skip('has no id');
  return { identity: null, effects: [{ effect: 'customer_deleted', customerId }] };
}
