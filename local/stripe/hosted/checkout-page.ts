import { type Context, Hono } from 'hono';
import { Problem } from '../core/problem.ts';
import type { Session } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { press, successUrl, type Press } from '../resources/checkout-pay.ts';
import { linesOf, noteOf } from '../resources/checkout-totals.ts';
import { money } from '../resources/invoice-lines.ts';
import { escapeHtml, htmlPage } from './html.ts';

const actions = ['pay', 'decline', 'async'];

function render(world: World, session: Session, alert: string | null): string {
  const currency = session.currency ?? 'usd';
  const rows = linesOf(world, session).map(
    (line) =>
      `<tr><td>${line.quantity} × ${escapeHtml(line.description ?? '')}${line.price.recurring ? `, every ${line.price.recurring.interval}` : ''}</td><td>${money(line.amount_total, currency)}</td></tr>`,
  );
  const email = session.customer_details?.['email'];
  const field =
    typeof email === 'string'
      ? `<p class="note">${escapeHtml(email)}</p>`
      : `<label>E-mail<input type="email" name="email" value="${escapeHtml(noteOf(world, session).prefilledEmail ?? 'buyer@example.com')}" required></label>`;
  return htmlPage(
    'Checkout (local)',
    `<h1>Checkout</h1>
<p class="note">The local stand-in for Stripe. No money moves.</p>
${alert === null ? '' : `<p class="alert" role="alert">${escapeHtml(alert)}</p>`}
<table>${rows.join('')}
<tr class="total"><td>Due now</td><td>${money(session.amount_total ?? 0, currency)}</td></tr></table>
<form method="post">${field}${session.allow_promotion_codes ? '<label>Promotion code<input name="promotion_code"></label>' : ''}
${session.payment_method_types.includes('card') ? '<button class="main" name="action" value="pay">Pay</button>\n<button name="action" value="decline">Pay with a card that is declined</button>' : ''}
${session.payment_method_types.includes('us_bank_account') ? '<button name="action" value="async">Pay by bank, settled days later</button>' : ''}
</form>
${session.cancel_url === null ? '' : `<p><a href="${escapeHtml(session.cancel_url)}">Cancel and go back</a></p>`}`,
  );
}

const closed = (session: Session): string =>
  htmlPage(
    'Checkout (local)',
    `<h1>This session is ${session.status}.</h1>${session.status === 'complete' ? `<p><a href="${escapeHtml(successUrl(session))}">Back to the shop</a></p>` : ''}`,
  );

/** The fields of a form or of a JSON body. */
async function fieldsOf(c: Context): Promise<Record<string, unknown>> {
  if (c.req.header('content-type')?.includes('application/json'))
    return c.req.json<Record<string, unknown>>().catch(() => ({}));
  return c.req.parseBody();
}

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

/**
 * The page behind `session.url`. `POST action=pay|decline|async` (with `email` and `name` for a new
 * buyer, and `promotion_code` where the session takes one) redirects with 303; with `Accept: application/json` it answers `{status, redirect, message}`.
 */
export const checkoutPages = (world: World): Hono =>
  new Hono()
    .get('/checkout/pay/:session', (c) => {
      const session = world.store.find('checkout.session', c.req.param('session'));
      if (!session) return c.text('No such checkout session.', 404);
      if (session.status !== 'open') return c.html(closed(session));
      return c.html(render(world, session, null));
    })
    .post('/checkout/pay/:session', async (c) => {
      const isMachine = c.req.header('accept')?.includes('application/json') ?? false;
      const session = world.store.find('checkout.session', c.req.param('session'));
      if (!session) return c.json({ error: 'No such checkout session.' }, 404);
      const fields = await fieldsOf(c);
      const action = textOf(fields['action']) ?? 'pay';
      if (!actions.includes(action))
        return c.json({ error: `action must be one of ${actions.join(', ')}` }, 422);
      const buyer = {
        email: textOf(fields['email']),
        name: textOf(fields['name']),
        promotionCode: textOf(fields['promotion_code']),
      };
      try {
        const pressed = press(world, session, action as Press, buyer);
        if (isMachine) return c.json(pressed);
        if (pressed.redirect !== null) return c.redirect(pressed.redirect, 303);
        return c.html(render(world, session, pressed.message), 402);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return isMachine ? c.json({ error: error.message }, 400) : c.html(closed(session), 400);
      }
    });
