import { join } from 'node:path';
import { keptSecrets, signToken } from './stack/secrets.ts';
import { readEnvironment, root } from './stack/settings.ts';

const usage = 'Usage: npm run token -- SUB EMAIL\n';

/** Prints a user token for the local stack, or says why there is none. Gives the exit code. */
async function main(args: string[]): Promise<number> {
  const [sub, email, ...rest] = args;
  if (!sub || !email || rest.length > 0) {
    process.stderr.write(usage);
    return 2;
  }
  const env = readEnvironment();
  const secret = env['AUTH_JWT_SECRET'] ?? keptSecrets(join(root, '.rowloom')).authJwtSecret;
  if (!secret) {
    process.stderr.write(
      'No AUTH_JWT_SECRET: set it (or put it into .dev.vars), or run `npm run dev` once, which makes one.\n',
    );
    return 1;
  }
  const [issuer, audience] = [env['AUTH_ISSUER'], env['AUTH_AUDIENCE']];
  process.stdout.write(`${await signToken({ secret, sub, email, issuer, audience })}\n`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
