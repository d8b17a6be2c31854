/** What stands for the same, found out pair by pair. */
export class Alike {
  readonly #sameAs = new Map<string, string>();

  join(a: string, b: string): void {
    const [one, other] = [this.find(a), this.find(b)];
    if (one !== other) this.#sameAs.set(one, other);
  }

  /** One of those that stand for the same: always the same one of them, until more are joined. */
  find(start: string): string {
    let at = start;
    for (let next = this.#sameAs.get(at); next !== undefined; next = this.#sameAs.get(at)) at = next;
    return at;
  }
}
