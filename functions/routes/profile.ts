import { Hono } from 'hono';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { readNotifySecret, renewNotifySecret } from '../notifications/secret.ts';
import { senderSchema } from '../processing/sender.ts';
import { readSender, writeSender } from '../users/sender.ts';
import { checked, describe } from './openapi-route.ts';
import { jsonBody, orNull, refusedBody } from './request.ts';
import { notifySecretSchema, senderAnswerSchema } from './schemas.ts';
import type { Session, UserEnv } from './authenticate.ts';

const { shape } = senderSchema;

/** Null clears a field, as leaving it out does; a body that is empty by mistake does not clear them all. */
const senderBody = z
  .strictObject({
    name: orNull(shape.name),
    role: orNull(shape.role),
    company: orNull(shape.company),
    website: orNull(shape.website),
    offer: orNull(shape.offer),
    tone: orNull(shape.tone),
    language: orNull(shape.language),
    signature: orNull(shape.signature),
  })
  .refine(
    (body) => Object.keys(body).length > 0,
    'has no field: to clear them all, give one as null',
  );

const verifying =
  'Verify them as https://www.standardwebhooks.com says: `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` by the bytes that stand in base64 behind `whsec_`.';

/** What a user has written of themselves, and what their notifications are signed with. */
export const profileRoutes = (ctx: Ctx, session: Session) =>
  new Hono<UserEnv>()
    .get(
      '/sender',
      describe({
        tag: 'Account',
        summary: 'Who writes the e-mails',
        description: 'Every field; null where nothing was said.',
        auth: 'user',
        ok: { status: 200, description: 'The sender', schema: senderAnswerSchema },
      }),
      session.require(),
      async (c) => c.json(await readSender(ctx, { userId: c.get('userId') })),
    )
    .put(
      '/sender',
      describe({
        tag: 'Account',
        summary: 'Say who writes the e-mails, and what for',
        description:
          "Takes the place of what was said before: a field that is null or left out is cleared. `language` is `auto` or a tag such as `de`; `signature` stands below every e-mail as it is. A job's own `sender` overrides it field by field; a run keeps what was said when it began.",
        auth: 'user',
        ok: { status: 200, description: 'The sender', schema: senderAnswerSchema },
        errors: [...refusedBody],
      }),
      session.require(),
      jsonBody,
      checked('json', senderBody),
      async (c) =>
        c.json(await writeSender(ctx, { userId: c.get('userId'), sender: c.req.valid('json') })),
    )
    .get(
      '/notify-secret',
      describe({
        tag: 'Account',
        summary: 'What notifications are signed with',
        description: `Made when it is first asked for. ${verifying}`,
        auth: 'user',
        ok: { status: 200, description: 'The secret', schema: notifySecretSchema },
      }),
      session.require(),
      async (c) => {
        c.header('cache-control', 'no-store');
        return c.json(await readNotifySecret(ctx, { userId: c.get('userId') }));
      },
    )
    .post(
      '/notify-secret',
      describe({
        tag: 'Account',
        summary: 'Make a new secret for notifications',
        description:
          'What is sent from now on is signed with it alone, further tries of what is under way too.',
        auth: 'user',
        ok: { status: 201, description: 'The new secret', schema: notifySecretSchema },
      }),
      session.require(),
      async (c) => {
        c.header('cache-control', 'no-store');
        return c.json(await renewNotifySecret(ctx, { userId: c.get('userId') }), 201);
      },
    );
