import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { isObject, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { openRegular } from "../disk/files.ts";
import type { Clock } from "../http/clock.ts";

/** What a registry may lack, and what it costs a request to find out. */
export type Capability = "referrers-api" | "single-post-upload";

const CAPABILITIES: readonly Capability[] = ["referrers-api", "single-post-upload"];
const MAX_BYTES = 4096;

type Lacks = Partial<Record<Capability, number>>;

/**
 * What registries were found to lack, for LIMITS.capabilityMs on disk and in memory. It saves requests and never
 * decides anything: a wrong or lost memory costs a request. One file per registry, so that processes do not overwrite
 * each other's knowledge of others; whatever cannot be read or written is as if it were not there.
 */
export class CapabilityMemory {
  readonly #folder: string | undefined;
  readonly #clock: Clock;
  readonly #known = new Map<string, Promise<Lacks>>();

  /** @param folder Where it is kept; only in memory where there is none. */
  constructor(folder: string | undefined, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async lacks(registry: string, capability: Capability): Promise<boolean> {
    const seen = (await this.#of(registry))[capability];
    return seen !== undefined && this.#isFresh(seen);
  }

  async note(registry: string, capability: Capability, state: "there" | "lacking"): Promise<void> {
    const known = await this.#of(registry);
    if ((await this.lacks(registry, capability)) === (state === "lacking")) return;
    const { [capability]: _, ...others } = known;
    const next = state === "there" ? others : { ...others, [capability]: this.#clock.now() };
    this.#known.set(registry, Promise.resolve(next));
    await this.#write(registry, next);
  }

  #of(registry: string): Promise<Lacks> {
    const known = this.#known.get(registry) ?? this.#read(registry).catch(() => ({}));
    this.#known.set(registry, known);
    return known;
  }

  #isFresh(seen: number): boolean {
    const age = this.#clock.now() - seen;
    return age >= 0 && age < LIMITS.capabilityMs;
  }

  async #read(registry: string): Promise<Lacks> {
    const path = this.#path(registry);
    const file = path === undefined ? undefined : await openRegular(path);
    if (file === undefined || typeof file === "string") return {};
    try {
      if (file.size > MAX_BYTES) return {};
      const options = { what: "the memory", code: "disk-error", maxBytes: MAX_BYTES } as const;
      const json = parseJson(await file.handle.readFile(), options);
      const lacks = isObject(json) && json["schemaVersion"] === 1 && json["registry"] === registry ? json["lacks"] : {};
      return Object.fromEntries(
        CAPABILITIES.flatMap((name) => {
          const seen = isObject(lacks) ? lacks[name] : undefined;
          return typeof seen === "number" && this.#isFresh(seen) ? [[name, seen]] : [];
        }),
      );
    } finally {
      await file.handle.close();
    }
  }

  async #write(registry: string, lacks: Lacks): Promise<void> {
    const path = this.#path(registry);
    if (this.#folder === undefined || path === undefined) return;
    const text = JSON.stringify({ schemaVersion: 1, registry, lacks });
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
