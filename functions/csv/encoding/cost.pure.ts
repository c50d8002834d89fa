/** All costs are in nats: the logarithm of how rare something is. */
export const rare = { pair: 12, place: 12, control: 14, foreignLetter: 12, foreignCharacter: 13 };

/** What the words of a text cost under one reading of its bytes. */
export class Cost {
  nats = 0;
  /** What of it are letters, and how many steps from letter to letter. */
  spelling = 0;
  steps = 0;
  /** What hardly anybody writes: letters of two scripts or a capital inside a word, a sign at no place of its own. */
  faults = 0;
  /** Steps at letters that stand alone: any letter may. */
  #loneSteps = 0;

  /** There are letters, and none stands beside another. */
  get isLone(): boolean {
    return this.steps > 0 && this.steps === this.#loneSteps;
  }

  add(nats: number): void {
    this.nats += nats;
  }

  fault(nats: number, count = 1): void {
    this.nats += nats * count;
    this.faults += count;
  }

  spellLone(nats: number, steps: number): void {
    this.spell(nats, steps);
    this.#loneSteps += steps;
  }

  spell(nats: number, steps: number): void {
    this.nats += nats;
    this.spelling += nats;
    this.steps += steps;
  }
}
