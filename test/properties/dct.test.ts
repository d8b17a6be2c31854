import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseDctKeyFile } from "../../src/core/dct/key-file.ts";
import { releasedTags } from "../../src/core/dct/released.ts";
import { type UntrustedDct, verifyDct } from "../../src/core/dct/verify.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { instant } from "../../src/core/time.ts";
import { REAL_CACHE } from "../support/dct/notary-server.ts";
import { GUN } from "../support/dct/publisher.ts";
import { property } from "../support/property.ts";

/** Data of a real Notary, within the life of its timestamp. */
const THEN = instant(Date.UTC(2026, 10, 24));
const FOLDER = join(REAL_CACHE, "tuf", GUN, "metadata");
const FILES = new Map(
  readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name.slice(0, -".json".length), new Uint8Array(readFileSync(join(FOLDER, name)))]),
);
const ROLES = [...FILES.keys()];
const SOUND = releasedTags(verifyDct(untrusted(FILES), THEN));

function untrusted(files: ReadonlyMap<string, Uint8Array>): UntrustedDct {
  const file = (name: string): Uint8Array => files.get(name) ?? new Uint8Array();
  const targets = [...files].filter(([name]) => name.startsWith("targets"));
  return {
    gun: GUN,
    roots: [file("root")],
    listings: { timestamp: file("timestamp"), snapshot: file("snapshot") },
    targets: new Map(targets),
  };
}

/** Whatever comes of it: refused with a reason, or the tags that were signed and no others. */
function holdsUp(files: ReadonlyMap<string, Uint8Array>): void {
  try {
    for (const tag of releasedTags(verifyDct(untrusted(files), THEN))) {
      const signed = SOUND.find((each) => each.tag === tag.tag);
      assert.equal(tag.digest, signed?.digest);
    }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
  }
}

property(
  "a flipped bit in Docker Content Trust's metadata makes no tag stand for something else",
  [fc.constantFrom(...ROLES), fc.nat(), fc.nat(7)],
  (role, at, bit) => {
    const bytes = Uint8Array.from(FILES.get(role) ?? []);
    const index = at % bytes.byteLength;
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
    holdsUp(new Map([...FILES, [role, bytes]]));
  },
);

property(
  "a file of Docker Content Trust in the place of another one makes no tag stand for something else",
  [fc.constantFrom(...ROLES), fc.constantFrom(...ROLES)],
  (role, other) => holdsUp(new Map([...FILES, [role, FILES.get(other) ?? new Uint8Array()]])),
);

property(
  "what is in the place of metadata of Docker Content Trust is refused with a reason",
  [
    fc.constantFrom(...ROLES),
    fc.oneof(
      fc.json().map((text) => Buffer.from(text)),
      fc.uint8Array(),
    ),
  ],
  (role, bytes) => holdsUp(new Map([...FILES, [role, bytes]])),
);

property("any text is a key file of Docker's or is none", [fc.string({ unit: "binary" })], (text) => {
  const headers = `-----BEGIN PRIVATE KEY-----\n${text}\n\nAAAA\n-----END PRIVATE KEY-----\n`;
  for (const content of [text, headers]) parseDctKeyFile(content);
});
