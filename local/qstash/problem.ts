/** A refusal, answered as `{"error": message}`, the only error form that QStash has. */
export class Refusal extends Error {
  readonly status: 400 | 401 | 404 | 412 | 429;
  readonly headers: Record<string, string>;

  constructor(status: Refusal['status'], message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Refuses what QStash may know and this stand-in does not play, rather than ignore it. */
export const notPlayed = (what: string) =>
  new Refusal(400, `${what} is unknown, or not played by this stand-in`);

/** Of a message that is well formed but cannot be sent: in a batch it fails alone. */
export class Unsendable extends Refusal {}
