/**
 * Which hosts still get anywhere. Progress is a body that arrived whole, or LIMITS.idleBytes of one. Where a request timed
 * out and nothing at its host has made progress since it began, the host is given up for as long as was waited: the
 * requests that follow would only wait as long again, one after the other.
 */
export class Pulse {
  readonly #progressed = new Map<string, number>();
  readonly #silentUntil = new Map<string, number>();

  progressed(host: string): void {
    this.#progressed.set(host, performance.now());
    this.#silentUntil.delete(host);
  }

  /** @param began When the request did, on the clock of `performance.now`. */
  timedOut(host: string, began: number): void {
    const now = performance.now();
    if ((this.#progressed.get(host) ?? Number.NEGATIVE_INFINITY) <= began)
      this.#silentUntil.set(host, now + now - began);
  }

  isSilent(host: string): boolean {
    return performance.now() < (this.#silentUntil.get(host) ?? 0);
  }
}
