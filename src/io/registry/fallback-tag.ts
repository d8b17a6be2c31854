import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { artifactTypeOf, type Manifest } from "../../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { fallbackTag } from "../../core/oci/referrers.ts";
import { acquireLock, type Lock } from "../disk/lock.ts";
import { TransientError } from "../http/failures.ts";
import { entriesIn, type FallbackIndex, readFallbackTag } from "./referrers.ts";
import type { Session } from "./session.ts";

/**
 * Lists a manifest among its subject's referrers where the registry does not (distribution-spec, "Pushing Manifests
 * with Subject"). Registries have no compare-and-swap to rely on (CNCF distribution and zot ignore `If-Match`), so:
 *
 * - one at a time in this process, and with a cache folder on this machine;
 * - read, add, write at once, with the ETag where there is one; nothing is written that was not read just before;
 * - wait until whoever had read before us must have written, and read again: where our entry or any that was seen is
 *   missing, add it again. The reading that finds nothing to add confirms the one before.
 *
 * @throws CountersignError `write-conflict`, `write-unconfirmed`.
 */
export async function addToFallbackTag(session: Session, manifest: Manifest, subject: Digest): Promise<void> {
  const tag = fallbackTag(subject);
  const key = `${session.name}:${tag}`;
  await session.pool.inTurn(key, async () => {
    const lock = await lockIfPossible(session, key);
    try {
      await new Merge(session, subject, tag, entryFor(manifest), entriesIn(session.pool.listed.get(key) ?? {})).run();
    } finally {
      await lock?.release();
    }
  });
}

/** Image-spec, "Referrers": type, size, digest, the manifest's artifact type and its annotations. */
function entryFor(manifest: Manifest): JsonObject {
  const { mediaType, size, digest }: Descriptor = manifest.descriptor;
  const artifactType = artifactTypeOf(manifest);
  return {
    mediaType,
    size,
    digest,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  };
}

/** One reading of the tag, and what it lacks. */
interface Look {
  readonly found: FallbackIndex | undefined;
  readonly missing: readonly JsonValue[];
  /** When it was begun. */
  readonly started: number;
}

class Merge {
  readonly #session: Session;
  readonly #subject: Digest;
  readonly #tag: string;
  readonly #own: string;
  /** Every entry that was seen, by its digest, ours among them. */
  readonly #wanted: Map<string, JsonValue>;
  /** Our entry was on the list once: what then removes it is another writer. */
  #wasListed = false;
  /** A registry that refuses a condition that holds does not understand it. */
  #conditional = true;
  #refusedTag: string | undefined;

  constructor(session: Session, subject: Digest, tag: string, entry: JsonObject, seen: readonly JsonValue[]) {
    this.#session = session;
    this.#subject = subject;
    this.#tag = tag;
    this.#own = String(entry["digest"]);
    this.#wanted = byDigest([...seen, entry]);
  }

  async run(): Promise<void> {
    const { clock, signal } = this.#session.pool;
    for (let round = 1; round <= LIMITS.mergeRounds; round++) {
      const look = await this.#look();
      if (look === undefined) return;
      const { found, missing, started } = look;
      const waitedMs = await this.#write(found, missing);
      // As long as our own reading and writing took, or a writer that is slower than us could have been missed.
      const settle = Math.max(clock.now() - started - waitedMs, LIMITS.settleMs);
      await clock.sleep(settle * (1 + clock.random() * round), signal);
    }
    const last = await readFallbackTag(this.#session, this.#subject, this.#tag);
    if (this.#missingIn(last?.index).length > 0) throw this.#failure();
  }

  /**
   * undefined where nothing is missing. A registry may ask for a wait with its very answer, in which others read, write and
   * confirm: their entries are in no reading from before it. Once again, since some ask with each answer.
   */
  async #look(): Promise<Look | undefined> {
    const { clock, retrier } = this.#session.pool;
    for (let isAgain = false; ; isAgain = true) {
      const started = clock.now();
      const found = await readFallbackTag(this.#session, this.#subject, this.#tag);
      const missing = this.#missingIn(found?.index);
      if (missing.length === 0) return undefined;
      const hasWaited = await retrier.budgets.of(this.#session.registry).pass();
      if (isAgain || !hasWaited) return { found, missing, started };
    }
  }

  #missingIn(index: JsonObject | undefined): readonly JsonValue[] {
    const listed = byDigest(entriesIn(index ?? {}));
    if (listed.has(this.#own)) this.#wasListed = true;
    const missing = [...this.#wanted].filter(([digest]) => !listed.has(digest)).map(([, entry]) => entry);
    for (const [digest, entry] of listed) this.#wanted.set(digest, entry);
    return missing;
  }

  /**
   * Everything that was there stays as it was, known or not, in its order; the new entries come last.
   *
   * @returns how long was waited before the next try, in milliseconds.
   */
  async #write(found: FallbackIndex | undefined, missing: readonly JsonValue[]): Promise<number> {
    const base = found?.index ?? { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex };
    const entries = [...(found === undefined ? [] : entriesIn(found.index)), ...missing];
    const bytes = encodeUtf8(JSON.stringify({ ...base, manifests: entries }));
    const body = this.#checkedSize(bytes, entries.length);
    const what = `the list of referrers of ${this.#subject}`;
    const headers = { "content-type": MEDIA_TYPES.ociIndex, ...this.#condition(found) };
    const request = { method: "PUT", path: `manifests/${this.#tag}`, what, headers, body } as const;
    const attempts = this.#session.pool.retrier.attempts(this.#session.registry);
    try {
      await this.#session.once({ ...request, expect: [201, 412] }, async ({ status }) => this.#note(status, found));
      return 0;
    } catch (thrown) {
      // Not sent again as it is: by then the list may be another one.
      if (!(thrown instanceof TransientError)) throw thrown;
      const { clock } = this.#session.pool;
      const failed = clock.now();
      await attempts.failed(thrown);
      return clock.now() - failed;
    }
  }

  #checkedSize(bytes: Uint8Array, entries: number): Uint8Array {
    if (bytes.byteLength <= LIMITS.manifestBytes && entries <= LIMITS.referrerEntries) return bytes;
    throw new CountersignError("limit-reached", "the list of referrers is full", {
      found: `${entries} entries, ${bytes.byteLength} bytes`,
      wanted: `at most ${LIMITS.referrerEntries} entries and ${LIMITS.manifestBytes} bytes`,
    });
  }

  /** RFC 9110 §13.1. A weak ETag never matches `If-Match`. */
  #condition(found: FallbackIndex | undefined): Readonly<Record<string, string>> {
    if (!this.#conditional) return {};
    if (found === undefined) return { "if-none-match": "*" };
    return found.etag === undefined || found.etag.startsWith("W/") ? {} : { "if-match": found.etag };
  }

  #note(status: number, found: FallbackIndex | undefined): void {
    const tag = found?.etag ?? "";
    if (status === 412 && this.#refusedTag === tag) this.#conditional = false;
    this.#refusedTag = status === 412 ? tag : undefined;
  }

  #failure(): CountersignError {
    const { registry } = this.#session;
    const wanted = `${this.#own} under ${this.#tag}`;
    if (this.#wasListed) {
      return new CountersignError(
        "write-conflict",
        `other writers kept changing the list of referrers on ${registry}`,
        {
          found: `${LIMITS.mergeRounds} rounds in which an entry was lost`,
          wanted,
        },
      );
    }
    return new CountersignError("write-unconfirmed", `${registry} does not show the list of referrers it was given`, {
      found: "no such entry on reading back",
      wanted,
    });
  }
}

function byDigest(entries: readonly JsonValue[]): Map<string, JsonValue> {
  return new Map(
    entries.flatMap((entry) => {
      const digest = isObject(entry) ? entry["digest"] : undefined;
      return typeof digest === "string" ? [[digest, entry] as const] : [];
    }),
  );
}

/** Among the processes of this machine; where there is no folder, or none that can be written, merging has to do. */
async function lockIfPossible(session: Session, key: string): Promise<Lock | undefined> {
  const { lockFolder, signal } = session.pool;
  if (lockFolder === undefined) return undefined;
  const name = createHash("sha256").update(key).digest("hex");
  try {
    await mkdir(lockFolder, { recursive: true, mode: 0o700 });
    return await acquireLock(join(lockFolder, `${name}.lock`), { signal });
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.class === "interrupted") throw thrown;
    return undefined;
  }
}
