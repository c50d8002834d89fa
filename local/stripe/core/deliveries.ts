import { hourSeconds, minuteSeconds } from './clock.ts';
import type { Faults } from '../../support/faults.ts';
import { sleep } from '../../support/http.ts';
import { signPayload } from './sign.ts';
import type { StripeEvent, WebhookEndpoint } from './types.ts';
import type { World } from './world.ts';

/** One try: `status` is what the endpoint answered, or null if it did not. `at` is in ms. */
type Attempt = { at: number; status: number | null; error?: string };
/** The delivery of one event to one endpoint. */
export type Delivery = {
  event: string;
  type: string;
  endpoint: string;
  url: string;
  state: 'pending' | 'delivered' | 'failed';
  attempts: Attempt[];
  /** When the next try is due, in real ms; null if none is. */
  nextAt: number | null;
};

/** Waits between tries, in seconds, then every twelve hours for three days. Source: https://docs.stripe.com/webhooks#retries */
const waits = [
  5,
  5 * minuteSeconds,
  30 * minuteSeconds,
  2 * hourSeconds,
  5 * hourSeconds,
  10 * hourSeconds,
  ...Array<number>(5).fill(12 * hourSeconds),
];
const answerTimeoutMs = 10_000;
/** How long a reordered delivery waits for another one to overtake it. */
const reorderMs = 1_000;

/** Sends events to webhook endpoints: in parallel, each on its own, with retries. */
export class Deliveries {
  readonly all: Delivery[] = [];
  #world: World;
  #faults: Faults;
  #timeScale: number;
  #paused = false;
  #closed = false;
  #flying = new Set<Delivery>();
  #timers = new Map<Delivery, NodeJS.Timeout>();
  #overtakers: { endpoint: string; go: () => void }[] = [];

  constructor(world: World, faults: Faults, timeScale: number) {
    this.#world = world;
    this.#faults = faults;
    this.#timeScale = timeScale;
  }

  /** Makes one delivery per matching enabled endpoint. */
  dispatch(event: StripeEvent): void {
    const matching = this.#world.store
      .all('webhook_endpoint')
      .filter(
        (one) =>
          one.status === 'enabled' &&
          one.enabled_events.some((type) => type === '*' || type === event.type),
      );
    event.pending_webhooks = matching.length;
    for (const { id, url } of matching) this.#start(event, id, url);
  }

  /** Sends an event to one endpoint, whatever types that asked for. */
  dispatchTo(event: StripeEvent, { id, url }: WebhookEndpoint): void {
    this.#start(event, id, url);
  }

  /** Posts a text as it stands, signed, once; gives what the endpoint answered. */
  post({ id, url }: WebhookEndpoint, payload: string): Promise<Attempt> {
    const secret = this.#world.store.notes.secrets[id] ?? '';
    return this.#call({ at: Date.now(), payload, secret, url });
  }

  #start(event: StripeEvent, endpoint: string, url: string): void {
    const { id, type } = event;
    const delivery: Delivery = {
      event: id,
      type,
      endpoint,
      url,
      state: 'pending',
      attempts: [],
      nextAt: 0,
    };
    this.all.push(delivery);
    this.#schedule(delivery, 0);
  }

  #schedule(delivery: Delivery, waitMs: number): void {
    delivery.nextAt = Date.now() + waitMs;
    clearTimeout(this.#timers.get(delivery));
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(delivery);
      if (!this.#paused) void this.#attempt(delivery);
    }, waitMs);
    this.#timers.set(delivery, timer.unref());
  }

  async #attempt(delivery: Delivery): Promise<void> {
    if (this.#flying.has(delivery) || this.#closed) return;
    this.#flying.add(delivery);
    delivery.nextAt = null;
    const attempt = await this.#send(delivery);
    delivery.attempts.push(attempt);
    this.#flying.delete(delivery);
    this.#overtake(delivery.endpoint);
    if (attempt.status !== null && attempt.status >= 200 && attempt.status < 300) {
      if (delivery.state === 'pending') this.#settle(delivery);
      delivery.state = 'delivered';
      return;
    }
    const wait = waits[delivery.attempts.length - 1];
    if (delivery.state !== 'pending') return;
    if (wait === undefined) delivery.state = 'failed';
    else this.#schedule(delivery, (wait * 1000) / this.#timeScale);
  }

  #settle(delivery: Delivery): void {
    const event = this.#world.store.find('event', delivery.event);
    if (event) event.pending_webhooks = Math.max(0, event.pending_webhooks - 1);
  }

  /** One try with its faults. The signature carries real time: receivers check its age. */
  async #send(delivery: Delivery): Promise<Attempt> {
    const struck = this.#faults.take('delivery', `${delivery.type} ${delivery.url}`);
    const of = (kind: string) => struck.find((fault) => fault.kind === kind);
    if (of('reorder')) await this.#waitToBeOvertaken(delivery.endpoint);
    await sleep(of('latency')?.ms ?? 0);
    const at = Date.now();
    const cut = of('drop');
    if (cut && cut.when !== 'after') return { at, status: null, error: 'dropped by a fault' };
    const forced = of('status')?.status;
    if (forced !== undefined) return { at, status: forced, error: 'forced by a fault' };
    const sent = await Promise.all(
      Array.from({ length: of('duplicate') ? 2 : 1 }, () => this.#post(delivery, at)),
    );
    return cut
      ? { at, status: null, error: 'answer dropped by a fault' }
      : (sent[0] ?? { at, status: null });
  }

  async #post(delivery: Delivery, at: number): Promise<Attempt> {
    const event = this.#world.store.find('event', delivery.event);
    const secret = this.#world.store.notes.secrets[delivery.endpoint];
    if (!event || secret === undefined) return { at, status: null, error: 'endpoint deleted' };
    return this.#call({ at, payload: JSON.stringify(event, null, 2), secret, url: delivery.url });
  }

  async #call(given: {
    at: number;
    payload: string;
    secret: string;
    url: string;
  }): Promise<Attempt> {
    const { at, payload, secret, url } = given;
    try {
      const answer = await fetch(url, {
        method: 'POST',
        body: payload,
        redirect: 'manual',
        signal: AbortSignal.timeout(answerTimeoutMs),
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
          'stripe-signature': signPayload(payload, secret, Math.floor(at / 1000)),
        },
      });
      await answer.body?.cancel();
      return { at, status: answer.status };
    } catch (error) {
      return { at, status: null, error: error instanceof Error ? error.message : 'failed' };
    }
  }

  #waitToBeOvertaken(endpoint: string): Promise<void> {
    return Promise.race([
      sleep(reorderMs),
      new Promise<void>((go) => this.#overtakers.push({ endpoint, go })),
    ]);
  }

  #overtake(endpoint: string): void {
    const waiting = this.#overtakers.filter((one) => one.endpoint === endpoint);
    this.#overtakers = this.#overtakers.filter((one) => one.endpoint !== endpoint);
    for (const { go } of waiting) go();
  }

  /** Holds back every delivery, or lets the held ones go. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (paused) return;
    for (const delivery of this.all)
      if (delivery.nextAt !== null && !this.#timers.has(delivery))
        this.#schedule(delivery, Math.max(0, delivery.nextAt - Date.now()));
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Sends an event again to every endpoint that now matches it, delivered before or not. */
  redeliver(event: StripeEvent): number {
    const before = this.all.length;
    this.dispatch(event);
    return this.all.length - before;
  }

  #isBusy(deadline: number): boolean {
    if (this.#flying.size > 0) return true;
    if (this.#paused) return false;
    return this.all.some((one) => one.nextAt !== null && one.nextAt <= deadline);
  }

  /**
   * Waits until nothing is in flight and no try is due before the timeout; held ones do not count.
   * @throws Error naming how many are left when the timeout passes.
   */
  async drain(timeoutMs = 10_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (this.#isBusy(deadline)) {
      if (Date.now() > deadline) {
        const left = this.all.filter((one) => one.nextAt !== null).length + this.#flying.size;
        throw new Error(`Stripe stand-in: ${left} deliveries are left after ${timeoutMs} ms.`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  load(saved: Delivery[]): void {
    this.all.push(...saved);
    for (const delivery of saved) {
      if (delivery.state !== 'pending') continue;
      const due = (delivery.nextAt ?? Date.now()) - Date.now();
      this.#schedule(delivery, Math.max(0, due));
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
