import assert from "node:assert/strict";
import { Metadata, MetadataKind, Targets } from "@tufjs/models";
import fc from "fast-check";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import type { Binding } from "../../src/core/tags/binding.ts";
import { binName, binNames, binOf } from "../../src/core/tags/bins.ts";
import { canonicalJson } from "../../src/core/tags/canonical.ts";
import { RoleBook } from "../../src/core/tags/entries.ts";
import { fileNameOf } from "../../src/core/tags/files.ts";
import { buildHead, parseHead, parseHeadPart } from "../../src/core/tags/head.ts";
import { nextVersion } from "../../src/core/tags/lifetimes.ts";
import { searchOrder } from "../../src/core/tags/lookup.ts";
import type { Role, TargetsRole } from "../../src/core/tags/metadata.ts";
import { matchesPattern } from "../../src/core/tags/patterns.ts";
import { formatPins, parsePins } from "../../src/core/tags/pins-file.ts";
import { readRole } from "../../src/core/tags/read.ts";
import { pathOfBinding, signedPart } from "../../src/core/tags/write.ts";
import { instant } from "../../src/core/time.ts";
import { property } from "../support/property.ts";
import { NOW } from "../support/tag-publisher.ts";
import { at, bindingOf, GUN, TrustWorld } from "../support/trust-world.ts";

const DAY = 24 * 60 * 60 * 1000;

// --- what is written -------------------------------------------------------------------------------------------------

/** As objects are that are read: with a prototype. */
function record<Model extends object>(
  model: { [Name in keyof Model]: fc.Arbitrary<Model[Name]> },
): fc.Arbitrary<Model> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<Model>;
}

const text = fc.string({ unit: "binary", maxLength: 20 }).map((one) => one.toWellFormed());
const second = fc.integer({ min: 0, max: 4_000_000_000 }).map((count) => instant(count * 1000));
const digest = fc.string({ maxLength: 4 }).map((one): Digest => digestOf(encodeUtf8(one)));
const tag = fc.oneof(
  fc.constantFrom("latest", "constructor", "__proto__", "toString", "1", "10"),
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,12}$/),
);
const binding: fc.Arbitrary<Binding> = record({
  tag: fc.option(tag, { nil: undefined }),
  digest,
  length: fc.integer({ min: 1 }),
  mediaType: fc.option(text, { nil: undefined }),
  signedAt: fc.option(second, { nil: undefined }),
  source: fc.option(text, { nil: undefined }),
  supersedes: fc.option(digest, { nil: undefined }),
  note: fc.option(text, { nil: undefined }),
  requires: fc.array(record({ identity: text, issuer: text }), { maxLength: 2 }),
  revoked: fc.option(record({ at: second, reason: text }), { nil: undefined }),
});
const bindings = fc.uniqueArray(binding, { selector: pathOfBinding, maxLength: 12 });
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

const world = await TrustWorld.make({
  bindings: [bindingOf("t1")],
  signers: [
    { name: "a", paths: ["tags/a*", "digests/*"], bindings: [bindingOf("a1"), bindingOf("x")] },
    { name: "b", bindings: [bindingOf("a1", "b"), bindingOf("b1")] },
  ],
});

const { delegations, keys } = world.targets;
const targetsRole: fc.Arbitrary<TargetsRole> = record({
  kind: fc.constant("targets" as const),
  version,
  expires: second,
  bindings: bindings.map((list) => list.toSorted((x, y) => (pathOfBinding(x) < pathOfBinding(y) ? -1 : 1))),
  keys: fc.constant(new Map([...keys].sort(([x], [y]) => (x < y ? -1 : 1)))),
  delegations: fc.shuffledSubarray([...delegations], { minLength: 1 }),
  bins: fc.constant(undefined),
});

function unsigned(role: Role): Uint8Array {
  return encodeUtf8(JSON.stringify({ signatures: [], signed: signedPart(role) }));
}

property("a role comes back as it was written", [targetsRole], (role) => {
  assert.deepEqual(readRole(unsigned(role), "targets", "it").body, role);
});

property("tuf-js signs and verifies the very bytes that we do", [targetsRole], (role) => {
  const { signed } = JSON.parse(new TextDecoder().decode(unsigned(role))) as { signed: JsonObject };
  const theirs = Metadata.fromJSON(MetadataKind.Targets, { signatures: [], signed } as never).signed.toJSON();
  assert.deepEqual(canonicalJson(theirs as JsonObject), canonicalJson(signedPart(role)));
});

property(
  "the next version is a later one, and never of the future",
  [fc.option(fc.nat(2 * DAY), { nil: undefined })],
  (ahead) => {
    const before = ahead === undefined ? undefined : NOW - DAY + ahead;
    const next = nextVersion(before, NOW);
    assert.ok(next > (before ?? 0) && next >= NOW && next <= NOW + DAY + 1);
  },
);

property(
  "a head comes back as what was put into it, small or large",
  [fc.integer({ min: 1, max: 8 }), fc.nat(60_000)],
  (bits, size) => {
    const bins = binNames("releases", bits).map((bin) => fileNameOf(bin, NOW));
    const names = [...bins, "timestamp.json", fileNameOf("root", 1), fileNameOf("targets", 7)];
    const files = new Map(names.map((name) => [name, encodeUtf8(name.padEnd(size / names.length))]));
    const { manifest, manifests, blobs } = buildHead(files, { gun: GUN, version: 1, expires: NOW, history: [] });
    const head = parseHead(manifest);
    const sets = head.sets.flatMap(({ descriptor }) => {
      const set = manifests.find((one) => one.descriptor.digest === descriptor.digest);
      return set === undefined ? [] : [...parseHeadPart(set)];
    });
    const stored = new Map(blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
    const found = [...head.files, ...sets].map(([name, file]) => [name, stored.get(file.descriptor.digest)] as const);
    assert.deepEqual(new Map(found.toSorted()), new Map([...files].toSorted()));
  },
);

property(
  "pins come back as they were written",
  [fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 })],
  (names) => {
    const pins = [...new Set(names)].map((name, index) => {
      const gun = `registry.example/${name}`;
      const root = digestOf(encodeUtf8(name));
      return {
        gun,
        rootVersion: index + 1,
        root,
        rootKeyIds: [],
        threshold: 1,
        mode: "tofu" as const,
        firstSeen: at("2026-01-01T00:00:00Z"),
      };
    });
    assert.deepEqual(parsePins(formatPins({ pins, mirrors: {} })), { pins, mirrors: {} });
  },
);

// --- what is looked up -----------------------------------------------------------------------------------------------

const patternPart = fc.stringMatching(/^[a-c.*?-]{1,6}$/).filter((part) => part.split("*").length <= 5);
const plainTag = fc.stringMatching(/^[a-c][a-c.-]{0,6}$/);

function theirDelegations(json: JsonObject): NonNullable<Targets["delegations"]> {
  const signed = { _type: "targets", spec_version: "1.0.34", version: 1, expires: "2030-01-01T00:00:00Z", targets: {} };
  const found = Targets.fromJSON({ ...signed, delegations: json } as never).delegations;
  assert.ok(found);
  return found;
}

property(
  "signers are asked in the order in which tuf-js asks them",
  [fc.array(fc.tuple(patternPart, fc.boolean()), { maxLength: 5 }), plainTag],
  (signers, name) => {
    const roles = signers.map(([pattern, terminating], index) => {
      return { name: `s${index}`, keyids: ["k"], threshold: 1, terminating, paths: [`tags/${pattern}`] };
    });
    const path = `tags/${name}`;
    const asked: string[] = [];
    for (const { role, terminating } of theirDelegations({ keys: {}, roles }).rolesForTarget(path)) {
      asked.push(role);
      if (terminating) break;
    }
    const targets: TargetsRole = { ...world.targets, delegations: roles };
    assert.deepEqual(searchOrder(targets, path).asked, ["targets", ...asked]);
  },
);

property("a pattern is the same to a regular expression", [patternPart, plainTag], (pattern, name) => {
  const escaped = pattern.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".");
  assert.equal(matchesPattern(`tags/${pattern}`, `tags/${name}`), new RegExp(`^${escaped}$`).test(name));
});

property("a path is in the bin in which tuf-js looks for it", [fc.integer({ min: 1, max: 8 }), text], (bits, path) => {
  const bins = { keyids: ["k"], threshold: 1, bit_length: bits, name_prefix: "a.bin" };
  const [theirs] = [...theirDelegations({ keys: {}, succinct_roles: bins }).rolesForTarget(path)];
  assert.equal(binName("a", binOf(path, bits), bits), theirs?.role);
});

// --- what is edited --------------------------------------------------------------------------------------------------

type Edit = (book: RoleBook) => RoleBook;
const release = digest.map((one) => {
  const { tag: _, ...rest } = bindingOf(undefined, one);
  return rest;
});
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(fc.array(plainTag, { maxLength: 3 }), release).map(([tags, one]): Edit => {
    return (book) =>
      book.bindingOf(`digests/${one.digest.replace(":", "-")}`)?.revoked ? book : book.withTags(tags, one);
  }),
  plainTag.map(
    (one): Edit =>
      (book) =>
        book.without([`tags/${one}`]),
  ),
  plainTag.map(
    (one): Edit =>
      (book) =>
        book.withRevokedTag(one, { at: NOW, reason: "x" }) ?? book,
  ),
  release.map(
    (one): Edit =>
      (book) =>
        book.withRevokedDigest(one.digest, { at: NOW, reason: "y" }) ?? book,
  ),
);

property("a role says the same flat and in bins", [fc.array(edit, { maxLength: 12 }), fc.nat(12)], (edits, when) => {
  const flat = edits.reduce((book, change) => change(book), RoleBook.open("a", undefined));
  const binned = edits.reduce(
    (book, change, index) => change(index === when ? book.rebinned() : book),
    RoleBook.open("a", undefined),
  );
  const entries = (book: RoleBook) =>
    new Map(book.bindings.map((one) => [pathOfBinding(one), one] as const).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  assert.deepEqual(entries(binned), entries(flat));
});
