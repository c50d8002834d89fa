import { Hono } from 'hono';
import { Problem } from '../core/problem.ts';
import type { Invoice } from '../core/types.ts';
import type { World } from '../core/world.ts';
import { payInvoice } from '../resources/payment-collection.ts';
import { money } from '../resources/invoice-lines.ts';
import { escapeHtml, htmlPage } from './html.ts';

function render(world: World, invoice: Invoice): string {
  const lines = world.store.of('line_item', 'invoice', invoice.id);
  const rows = lines.map(
    (line) =>
      `<tr><td>${escapeHtml(line.description ?? '')}</td><td>${money(line.amount, invoice.currency)}</td></tr>`,
  );
  const button =
    invoice.status === 'open'
      ? '<form method="post"><button class="main">Pay with a good card</button></form>'
      : '';
  return htmlPage(
    `Invoice ${invoice.number ?? ''}`,
    `<h1>Invoice ${escapeHtml(invoice.number ?? '')}</h1><p class="note">${invoice.status}</p>
<table>${rows.join('')}<tr class="total"><td>Due</td><td>${money(invoice.amount_due, invoice.currency)}</td></tr></table>${button}`,
  );
}

/** A PDF of one line: enough for a link that opens. */
function pdf(invoice: Invoice): string {
  const text = `Invoice ${invoice.number ?? ''}: ${money(invoice.amount_due, invoice.currency)}, ${invoice.status}`;
  const stream = `BT /F1 14 Tf 60 760 Td (${text.replaceAll(/[()\\]/g, '')}) Tj ET`;
  return `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj
4 0 obj<</Length ${stream.length}>>stream
${stream}
endstream endobj
trailer<</Root 1 0 R>>
%%EOF
`;
}

/** Hosted invoices: `GET /invoices/{id}`, `/pdf`, and `POST` to pay an open one with a new, good card. */
export const invoicePages = (world: World): Hono =>
  new Hono()
    .get('/invoices/:invoice', (c) => {
      const invoice = world.store.find('invoice', c.req.param('invoice'));
      return invoice ? c.html(render(world, invoice)) : c.text('No such invoice.', 404);
    })
    .get('/invoices/:invoice/pdf', (c) => {
      const invoice = world.store.find('invoice', c.req.param('invoice'));
      if (!invoice) return c.text('No such invoice.', 404);
      return c.body(pdf(invoice), 200, { 'content-type': 'application/pdf' });
    })
    .post('/invoices/:invoice', (c) => {
      const invoice = world.store.find('invoice', c.req.param('invoice'));
      if (!invoice) return c.text('No such invoice.', 404);
      world.store.notes.cards[invoice.customer] = 'ok';
      try {
        payInvoice(world, invoice, false);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return c.text(error.message, error.status as 400);
      }
      return c.redirect(`/invoices/${invoice.id}`, 303);
    });
