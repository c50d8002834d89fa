import type { Job } from './worker-client.ts';

export type StreamedEvent = { event: string; id: string; job: Job };

/** A reader of Server-Sent Events of a job, as the HTML standard has them; comments are passed over. */
export class JobStream {
  /** All that has come, as it came. */
  text = '';
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #gone: AbortController;
  readonly #decoder = new TextDecoder();
  #parsed = 0;

  private constructor(reader: ReadableStreamDefaultReader<Uint8Array>, gone: AbortController) {
    this.#reader = reader;
    this.#gone = gone;
  }

  static async open(
    url: string,
    token: string,
    id: string,
    lastEventId?: string,
  ): Promise<JobStream> {
    const gone = new AbortController();
    const answer = await fetch(`${url}/v1/jobs/${id}/events`, {
      headers: {
        authorization: `Bearer ${token}`,
        ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
      },
      signal: gone.signal,
    });
    if (answer.status !== 200 || !answer.body) throw new Error(`events → ${answer.status}`);
    return new JobStream(answer.body.getReader(), gone);
  }

  /** What comes up to the first event that `isLast`, or to the end of the stream. */
  async until(isLast: (event: StreamedEvent) => boolean): Promise<StreamedEvent[]> {
    const events: StreamedEvent[] = [];
    for (;;) {
      const event = this.#take();
      if (event) {
        events.push(event);
        if (isLast(event)) return events;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return events;
      this.text += this.#decoder.decode(value, { stream: true });
    }
  }

  rest = (): Promise<StreamedEvent[]> => this.until(() => false);

  /** Goes away, as a browser whose tab is closed. */
  leave(): void {
    this.#gone.abort();
  }

  #take(): StreamedEvent | undefined {
    for (;;) {
      const end = this.text.indexOf('\n\n', this.#parsed);
      if (end < 0) return undefined;
      const lines = this.text.slice(this.#parsed, end).split('\n');
      this.#parsed = end + 2;
      const of = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = of('data');
      if (data !== undefined)
        return { event: of('event') ?? '', id: of('id') ?? '', job: JSON.parse(data) as Job };
    }
  }
}
