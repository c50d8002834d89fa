import { tooManyUploads } from '../../db/errors.ts';
import { DomainError } from '../errors.ts';

/** What all uploads of an isolate may hold, in bytes: of 128 MB the rest is code, garbage and other requests. */
const mostBytes = 40_000_000;

/** What an upload holds from its first byte on: a piece of the body, its text, rows below the table. */
const readingBytes = 300_000;

/** A row longer than what that has room for: bytes of each of its bytes, and when it must not be much longer. */
const roomyBytes = 131_072;
const unreadFactor = 2;
const longRowBytes = 262_144;

/** Uploads of one user that an isolate knows of, beyond those that the database allows: superseded ones end soon. */
const moreUploads = 2;

/** Bytes of a character of JSON that is gathered: two, where one of them is not Latin-1. */
const gatheredFactor = 2;

/** The same in a statement under way: as a parameter, in the body's JSON and as its bytes. */
const sentFactor = 6;

/** Whoever shows nothing for so long was ended by the runtime; a statement has timed out well before that. */
const forgottenMs = 60_000;
const statementMs = 20_000;

const lookMs = 20;
const patienceMs = 30_000;

type Holding = {
  userId: string;
  /** 0 until it may read. */
  reading: number;
  unread: number;
  gathered: number;
  kept: number;
  waiting: number;
  sending: number;
  sentMs: number;
  seenMs: number;
};

const nothing = {
  reading: 0,
  unread: 0,
  gathered: 0,
  kept: 0,
  waiting: 0,
  sending: 0,
  sentMs: 0,
  seenMs: 0,
};

const busy = () =>
  new DomainError('busy', 'Too many files are being uploaded; try again shortly.', {
    retryAfterSeconds: 10,
  });

/** What an upload tells of its memory; it waits where others hold too much. */
export type UploadMemory = ReturnType<UploadAccount['open']>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The memory of the uploads of one isolate, counted as what is held. Nobody awaits what belongs to another
 * request, since its end would never be heard of: whoever waits looks again, and holds next to nothing.
 * Statements end by themselves, and one may always be under way: somebody always goes on.
 */
export class UploadAccount {
  readonly #holdings = new Set<Holding>();

  /** Bytes held; `isSending`: some statement is under way. */
  held(nowMs: number): { bytes: number; isSending: boolean } {
    let [bytes, isSending] = [0, false];
    for (const holding of this.#holdings) {
      if (nowMs - holding.seenMs >= forgottenMs) {
        this.#holdings.delete(holding);
        continue;
      }
      const sending = nowMs - holding.sentMs < statementMs ? holding.sending : 0;
      bytes += holding.reading + holding.unread + holding.gathered + holding.kept;
      bytes += holding.waiting + sending;
      isSending ||= sending > 0;
    }
    return { bytes, isSending };
  }

  /** Uploads of a user that wait or read. */
  #countOf(userId: string, nowMs: number): number {
    this.held(nowMs);
    return [...this.#holdings].filter((holding) => holding.userId === userId).length;
  }

  /** An upload that is about to read; `now` is its request's clock. */
  open(userId: string, now: () => Date) {
    const holding: Holding = { userId, ...nothing };
    const held = () => this.held(now().getTime());
    const touch = (): void => {
      holding.seenMs = now().getTime();
      this.#holdings.add(holding);
    };
    const look = async (): Promise<void> => {
      await pause(lookMs);
      touch();
    };
    const isFull = (): boolean => {
      const { bytes, isSending } = held();
      return bytes >= mostBytes && isSending;
    };
    const hasRoomFor = (more: number): boolean => {
      const { bytes, isSending } = held();
      return bytes + more <= mostBytes || !isSending;
    };
    return {
      /**
       * Waits until there is room for one more. Throws `too_many_uploads` when the user has more here than
       * `uploads` and those that were superseded, `busy` when there is no room for half a minute.
       */
      begin: async (uploads: number): Promise<void> => {
        const untilMs = now().getTime() + patienceMs;
        if (this.#countOf(userId, now().getTime()) >= uploads + moreUploads)
          throw tooManyUploads(uploads);
        touch();
        // Half of it is for statements, so that uploads that only hold something stop nobody.
        while (held().bytes + readingBytes > mostBytes / 2) {
          if (now().getTime() >= untilMs) {
            this.#holdings.delete(holding);
            throw busy();
          }
          await look();
        }
        holding.reading = readingBytes;
      },
      /**
       * Waits with a piece of the body before its rows are read. Throws `busy` when nobody is about to make
       * room and a row of this upload, which cannot be stored before its end, takes too much of it.
       */
      room: async (): Promise<void> => {
        touch();
        while (isFull()) await look();
        if (holding.unread > longRowBytes && held().bytes >= mostBytes) throw busy();
      },
      /** Bytes of the file that are not cut into rows yet. */
      unread: (bytes: number): void => {
        holding.unread = Math.max(0, bytes - roomyBytes) * unreadFactor;
        touch();
      },
      gathered: (characters: number): void => {
        holding.gathered = characters * gatheredFactor;
        touch();
      },
      /** Bytes that it holds to its end. */
      kept: (bytes: number): void => {
        holding.kept = bytes;
      },
      isScarce: (): boolean => held().bytes >= mostBytes / 2,
      /** Waits for its `turn`, then until so many characters may be sent; the returned function ends it. */
      send: async (characters: number, turn: () => Promise<void>): Promise<() => void> => {
        const [waiting, sending] = [characters * gatheredFactor, characters * sentFactor];
        holding.waiting += waiting;
        touch();
        await turn();
        // Nobody comes between the last look and what it allows.
        while (!hasRoomFor(sending - waiting)) await look();
        holding.waiting -= waiting;
        holding.sending += sending;
        holding.sentMs = now().getTime();
        return () => {
          holding.sending -= sending;
        };
      },
      end: (): void => {
        this.#holdings.delete(holding);
      },
    };
  }
}

/** The one of this isolate. */
export const isolateUploads = new UploadAccount();
