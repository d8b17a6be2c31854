import { compareTexts } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import { printableJson } from "../printable.ts";
import { formatInstant, type Instant, parseInstant } from "../time.ts";

/** One image that was pinned: by which digest, on whose word, and by what it was judged. */
export interface LockedImage {
  /**
   * Normalised, with its tag and without a digest: `docker.io/library/nginx:1.27`. The key of the lock. What is named without
   * a tag is known by its digest: `docker.io/library/nginx@sha256:…`.
   */
  readonly name: string;
  readonly digest: Digest;
  /** Of an index: each platform's manifest, by `linux/amd64`. */
  readonly platforms: Readonly<Record<string, Digest>>;
  /** Key fingerprints, or issuer and subject (`signerId`). Empty where `--no-verify` pinned it. */
  readonly signers: readonly string[];
  /** Of the policy, or of what the flags required; absent where `--no-verify` pinned it. */
  readonly standard?: Digest | undefined;
  /** When it was pinned to this digest, on these words. */
  readonly at: Instant;
  /** What the tag named when it was last asked, and since when that is known to be accepted: it waits for the cool-down. */
  readonly waiting?: WaitingDigest | undefined;
}

export interface WaitingDigest {
  readonly digest: Digest;
  readonly since: Instant;
}

/** What is pinned, by name. */
export type Lock = ReadonlyMap<string, LockedImage>;

/** By what a lock knows an image, whose reference says what is pinned. */
export function lockName(reference: Reference): string {
  return formatReference(reference.tag === undefined ? reference : { ...reference, digest: undefined });
}

/** Grows by one when a member changes its meaning; one that is not known is refused, or writing the file would lose it. */
const SCHEMA_VERSION = 1;

/** docs/schemas/lock.json. The same images give the same bytes; each value has a line, so that a difference can be read. */
export function formatLock(lock: Lock): string {
  const images = [...lock.values()].toSorted((a, b) => compareTexts(a.name, b.name)).map(memberOf);
  return `${printableJson({ schemaVersion: SCHEMA_VERSION, images })}\n`;
}

function memberOf({ name, digest, platforms, signers, standard, at, waiting }: LockedImage) {
  return {
    name,
    digest,
    platforms: Object.fromEntries(Object.entries(platforms).toSorted(([a], [b]) => compareTexts(a, b))),
    signers: signers.toSorted(compareTexts),
    standard,
    at: formatInstant(at),
    waiting: waiting && { digest: waiting.digest, since: formatInstant(waiting.since) },
  };
}

// --- reading ----------------------------------------------------------------------------------------------------------

/**
 * Reads a lock file strictly. In any order: what two branches added is merged by hand.
 *
 * @param label What the file is called in messages.
 * @throws CountersignError `record-invalid`, `limit-reached`.
 */
export function parseLock(bytes: Uint8Array, label: string): Lock {
  const reader = new LockReader(label);
  const json = reader.document(bytes);
  const lock = new Map<string, LockedImage>();
  for (const [at, value] of reader.list(json["images"], "images").entries()) {
    const image = reader.image(value, `images[${at}]`);
    if (lock.has(image.name)) reader.fail("an image is in it twice", image.name, "each name once");
    lock.set(image.name, image);
  }
  return lock;
}

const MEMBERS = new Set(["name", "digest", "platforms", "signers", "standard", "at", "waiting"]);

class LockReader {
  readonly #label: string;

  constructor(label: string) {
    this.#label = label;
  }

  document(bytes: Uint8Array): JsonObject {
    const json = this.#parse(bytes);
    const version = json["schemaVersion"];
    if (version !== SCHEMA_VERSION) {
      this.fail("its version is not one that can be read here", describeJson(version), String(SCHEMA_VERSION));
    }
    this.#refuseOthers(json, new Set(["schemaVersion", "images"]), "the file");
    return json;
  }

  image(value: JsonValue, where: string): LockedImage {
    const json = this.#object(value, where);
    this.#refuseOthers(json, MEMBERS, where);
    const { standard, waiting } = json;
    const image: LockedImage = {
      name: this.#name(json["name"], `${where}.name`),
      digest: this.#digest(json["digest"], `${where}.digest`),
      platforms: this.#platforms(json["platforms"], `${where}.platforms`),
      signers: this.list(json["signers"], `${where}.signers`).map((one) => this.#text(one, `${where}.signers`)),
      at: this.#instant(json["at"], `${where}.at`),
      ...(standard !== undefined && { standard: this.#digest(standard, `${where}.standard`) }),
      ...(waiting !== undefined && { waiting: this.#waiting(waiting, `${where}.waiting`) }),
    };
    if (image.name.includes("@") && !image.name.endsWith(`@${image.digest}`)) {
      this.fail(`${where} is called by another digest than its own`, image.digest, image.name);
    }
    return image;
  }

  #waiting(value: JsonValue, where: string): WaitingDigest {
    const json = this.#object(value, where);
    this.#refuseOthers(json, new Set(["digest", "since"]), where);
    return {
      digest: this.#digest(json["digest"], `${where}.digest`),
      since: this.#instant(json["since"], `${where}.since`),
    };
  }

  #platforms(value: JsonValue | undefined, where: string): Readonly<Record<string, Digest>> {
    const entries = Object.entries(this.#object(value, where));
    return Object.fromEntries(entries.map(([name, digest]) => [name, this.#digest(digest, `${where}.${name}`)]));
  }

  #name(value: JsonValue | undefined, where: string): string {
    const name = this.#text(value, where);
    try {
      const wanted = lockName(parseReference(name));
      if (name === wanted) return name;
      return this.fail(`${where} is not written in full`, name, wanted);
    } catch (cause) {
      if (cause instanceof CountersignError && cause.code === "record-invalid") throw cause;
      return this.fail(`${where} is not the name of an image`, name);
    }
  }

  #digest(value: JsonValue | undefined, where: string): Digest {
    if (typeof value === "string" && isDigest(value)) return value;
    return this.fail(`${where} is not a digest`, describeJson(value));
  }

  #instant(value: JsonValue | undefined, where: string): Instant {
    const at = parseInstant(this.#text(value, where));
    return at ?? this.fail(`${where} is not a time`, describeJson(value), "RFC 3339");
  }

  #text(value: JsonValue | undefined, where: string): string {
    return typeof value === "string" ? value : this.fail(`${where} is not a text`, describeJson(value));
  }

  #object(value: JsonValue | undefined, where: string): JsonObject {
    return isObject(value) ? value : this.fail(`${where} is not an object`, describeJson(value));
  }

  list(value: JsonValue | undefined, where: string): readonly JsonValue[] {
    if (!Array.isArray(value)) return this.fail(`${where} is not a list`, describeJson(value));
    return value as readonly JsonValue[];
  }

  #refuseOthers(json: JsonObject, known: ReadonlySet<string>, where: string): void {
    const other = Object.keys(json).find((name) => !known.has(name));
    if (other !== undefined) this.fail(`${where} has a member that is not known here`, other);
  }

  #parse(bytes: Uint8Array): JsonObject {
    const what = `the lock file ${this.#label}`;
    try {
      return parseJsonObject(bytes, { what, code: "record-invalid", maxBytes: LIMITS.lockFileBytes });
    } catch (cause) {
      if (!(cause instanceof CountersignError) || cause.code !== "record-invalid" || !hasConflict(bytes)) throw cause;
      throw new CountersignError("record-invalid", `${what} has an unsettled merge conflict in it`, {
        next: "keep the entries of both sides, or those of one and run countersign pin again",
        cause,
      });
    }
  }

  fail(why: string, found: string, wanted?: string): never {
    throw new CountersignError("record-invalid", `the lock file ${this.#label} cannot be used: ${why}`, {
      found,
      wanted,
    });
  }
}

/** What git leaves where two branches changed the same lines. */
function hasConflict(bytes: Uint8Array): boolean {
  return /^<{7} /m.test(new TextDecoder().decode(bytes));
}
