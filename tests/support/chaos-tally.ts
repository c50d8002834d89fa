/** How often each kind of trouble struck: a chaos that never happens proves nothing. */
export class Tally {
  readonly #counts = new Map<string, number>();

  count(kind: string, times = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times);
  }

  of = (kind: string): number => this.#counts.get(kind) ?? 0;

  missing = (kinds: readonly string[]): string[] => kinds.filter((kind) => this.of(kind) === 0);

  /** One line for all kinds that begin with the same words. */
  lines(): string[] {
    const groups = new Map<string, string[]>();
    for (const [kind, count] of [...this.#counts].toSorted(([a], [b]) => a.localeCompare(b))) {
      const [group = '', rest = ''] = kind.split(/: (.*)/);
      groups.set(group, [...(groups.get(group) ?? []), `${rest} ${count}`.trim()]);
    }
    return [...groups].map(([group, counts]) => `  ${group}: ${counts.join(' · ')}`);
  }
}
