import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Environment, root } from './settings.ts';

/**
 * Removes the stand-in's webhook endpoints but the one at `keep`: those of earlier ports lead nowhere,
 * and one whose secret was lost in a crash can only be made anew.
 */
export async function removeEndpoints(env: Environment, keep: string | undefined): Promise<void> {
  const endpoints = `${env['STRIPE_API_BASE']}/v1/webhook_endpoints`;
  const headers = { authorization: `Bearer ${env['STRIPE_SECRET_KEY']}` };
  const list = await fetch(`${endpoints}?limit=100`, { headers });
  const { data } = (await list.json()) as { data: { id: string; url: string }[] };
  for (const { id } of data.filter(({ url }) => url !== keep))
    await fetch(`${endpoints}/${id}`, { method: 'DELETE', headers });
}

/**
 * Creates products, prices and the webhook endpoint, as `npm run stripe:setup` does.
 * Gives the endpoint's secret, or null if Stripe no longer tells it (the endpoint was there already).
 * @throws Error with the script's own words.
 */
export async function setUpStripe(env: Environment): Promise<string | null> {
  const script = join(root, 'scripts/stripe-setup.ts');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, '--json'], {
      cwd: root,
      env: { ...process.env, ...env },
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    return (JSON.parse(last) as { webhookSecret: string | null }).webhookSecret;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const told = /^\w*Error: .*$/m.exec(stderr ?? '')?.[0] ?? stderr?.trim();
    throw new Error(`Stripe could not be set up. ${told || message}`, { cause: error });
  }
}
