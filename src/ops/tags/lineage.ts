import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import { ownerOf } from "../../core/tags/bins.ts";
import { parseFileName } from "../../core/tags/files.ts";
import type { HeadFile } from "../../core/tags/head.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { requireThreshold } from "../../core/tags/verify-role.ts";
import type { Instant } from "../../core/time.ts";
import { authorityOf, type Draft, listedFile } from "./change.ts";
import { digestsOf, type Look } from "./look.ts";
import type { MetadataReader } from "./reader.ts";

/** Where our files come from: tells others' work on the same role from what was there before. */
export class Lineage {
  /** Files that ours are based on, or that are ours. */
  readonly #known = new Set<Digest>();
  /** The version of each file that we made last. */
  readonly #made = new Map<string, number>();

  get owners(): readonly string[] {
    return [...new Set([...this.#made.keys()].map(ownerOf))];
  }

  get isChanged(): boolean {
    return this.#made.size > 0;
  }

  versionOf(file: string): number | undefined {
    return this.#made.get(file);
  }

  /** What is there of a role is what ours will be based on. */
  follow(look: Look, owner: string): void {
    for (const digest of digestsOf(look, owner)) this.#known.add(digest);
  }

  add({ roles }: Draft): void {
    for (const [file, { body, bytes }] of roles) {
      this.#known.add(digestOf(bytes));
      this.#made.set(file, body.version);
    }
  }

  /** Files of the roles that we changed which somebody else made at the same time: the newest of each, if any. */
  async foreignIn(
    look: Look,
    reader: MetadataReader,
    now: Instant,
  ): Promise<ReadonlyMap<string, TrustView["targets"]>> {
    const found = new Map<string, TrustView["targets"]>();
    for (const file of this.#made.keys()) {
      const candidates = this.#unknown(look, file);
      for (const { descriptor } of candidates) this.#known.add(descriptor.digest);
      const valid = await Promise.all(candidates.map((each) => readForeign(reader, look.view, file, each, now)));
      const [newest] = valid.flatMap((each) => each ?? []).sort((a, b) => b.body.version - a.body.version);
      if (newest !== undefined) found.set(file, newest);
    }
    return found;
  }

  #unknown({ view, staged }: Look, file: string): readonly HeadFile[] {
    const inStage = [...(staged.get(ownerOf(file)) ?? [])].filter(([name]) => parseFileName(name)?.role === file);
    const listed = view.snapshot?.body.roles.get(file);
    const inHead = listed === undefined ? [] : [listedFile(listed)];
    const all = [...inStage.map(([, each]) => each), ...inHead];
    return all.filter(({ descriptor }) => !this.#known.has(descriptor.digest));
  }
}

/** undefined for what does not hold: nobody's work is lost with it. */
async function readForeign(
  reader: MetadataReader,
  view: TrustView,
  file: string,
  part: HeadFile,
  now: Instant,
): Promise<TrustView["targets"] | undefined> {
  const { keys, roleKeys } = authorityOf(view, ownerOf(file));
  try {
    const role = readRole(await reader.content(part, LIMITS.tufTargetsBytes), "targets", file, now);
    requireThreshold(role, keys, roleKeys, file);
    return role;
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.class === "refused") return undefined;
    throw thrown;
  }
}
