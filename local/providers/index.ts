import { Hono } from 'hono';
import { Faults } from '../support/faults.ts';
import { listen, type Service } from '../support/http.ts';
import { openaiRoutes } from './openai.ts';
import { RequestStats, type Stats } from './request-stats.ts';
import { Script } from './script.ts';
import { SeededFailures } from './seeded-failures.ts';
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
 * `/_local/settings` (GET, PUT a part of `Settings`, 422 for what is malformed) changes how they behave
 * at run time; `/_local/stats` counts requests (`?reset` starts again, for the failures' attempts too);
 * `/_local/faults` has the switches. Throws `TypeError` for malformed options.
 */
export async function startProviders(
  options: SettingsChange & { port?: number | undefined } = {},
): Promise<Providers> {
  const { port = 0, ...change } = options;
  const [faults, stats, script] = [new Faults(), new RequestStats(), new Script()];
  const seeded = new SeededFailures();
  let settings = defaultSettings;
  const apply = (change: SettingsChange) => {
    const next = changed(settings, change);
    if (change.script) script.start(next.script);
    settings = next;
  };
  apply(change);
  const run = { settings: () => settings, script, seeded };
  const app = new Hono();
  app.use('/serper/*', stats.middleware('search'));
  app.use('/openai/*', stats.middleware('llm'));
  app.use(faults.middleware());
  app.route('/serper', serperRoutes(run));
  app.route('/openai/v1', openaiRoutes(run));
  app.get('/_local/settings', (c) => c.json(settings));
  app.put('/_local/settings', async (c) => {
    try {
      apply(await c.req.json().catch(() => undefined));
    } catch (error) {
      return c.json({ error: error instanceof Error ? error.message : String(error) }, 422);
    }
    return c.json(settings);
  });
  app.get('/_local/stats', (c) => {
    const snapshot = stats.snapshot();
    if (c.req.query('reset') !== undefined) {
      stats.reset();
      seeded.reset();
    }
    return c.json(snapshot);
  });
  app.route('/_local', faults.routes());
  const service = await listen(app, port);
  return {
    ...service,
    faults,
    serperUrl: `${service.url}/serper`,
    llmUrl: `${service.url}/openai/v1`,
    stats: () => stats.snapshot(),
  };
}
