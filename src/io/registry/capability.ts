import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { isObject, type JsonObject, type JsonValue, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { openRegular } from "../disk/files.ts";
import type { Clock } from "../http/clock.ts";

/** What a registry may lack, and what it costs a request to find out. */
export type Capability = "referrers-api" | "single-post-upload";

/** What was seen of a registry, and when, in milliseconds: by capability, and by repository. */
interface Seen {
  readonly lacks: Map<string, number>;
  readonly holdsEmpty: Map<string, number>;
}

/**
 * What registries were found to lack, and where `{}` was stored, for LIMITS.capabilityMs on disk and in memory. It saves
 * requests and never decides a verdict: a wrong or lost memory costs a request, or a `{}` that `stored-blobs.ts` does without.
 * One file per registry, so that processes do not overwrite each other's knowledge of others; whatever cannot be read or
 * written is as if it were not there.
 */
export class CapabilityMemory {
  readonly #folder: string | undefined;
  readonly #clock: Clock;
  readonly #known = new Map<string, Promise<Seen>>();
  #written: Promise<void> = Promise.resolve();

  /** @param folder Where it is kept; only in memory where there is none. */
  constructor(folder: string | undefined, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async lacks(registry: string, capability: Capability): Promise<boolean> {
    return this.#isFresh((await this.#of(registry)).lacks.get(capability));
  }

  async note(registry: string, capability: Capability, state: "there" | "lacking"): Promise<void> {
    await this.#note(registry, "lacks", capability, state === "lacking");
  }

  /** Whether a repository was seen to hold `{}`. */
  async holdsEmpty(registry: string, repository: string): Promise<boolean> {
    return this.#isFresh((await this.#of(registry)).holdsEmpty.get(repository));
  }

  async noteEmpty(registry: string, repository: string, isThere: boolean): Promise<void> {
    await this.#note(registry, "holdsEmpty", repository, isThere);
  }

  async #note(registry: string, kind: keyof Seen, name: string, isSo: boolean): Promise<void> {
    const seen = (await this.#of(registry))[kind];
    if (this.#isFresh(seen.get(name)) === isSo) return;
    seen.delete(name);
    if (isSo) seen.set(name, this.#clock.now());
    for (const oldest of seen.keys()) if (seen.size > LIMITS.rememberedRepositories) seen.delete(oldest);
    // One after the other: what is written last is what is known last.
    this.#written = this.#written.then(() => this.#write(registry));
    await this.#written;
  }

  #of(registry: string): Promise<Seen> {
    const known = this.#known.get(registry) ?? this.#read(registry).catch(() => seenIn({}));
    this.#known.set(registry, known);
    return known;
  }

  #isFresh(seen: number | undefined): boolean {
    const age = this.#clock.now() - (seen ?? Number.NaN);
    return age >= 0 && age < LIMITS.capabilityMs;
  }

  async #read(registry: string): Promise<Seen> {
    const path = this.#path(registry);
    const file = path === undefined ? undefined : await openRegular(path);
    if (file === undefined || typeof file === "string") return seenIn({});
    try {
      if (file.size > LIMITS.capabilityBytes) return seenIn({});
      const options = { what: "the memory", code: "disk-error", maxBytes: LIMITS.capabilityBytes } as const;
      const json = parseJson(await file.handle.readFile(), options);
      const isOurs = isObject(json) && json["schemaVersion"] === 1 && json["registry"] === registry;
      return seenIn(isOurs ? json : {});
    } finally {
      await file.handle.close();
    }
  }

  async #write(registry: string): Promise<void> {
    const path = this.#path(registry);
    if (this.#folder === undefined || path === undefined) return;
    const { lacks, holdsEmpty } = await this.#of(registry);
    const seen = { lacks: Object.fromEntries(lacks), holdsEmpty: Object.fromEntries(holdsEmpty) };
    const text = JSON.stringify({ schemaVersion: 1, registry, ...seen });
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(path, encodeUtf8(`${text}\n`), { mayBeLost: true });
    } catch {
      // The next command asks the registry again.
    }
  }

  #path(registry: string): string | undefined {
    return this.#folder === undefined ? undefined : join(this.#folder, `${encodeURIComponent(registry)}.json`);
  }
}

function seenIn(json: JsonObject): Seen {
  return { lacks: timesIn(json["lacks"]), holdsEmpty: timesIn(json["holdsEmpty"]) };
}

function timesIn(json: JsonValue | undefined): Map<string, number> {
  const entries = isObject(json) ? Object.entries(json) : [];
  return new Map(entries.flatMap(([name, seen]) => (typeof seen === "number" ? [[name, seen] as const] : [])));
}
