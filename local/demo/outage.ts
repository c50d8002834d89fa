import { setTimeout as delay } from 'node:timers/promises';
import type { Handles } from '../stack/parts.ts';
import type { Waiting } from './api.ts';

type Outage = {
  rows: number;
  seconds: number;
  /** Called as it begins. */
  begins: () => void;
  /** Aborted when it is not wanted any more. */
  signal: AbortSignal;
};

/** Whether the signal has not come within so long. */
const passes = (ms: number, signal: AbortSignal): Promise<boolean> =>
  delay(ms, true, { signal }).catch(() => false);

/**
 * Takes the model away for a while once it was asked for a third of the rows; ends with the outage.
 * @throws Error when the model is not the local one.
 */
export async function takeModelAway(
  { providers }: Handles,
  { rows, seconds, begins, signal }: Outage,
): Promise<void> {
  if (!providers) throw new Error('--outage needs the local providers');
  while (providers.stats().llm.requests < rows / 3) if (!(await passes(5, signal))) return;
  // In this process, so that it begins at once, however busy the machine is.
  providers.faults.add({ kind: 'status', status: 503, match: 'POST /openai/' });
  begins();
  await passes(seconds * 1000, signal);
  providers.faults.clear();
}

const said: Record<string, string> = {
  unavailable: 'does not answer',
  rate_limited: 'takes no more requests',
  quota_exhausted: 'has no quota left',
  refused: 'refuses us',
};

/** Why a job waits, as its progress says it. */
export const whyItWaits = ({ provider, reason, until }: Waiting): string =>
  `the ${provider === 'search' ? 'search engine' : 'model'} ${said[reason] ?? reason}; waiting${until ? ` until ${until}` : ''}`;
