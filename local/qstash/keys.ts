const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** `prefix` and `length` letters and digits drawn with `random`. */
export function randomId(prefix: string, length: number, random: () => number): string {
  let id = prefix;
  for (let at = 0; at < length; at += 1) id += alphabet[Math.floor(random() * alphabet.length)];
  return id;
}

/** The two signing keys; what is sent is signed with the current one. */
export class SigningKeys {
  shown: { current: string; next: string };
  #random: () => number;

  constructor(current: string, next: string, random: () => number) {
    this.shown = { current, next };
    this.#random = random;
  }

  /** The next key becomes the current one, and a fresh next key is made. */
  rotate(): SigningKeys['shown'] {
    this.shown = { current: this.shown.next, next: randomId('sig_', 28, this.#random) };
    return this.shown;
  }
}
