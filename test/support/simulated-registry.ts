import { setImmediate as settled } from "node:timers/promises";
import type { Descriptor } from "../../src/core/oci/descriptor.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import type { BlobSource, ContentStore, ReferrersListing } from "../../src/core/ports.ts";
import type { PublisherClock } from "../../src/core/tags/ports.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import type { MemoryStore } from "./memory-store.ts";

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Virtual time: nobody waits, and what happens when is the same in every run. */
export class World {
  #now: number;
  #order = 0;
  #waiting: Waiting[] = [];

  constructor(start: Instant) {
    this.#now = start;
  }

  get now(): Instant {
    return instant(Math.floor(this.#now));
  }

  delay(milliseconds: number): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push({ at: this.#now + milliseconds, order: this.#order++, wake });
    });
  }

  /** Lets time go on until all of these have ended, whichever way, and then until nothing is left to happen. */
  async run<Result>(tasks: readonly Promise<Result>[]): Promise<readonly PromiseSettledResult<Result>[]> {
    const ended = Promise.allSettled(tasks);
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    return await ended;
  }

  async #next(): Promise<Waiting | undefined> {
    await settled();
    this.#waiting.sort((a, b) => b.at - a.at || b.order - a.order);
    return this.#waiting.pop();
  }
}

/** What becomes of one request. Milliseconds; `lost`: its client is gone, before or after it was carried out. */
export interface Weather {
  readonly there: number;
  readonly back: number;
  readonly lost?: "before" | "after" | undefined;
  /** A write whose client gives up waiting, and which is carried out this much later. */
  readonly late?: number | undefined;
}

/** Thrown to nobody: whoever was killed does nothing any more. */
export const KILLED = new Error("killed");

/** One publisher's way to a registry that several share. Each request takes its time there and back. */
export class SimulatedStore implements ContentStore {
  readonly kind = "registry";
  readonly #world: World;
  readonly #registry: MemoryStore;
  readonly #weather: (call: string) => Weather;

  constructor(world: World, registry: MemoryStore, weather: (call: string) => Weather) {
    this.#world = world;
    this.#registry = registry;
    this.#weather = weather;
  }

  get location(): string {
    return this.#registry.location;
  }

  get repository(): string | undefined {
    return this.#registry.repository;
  }

  async #request<Result>(
    call: string,
    carryOut: () => Promise<Result>,
    { there, back, lost } = this.#weather(call),
  ): Promise<Result> {
    await this.#world.delay(there);
    if (lost === "before") throw KILLED;
    const result = await carryOut();
    if (lost === "after") throw KILLED;
    await this.#world.delay(back);
    return result;
  }

  resolve(target: string | undefined): Promise<Manifest | undefined> {
    return this.#request(`resolve ${target}`, () => this.#registry.resolve(target));
  }

  manifest(descriptor: Descriptor): Promise<Manifest> {
    return this.#request("manifest", () => this.#registry.manifest(descriptor));
  }

  openBlob(descriptor: Descriptor, offset?: number): AsyncIterable<Uint8Array> {
    return this.#registry.openBlob(descriptor, offset);
  }

  readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
    return this.#request("readBlob", () => this.#registry.readBlob(descriptor, maxBytes));
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#request("hasBlob", () => this.#registry.hasBlob(descriptor));
  }

  hasManifest(descriptor: Descriptor): Promise<boolean> {
    return this.#request("hasManifest", () => this.#registry.hasManifest(descriptor));
  }

  referrers(subject: Digest): Promise<ReferrersListing> {
    return this.#request("referrers", () => this.#registry.referrers(subject));
  }

  tags(): Promise<readonly string[]> {
    return this.#request("tags", () => this.#registry.tags());
  }

  pushBlob(descriptor: Descriptor, source: BlobSource): Promise<"stored" | "present" | "mounted"> {
    return this.#request("pushBlob", () => this.#registry.pushBlob(descriptor, source));
  }

  async pushManifest(manifest: Manifest, tag?: string): Promise<void> {
    const call = `pushManifest ${tag ?? "by digest"}`;
    const weather = this.#weather(call);
    if (weather.late === undefined || tag === undefined) {
      await this.#request(call, () => this.#registry.pushManifest(manifest, tag), weather);
      return;
    }
    void this.#world.delay(weather.late).then(() => this.#registry.pushManifest(manifest, tag));
    await this.#world.delay(weather.there + weather.back);
  }

  async close(): Promise<void> {}
}

/** The clock of one machine, which may be ahead of the others. */
export class SimulatedClock implements PublisherClock {
  readonly #world: World;
  readonly #ahead: number;
  readonly #random: () => number;

  constructor(world: World, ahead: number, random: () => number) {
    this.#world = world;
    this.#ahead = ahead;
    this.#random = random;
  }

  now(): Instant {
    return instant(this.#world.now + this.#ahead);
  }

  sleep(milliseconds: number): Promise<void> {
    return this.#world.delay(milliseconds);
  }

  random(): number {
    return this.#random();
  }
}
