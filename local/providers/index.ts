import { Hono } from 'hono';
import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { SeededFailures } from './seeded-failures.ts';
import { RequestStats, type Stats } from './request-stats.ts';
import { openaiRoutes } from './openai.ts';
import { serperRoutes } from './serper.ts';
import { changed, defaultSettings, type SettingsChange } from './settings.ts';

export type { Stats } from './request-stats.ts';
export type { Settings, SettingsChange } from './settings.ts';

export type Providers = Service & {
  faults: Faults;
  /** For `SERPER_BASE_URL`. */
  serperUrl: string;
  /** For `LLM_BASE_URL`. */
  llmUrl: string;
  stats: () => Stats;
};

/**
 * Search and LLM for development: Serper under `/serper`, OpenAI's form under `/openai/v1`.
 *
 * `/_local/settings` (GET, PUT a part of `Settings`, 422 for what is malformed) changes latencies
 * in milliseconds, the failure rate and rate limits at run time; `/_local/stats` counts requests
 * (`?reset` starts again, for the failures' attempts too); `/_local/faults` has the switches.
 * Throws `TypeError` for malformed options.
 */
export async function startProviders(
  options: SettingsChange & { port?: number | undefined } = {},
): Promise<Providers> {
  const { port = 0, ...change } = options;
  let settings = changed(defaultSettings, change);
  const [faults, requestStats, seeded] = [new Faults(), new RequestStats(), new SeededFailures()];
  const app = new Hono();
  app.use('/serper/*', requestStats.middleware('search'));
  app.use('/openai/*', requestStats.middleware('llm'));
  app.use(faults.middleware());
  app.route(
    '/serper',
    serperRoutes(() => settings, seeded),
  );
  app.route(
    '/openai/v1',
    openaiRoutes(() => settings, seeded),
  );
  app.get('/_local/settings', (c) => c.json(settings));
  app.put('/_local/settings', async (c) => {
    try {
      settings = changed(settings, await c.req.json());
    } catch (error) {
      return c.json({ error: error instanceof Error ? error.message : String(error) }, 422);
    }
    return c.json(settings);
  });
  app.get('/_local/stats', (c) => {
    const stats = requestStats.snapshot();
    if (c.req.query('reset') !== undefined) {
      requestStats.reset();
      seeded.reset();
    }
    return c.json(stats);
  });
  app.route('/_local', faults.routes());
  const service = await listen(app, port);
  return {
    ...service,
    faults,
    serperUrl: `${service.url}/serper`,
    llmUrl: `${service.url}/openai/v1`,
    stats: () => requestStats.snapshot(),
  };
}
