import { EventEmitter, once } from 'node:events';
import type { Faults } from '../support/faults.ts';
import { BulkActions } from './bulk-actions.ts';
import { callbackBody, callbackSettings } from './callback.ts';
import { Clock } from './clock.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { Deduplication, deduplicationKey } from './dedup.ts';
import { Dispatcher } from './dispatch.ts';
import { FlowControl } from './flow-control.ts';
import { randomId, SigningKeys } from './keys.ts';
import { Logs } from './logs.ts';
import type { DeadMessage, Draft, Message, Published } from './message.ts';
import { decide } from './outcome.ts';
import { checkQuota, quotas, RateLimits, type Plan } from './plan.ts';
import { Register } from './register.ts';
import { Sender, type Reply } from './sender.ts';
import type { Settings } from './settings.ts';

/** What `startQstash` is given, with defaults filled in. */
type EngineOptions = {
  currentSigningKey: string;
  nextSigningKey: string;
  timeScale: number;
  parallelism: number;
  plan: Plan;
  random: () => number;
};

/** Messages from acceptance to their end: everything but HTTP in. */
export class Engine {
  readonly clock: Clock;
  readonly keys: SigningKeys;
  readonly flowControl: FlowControl;
  readonly rateLimits: RateLimits;
  readonly bulkActions: BulkActions;
  readonly faults: Faults;
  readonly logs = new Logs();
  readonly deadLetters = new DeadLetterQueue();
  readonly #register = new Register();
  readonly #dispatcher: Dispatcher;
  readonly #sender: Sender;
  readonly #dedup: Deduplication;
  readonly #random: () => number;
  readonly #events = new EventEmitter();
  readonly #closing = new AbortController();

  constructor(options: EngineOptions, faults: Faults) {
    this.#random = options.random;
    this.clock = new Clock(options.timeScale);
    this.keys = new SigningKeys(options.currentSigningKey, options.nextSigningKey, options.random);
    this.flowControl = new FlowControl(this.clock, options.parallelism, this.pump);
    this.rateLimits = new RateLimits(this.clock, options.plan);
    this.bulkActions = new BulkActions({
      clock: this.clock,
      plan: options.plan,
      newId: this.newId,
    });
    this.faults = faults;
    this.#dedup = new Deduplication(this.clock);
    this.#sender = new Sender(this.keys, options.random, quotas.maxMessageSize);
    this.#dispatcher = new Dispatcher(
      { clock: this.clock, flowControl: this.flowControl, sender: this.#sender, faults },
      {
        started: (message) => {
          this.#register.move(message, 'active');
          this.logs.add('ACTIVE', message);
        },
        putBack: (message) => this.#register.move(message, 'pending'),
        dueAgain: (message) => this.#due(message),
        ended: (message, reply) => this.#ended(message, reply),
      },
    );
  }

  /** Starts whatever may start; to be called after flow control was changed. */
  pump = (): void => this.#dispatcher.pump();

  newId = (prefix: string, length = 44): string => randomId(prefix, length, this.#random);

  /** Accepts a message unless it is a duplicate; over the size quota → 412. */
  publish(draft: Draft): Published {
    checkQuota('maxMessageSize', draft.body.length);
    const key = deduplicationKey(draft.url, draft.settings, draft.body);
    const earlier = key === undefined ? undefined : this.#dedup.find(key);
    if (earlier !== undefined) return { messageId: earlier, deduplicated: true };
    const message = this.create(draft);
    if (key !== undefined) this.#dedup.remember(key, message.id);
    return { messageId: message.id };
  }

  /** Makes a message, past deduplication. */
  create({ url, settings, body, callerIp }: Draft): Message {
    const createdAt = Date.now();
    const notBefore = settings.notBefore ?? createdAt + (settings.delayMs ?? 0);
    const message: Message = {
      id: this.newId('msg_'),
      url,
      body,
      settings,
      callerIp,
      createdAt,
      notBefore,
      state: 'pending',
      retried: 0,
      cancelRequested: false,
    };
    this.#register.add(message);
    this.logs.add('CREATED', message);
    if (settings.flowKey !== undefined)
      this.flowControl.key(settings.flowKey).configure(settings.limits ?? {});
    this.#wait(message, notBefore - createdAt);
    return message;
  }

  /** Messages that are neither delivered, failed nor cancelled. */
  get live(): ReadonlyMap<string, Message> {
    return this.#register.live;
  }

  /**
   * Takes a live message back, once: false if there is none, or it was asked before. One in flight
   * goes on; if that attempt fails, there is no other (https://upstash.com/docs/qstash/howto/debug-logs:
   * "If retries are not exhausted yet, in the next deliver time, … marked as CANCELLED").
   */
  cancel = (id: string): boolean => {
    const message = this.live.get(id);
    if (!message || message.cancelRequested) return false;
    this.logs.add('CANCEL_REQUESTED', message);
    message.cancelRequested = true;
    if (message.state === 'active') return true;
    this.clock.cancel(message.alarm);
    if (message.state === 'waiting') this.flowControl.dropWaiting(message);
    this.logs.add('CANCELLED', message);
    this.#finish(message, 'cancelled');
    return true;
  };

  /** A new message with the body and settings of a dead one, which leaves the queue. */
  revive({ dlqId, message }: DeadMessage, overrides: Settings): Published {
    const { delayMs: _delay, notBefore: _time, ...kept } = message.settings;
    const header = { ...kept.header, ...overrides.header };
    const { url, body, callerIp } = message;
    this.deadLetters.delete(dlqId);
    const revived = this.create({
      url,
      body,
      callerIp,
      settings: { ...kept, ...overrides, header },
    });
    return { messageId: revived.id };
  }

  /** Resolves when nothing is pending or in flight; rejects after `timeoutMs` or on close. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.live.size === 0) return;
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#closing.signal]);
    await once(this.#events, 'idle', { signal }).catch(() => {
      const why = this.#closing.signal.aborted
        ? 'was closed while draining'
        : `is not idle after ${timeoutMs} ms`;
      throw new Error(`QStash ${why}: ${JSON.stringify(this.state())}`);
    });
  }

  /** Counts of messages now (pending, waiting, active) and so far (the final states). */
  state() {
    return {
      messages: { ...this.#register.counts },
      inFlight: this.flowControl.active,
      dlq: this.deadLetters.size,
      attempts: this.#dispatcher.attempts,
      timeScale: this.clock.scale,
    };
  }

  close(): void {
    this.#dispatcher.close();
    this.clock.close();
    this.#sender.close();
    this.#closing.abort();
  }

  #wait(message: Message, ms: number): void {
    if (ms > 0) message.alarm = this.clock.after(ms, () => this.#due(message));
    else this.#due(message);
  }

  #due(message: Message): void {
    message.alarm = undefined;
    if (message.state !== 'pending') return;
    this.#register.move(message, 'waiting');
    this.flowControl.push(message);
    this.pump();
  }

  #ended(message: Message, reply: Reply): void {
    const outcome = decide(message, reply, Date.now());
    const { callback } = message.settings;
    if (callback) this.#callBack(message, callback, reply);
    if (outcome.kind === 'delivered') {
      this.logs.add('DELIVERED', message);
      this.#finish(message, 'delivered');
      return;
    }
    this.logs.add('ERROR', message, { reply });
    if (outcome.kind === 'failed') this.#failed(message, reply);
    else if (message.cancelRequested) {
      this.logs.add('CANCELLED', message);
      this.#finish(message, 'cancelled');
    } else {
      const nextDeliveryTime = Date.now() + Math.round(outcome.waitMs / this.clock.scale);
      this.logs.add('RETRY', message, { nextDeliveryTime });
      message.retried += 1;
      this.#register.move(message, 'pending');
      this.#wait(message, outcome.waitMs);
    }
  }

  #failed(message: Message, reply: Reply): void {
    const dlqId = this.deadLetters.add(message, reply);
    this.logs.add('FAILED', message, { reply });
    const { failureCallback } = message.settings;
    if (failureCallback) this.#callBack(message, failureCallback, reply, dlqId);
    this.#finish(message, 'failed');
  }

  #callBack(message: Message, url: string, reply: Reply, dlqId?: string): void {
    const { callbackSettings: own, failureSettings } = message.settings;
    this.create({
      url,
      body: callbackBody(message, reply, dlqId),
      settings: callbackSettings(message, dlqId === undefined ? own : failureSettings),
      callerIp: message.callerIp,
    });
  }

  #finish(message: Message, state: 'delivered' | 'failed' | 'cancelled'): void {
    this.#register.finish(message, state);
    if (this.live.size === 0) this.#events.emit('idle');
  }
}
