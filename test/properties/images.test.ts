import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { describe as descriptorOf } from "../../src/core/oci/descriptor.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import { formatLocation, parseLocation } from "../../src/core/oci/location.ts";
import { childrenOf, parseDescribedManifest, parseManifest } from "../../src/core/oci/manifest.ts";
import { MANIFEST_TYPES, MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { choosePlatform, parsePlatformName, platformName } from "../../src/core/oci/platform.ts";
import { formatReference, parseReference } from "../../src/core/oci/reference.ts";
import { property } from "../support/property.ts";

/** The result, or undefined where it is refused with an error of ours; any other error fails the property. */
function orRefused<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

/** Not a number: a host that ends in one is an address in an unusual spelling, and refused. */
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/);
const hosts = fc.oneof(
  fc.constantFrom("", "docker.io/", "localhost/", "localhost:5000/", "[::1]:5000/", "GHCR.io/", "index.docker.io/"),
  fc.tuple(label, label).map(([a, b]) => `${a}.${b}/`),
);
const tags = fc.oneof(
  fc.constant(""),
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,10}$/).map((tag) => `:${tag}`),
);
const digests = fc.oneof(
  fc.constant(""),
  fc.uint8Array().map((bytes) => `@${digestOf(bytes)}`),
);
const wellFormed = fc
  .tuple(
    hosts,
    fc.array(label, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("/", ".", "__", "--", "_"),
    tags,
    digests,
  )
  .map(([host, parts, joint, tag, digest]) => `${host}a/${parts.join(joint)}${tag}${digest}`);
const pieces = fc
  .array(
    fc.constantFrom(
      "a",
      "B",
      "0",
      ".",
      ":",
      "/",
      "@",
      "-",
      "_",
      "[",
      "]",
      "::1",
      "sha256:",
      "localhost",
      " ",
      "é",
      "latest",
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(""));

property("every well-formed reference is read, and its canonical form is read as the same", [wellFormed], (text) => {
  const reference = parseReference(text);
  assert.deepEqual(parseReference(formatReference(reference)), reference);
});

property("what is accepted as a reference has one canonical form", [fc.oneof(pieces, fc.string())], (text) => {
  const reference = orRefused(() => parseReference(text));
  if (reference === undefined) return;
  const canonical = formatReference(reference);
  assert.deepEqual(parseReference(canonical), reference);
  assert.equal(formatReference(parseReference(canonical)), canonical);
  assert.match(canonical, /^[\x21-\x7e]+$/);
  assert.doesNotMatch(canonical, /\.\.|\/\//);
});

const transports = fc.constantFrom("oci:", "oci-archive:", "docker-archive:", "docker-daemon:", "");
property("a location is written as it was read", [transports, fc.oneof(pieces, wellFormed)], (transport, rest) => {
  const location = orRefused(() => parseLocation(transport + rest));
  if (location === undefined) return;
  if (location.kind !== "registry") assert.equal(formatLocation(location), transport + rest);
  assert.deepEqual(parseLocation(formatLocation(location)), location);
});

const blob = fc.uint8Array({ maxLength: 20 }).map((bytes) => descriptorOf(bytes, "application/octet-stream"));
const platforms = fc.record({
  os: fc.constantFrom("linux", "windows", "unknown"),
  architecture: fc.oneof(fc.constantFrom("amd64", "arm", "arm64", "x86_64", "unknown"), fc.string()),
  variant: fc.constantFrom("", "v1", "v6", "v7", "v8", "v3"),
});
const images = fc
  .tuple(blob, fc.array(blob, { maxLength: 4 }), fc.dictionary(fc.string(), fc.string()))
  .map(([config, layers, annotations]) => ({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config,
    layers,
    annotations,
  }));
const indexes = fc
  .array(fc.tuple(blob, platforms), { maxLength: 6 })
  .map((entries) => entries.map(([entry, platform]) => ({ ...entry, mediaType: MEDIA_TYPES.ociManifest, platform })))
  .map((manifests) => ({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }));
const documents = fc.oneof(images, indexes).map((json) => encodeUtf8(JSON.stringify(json)));

property(
  "one flipped bit in a manifest never keeps its digest, and what is described is never read",
  [documents, fc.nat()],
  (bytes, at) => {
    const wanted = descriptorOf(bytes, "");
    const flipped = Uint8Array.from(bytes);
    const place = at % (bytes.length * 8);
    flipped[place >> 3] = (flipped[place >> 3] ?? 0) ^ (1 << (place & 7));
    assert.notEqual(digestOf(flipped), wanted.digest);
    assert.throws(() => parseDescribedManifest(flipped, wanted), { code: "digest-mismatch" });
  },
);

property("a manifest cut anywhere is refused", [documents, fc.nat()], (bytes, at) => {
  assert.equal(
    orRefused(() => parseManifest(bytes.subarray(0, at % bytes.length), "")),
    undefined,
  );
});

property("a manifest keeps its bytes, and every child has a checked digest and size", [documents], (bytes) => {
  const manifest = orRefused(() => parseManifest(bytes, ""));
  if (manifest === undefined) return;
  assert.equal(manifest.bytes, bytes);
  for (const child of childrenOf(manifest)) {
    assert.match(child.digest, /^sha256:[0-9a-f]{64}$/);
    assert.ok(Number.isSafeInteger(child.size) && child.size >= 0);
  }
});

/** Any JSON in any place of a manifest. */
const strange = fc
  .tuple(
    fc.oneof(images, indexes),
    fc.constantFrom(
      "schemaVersion",
      "mediaType",
      "config",
      "layers",
      "manifests",
      "subject",
      "annotations",
      "artifactType",
    ),
    fc.constantFrom("", "mediaType", "digest", "size", "platform", "urls", "annotations", "artifactType"),
    fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom({ toString: 1, valueOf: 2 }, ["a"], -1, "sha256:")),
  )
  .map(([json, member, inner, value]) => {
    const entry = { ...descriptorOf(new Uint8Array(), "a/b"), [inner]: value };
    return { ...json, [member]: inner === "" ? value : /layers|manifests/.test(member) ? [entry] : entry };
  });

property(
  "any JSON anywhere in a manifest ends in a manifest or a CountersignError",
  [strange, fc.constantFrom("", ...MANIFEST_TYPES)],
  (json, announced) => {
    orRefused(() => parseManifest(encodeUtf8(JSON.stringify(json)), announced));
  },
);

property(
  "random bytes end in a manifest or a CountersignError",
  [fc.uint8Array({ maxLength: 300 }), fc.string()],
  (bytes, announced) => {
    orRefused(() => parseManifest(bytes, announced));
  },
);

property("a platform's name means the same platform when it is read again", [platforms], (platform) => {
  const parsed = orRefused(() => parsePlatformName(platformName(platform)));
  if (parsed !== undefined) assert.equal(platformName(parsed), platformName(platform).toLowerCase());
});

property(
  "a platform is chosen from the index or missing, and an earlier equal one wins",
  [indexes, platforms],
  (json, wanted) => {
    const index = parseManifest(encodeUtf8(JSON.stringify(json)), "");
    if (index.kind !== "index") return;
    const chosen = orRefused(() => choosePlatform(index, wanted));
    if (chosen?.platform === undefined) return;
    const name = platformName(chosen.platform);
    const first = index.manifests.find(
      (entry) => entry.platform !== undefined && platformName(entry.platform) === name,
    );
    assert.equal(chosen, first);
    assert.equal(platformName(wanted).split("/")[1], name.split("/")[1]);
  },
);
