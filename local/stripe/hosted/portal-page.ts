import { type Context, Hono } from 'hono';
import { Problem } from '../core/problem.ts';
import type { PortalSession, Subscription } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { money } from '../resources/invoice-lines.ts';
import {
  cancelInPortal,
  keepInPortal,
  offered,
  switchInPortal,
  takesCodes,
} from '../resources/portal-actions.ts';
import { periodOf } from '../resources/subscriptions.ts';
import { escapeHtml, htmlPage } from './html.ts';

const day = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 10);

const subscriptionsOf = (world: World, session: PortalSession): Subscription[] =>
  world.store
    .of('subscription', 'customer', session.customer ?? '')
    .filter((one) => one.ended_at === null);

function renderOne(world: World, session: PortalSession, one: Subscription): string {
  const configuration = world.store.need('billing_portal.configuration', session.configuration);
  const [item] = one.items.data;
  const name = world.store.find('product', item?.price.product ?? '')?.name ?? 'Subscription';
  const options = offered(world, configuration)
    .filter((price) => price.id !== item?.price.id)
    .map(
      (price) =>
        `<option value="${price.id}">${escapeHtml(world.store.find('product', price.product)?.name ?? price.id)}, ${money(price.unit_amount ?? 0, price.currency)}</option>`,
    );
  const button =
    one.cancel_at === null
      ? '<button name="action" value="cancel">Cancel plan</button>'
      : '<button class="main" name="action" value="keep">Keep plan</button>';
  const until =
    one.cancel_at === null
      ? `renews on ${day(periodOf(one).end)}`
      : `ends on ${day(one.cancel_at)}`;
  return `<form method="post"><h1>${escapeHtml(name)}</h1><p class="note">${one.status}, ${until}</p>
<input type="hidden" name="subscription" value="${one.id}">
${options.length > 0 ? `<label>Switch to<select name="price">${options.join('')}</select></label>${takesCodes(configuration) ? '<label>Promotion code<input name="promotion_code"></label>' : ''}<button class="main" name="action" value="switch">Switch plan</button>` : ''}
${button}</form>`;
}

function render(world: World, session: PortalSession, alert: string | null): string {
  const parts = subscriptionsOf(world, session).map((one) => renderOne(world, session, one));
  return htmlPage(
    'Billing (local)',
    `${alert === null ? '' : `<p class="alert" role="alert">${escapeHtml(alert)}</p>`}
${parts.join('') || '<h1>No subscription</h1>'}
<p class="note">The local stand-in for Stripe's customer portal.</p>
${session.return_url === null ? '' : `<p><a href="${escapeHtml(session.return_url)}">Back</a></p>`}`,
  );
}

function act(world: World, session: PortalSession, fields: Record<string, unknown>): Subscription {
  const one = subscriptionsOf(world, session).find(({ id }) => id === fields['subscription']);
  if (!one)
    throw new Problem(404, { type: 'invalid_request_error', message: 'No such subscription.' });
  const configuration = world.store.need('billing_portal.configuration', session.configuration);
  const { action, price, promotion_code: typed } = fields;
  const code = typeof typed === 'string' && typed !== '' ? typed : null;
  if (action === 'cancel') cancelInPortal(world, configuration, one);
  else if (action === 'keep') keepInPortal(world, one);
  else if (action === 'switch' && typeof price === 'string')
    switchInPortal(world, configuration, one, { priceId: price, code });
  else
    throw new Problem(422, {
      type: 'invalid_request_error',
      message: 'action must be cancel, keep, or switch with a price',
    });
  return one;
}

async function post(world: World, c: Context): Promise<Response> {
  const isMachine = c.req.header('accept')?.includes('application/json') ?? false;
  const session = world.store.find('billing_portal.session', c.req.param('session') ?? '');
  if (!session) return c.json({ error: 'No such portal session.' }, 404);
  const isJson = c.req.header('content-type')?.includes('application/json');
  const fields = isJson ? await c.req.json<Record<string, unknown>>() : await c.req.parseBody();
  try {
    const subscription = act(world, session, fields);
    return isMachine ? c.json({ subscription }) : c.redirect(session.url, 303);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (isMachine) return c.json({ error: error.message }, error.status as 400);
    return c.html(render(world, session, error.message), error.status as 400);
  }
}

/**
 * The page behind a portal session's url. `POST action=cancel|keep|switch`, with `subscription` and
 * for a switch `price` and perhaps `promotion_code`; with `Accept: application/json` it answers `{subscription}`.
 */
export const portalPages = (world: World): Hono =>
  new Hono()
    .get('/portal/:session', (c) => {
      const session = world.store.find('billing_portal.session', c.req.param('session'));
      return session
        ? c.html(render(world, session, null))
        : c.text('No such portal session.', 404);
    })
    .post('/portal/:session', (c) => post(world, c));
