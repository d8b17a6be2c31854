import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { isDigest } from "../oci/digest.ts";
import { formatInstant, parseInstant } from "../time.ts";
import type { RootPin } from "./pin.ts";

/** The file of pinned roots: the user's, or a project's `countersign.pins.json`, which is committed like a lock file. */
export interface PinsFile {
  readonly pins: readonly RootPin[];
  /** Other names under which a repository's metadata is asked for: the mirror's first, then the one that trust is bound to. */
  readonly mirrors: Readonly<Record<string, string>>;
}

export const NO_PINS: PinsFile = { pins: [], mirrors: {} };

/** `what` names the file in messages. @throws CountersignError `configuration-invalid`, `limit-reached`. */
export function parsePins(bytes: Uint8Array, what = "the file of pins"): PinsFile {
  const reader = new PinsReader(what);
  const json = parseJsonObject(bytes, { what, code: "configuration-invalid", maxBytes: LIMITS.pinsFileBytes });
  reader.members(json, ["schemaVersion", "pins", "mirrors"], "the file");
  if (json["schemaVersion"] !== 1) reader.refuse("its schemaVersion", json["schemaVersion"], "1");
  const { pins: listed = [], mirrors = {} } = json;
  if (!Array.isArray(listed)) return reader.refuse("its pins", listed, "a list");
  const pins = listed.map((item: JsonValue) => reader.pin(item));
  const twice = pins.find(({ gun }, at) => pins.findIndex((pin) => pin.gun === gun) !== at);
  if (twice !== undefined) reader.refuse("two pins of one repository", twice.gun, "one pin for each");
  return { pins, mirrors: reader.mirrors(mirrors) };
}

/** JSON as people read and compare it: a pin's members in one order, the pins in theirs, a line for each value. */
export function formatPins({ pins, mirrors }: PinsFile): Uint8Array {
  const file = {
    schemaVersion: 1,
    pins: pins.map(({ gun, rootVersion, root, rootKeyIds, threshold, mode, firstSeen, location }) => {
      const seen = formatInstant(firstSeen);
      const elsewhere = location === undefined ? {} : { location };
      return { gun, ...elsewhere, rootVersion, root, rootKeyIds, threshold, mode, firstSeen: seen };
    }),
    ...(Object.keys(mirrors).length > 0 && { mirrors }),
  };
  return encodeUtf8(`${JSON.stringify(file, undefined, 2)}\n`);
}

const PIN_MEMBERS = ["gun", "location", "rootVersion", "root", "rootKeyIds", "threshold", "mode", "firstSeen"];

class PinsReader {
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  refuse(where: string, found: JsonValue | undefined, wanted: string): never {
    throw new CountersignError("configuration-invalid", `${this.#what} is not a file of pins: ${where}`, {
      found: describeJson(found),
      wanted,
    });
  }

  members(json: JsonObject, known: readonly string[], where: string): void {
    const odd = Object.keys(json).find((name) => !known.includes(name));
    if (odd !== undefined) this.refuse(`${where} has a member that is not known`, odd, known.join(", "));
  }

  pin(value: JsonValue): RootPin {
    if (!isObject(value)) return this.refuse("a pin", value, "an object");
    this.members(value, PIN_MEMBERS, "a pin");
    const { root, mode, firstSeen: seen } = value;
    const gun = this.name(value["gun"]);
    if (typeof root !== "string" || !isDigest(root)) return this.refuse(`the root of ${gun}`, root, "sha256:HEX");
    if (mode !== "pinned" && mode !== "tofu" && mode !== "dct") {
      return this.refuse(`the mode of ${gun}`, mode, "pinned, tofu or dct");
    }
    const firstSeen = typeof seen === "string" ? parseInstant(seen) : undefined;
    if (firstSeen === undefined) return this.refuse(`firstSeen of ${gun}`, seen, "a time such as 2030-01-31T12:00:00Z");
    return {
      gun,
      rootVersion: this.#count(value["rootVersion"], `rootVersion of ${gun}`),
      root,
      rootKeyIds: this.#keyIds(value["rootKeyIds"], gun),
      threshold: this.#count(value["threshold"], `threshold of ${gun}`),
      mode,
      firstSeen,
      ...(value["location"] !== undefined && { location: this.name(value["location"]) }),
    };
  }

  mirrors(value: JsonValue): Readonly<Record<string, string>> {
    if (!isObject(value)) return this.refuse("its mirrors", value, "an object");
    return Object.fromEntries(Object.entries(value).map(([mirror, origin]) => [this.name(mirror), this.name(origin)]));
  }

  /** A repository's canonical name: visible characters, with a host in front. */
  name(value: JsonValue | undefined): string {
    const isName = typeof value === "string" && value.length <= LIMITS.tagRepositoryCharacters;
    if (isName && /^[!-~]+$/.test(value) && value.includes("/")) return value;
    return this.refuse("a repository", value, "a name such as registry.example/repository");
  }

  #count(value: JsonValue | undefined, where: string): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
    return this.refuse(where, value, "a whole number from 1");
  }

  #keyIds(value: JsonValue | undefined, gun: string): readonly string[] {
    const isList = Array.isArray(value) && value.length <= LIMITS.tufKeys;
    if (isList && value.every((id): id is string => typeof id === "string" && /^[0-9a-f]{64}$/.test(id))) return value;
    return this.refuse(`rootKeyIds of ${gun}`, value, "key ids of 64 hexadecimal digits");
  }
}
