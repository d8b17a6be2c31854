import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { decodeUtf8, encodeUtf8 } from "../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type RoleKind, readRole } from "../../../../src/core/tags/read.ts";
import { keyIdOf } from "../../../../src/core/tags/tuf-key.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";
import { NOW } from "../../../support/tag-publisher.ts";
import { bindingOf, TrustWorld } from "../../../support/trust-world.ts";

type Json = Record<string, unknown>;
type Change = (signed: Json, file: Json) => void;

let world: TrustWorld;
before(async () => {
  world = await TrustWorld.make({
    bindings: [bindingOf("latest"), bindingOf(undefined, "latest")],
    signers: [{ name: "releases", paths: ["tags/v*", "digests/*"], bindings: [] }, { name: "nightly" }],
  });
});

function fileOf(kind: RoleKind): Uint8Array {
  const entry = [...world.files].find(([name]) => name.endsWith(`${kind}.json`) && !name.includes("releases"));
  assert.ok(entry);
  return entry[1];
}

/** The file with something changed in it; its signatures are not looked at here. */
function changed(kind: RoleKind, change: Change): Uint8Array {
  const file: Json = JSON.parse(decodeUtf8(fileOf(kind)));
  change(member(file, "signed"), file);
  return encodeUtf8(JSON.stringify(file));
}

function member(json: Json, ...names: readonly string[]): Json {
  return names.reduce((value, name) => value[name] as Json, json);
}

function set(json: Json, name: string, value: unknown): void {
  Object.assign(json, { [name]: value });
}

function refuses(kind: RoleKind, change: Change, code: ReasonCode = "metadata-malformed", found?: RegExp): void {
  const error = thrownBy(() => readRole(changed(kind, change), kind, "it", NOW), code);
  if (found !== undefined) assert.match(`${error.message} ${error.found}`, found);
}

const KINDS: readonly RoleKind[] = ["root", "targets", "snapshot", "timestamp"];

describe("trust metadata as it is written", () => {
  for (const kind of KINDS) {
    it(`is read: ${kind}`, () => {
      const bytes = fileOf(kind);
      const role = readRole(bytes, kind, kind, NOW);
      assert.equal(role.body.kind, kind);
      assert.equal(role.bytes, bytes);
      assert.equal(role.signatures.length, 1);
    });
  }

  it("is read with members that nobody knows yet, which stay part of what is signed", () => {
    const role = readRole(
      changed("timestamp", (signed) => set(signed, "x-more", { a: 1 })),
      "timestamp",
      "it",
      NOW,
    );
    assert.deepEqual(role.signed["x-more"], { a: 1 });
  });

  it("has no limit on the version of a root, which is counted, nor of anything where no time is given", () => {
    const far = (signed: Json) => set(signed, "version", 2 ** 53 - 1);
    assert.equal(readRole(changed("root", far), "root", "it", NOW).body.version, 2 ** 53 - 1);
    assert.equal(readRole(changed("timestamp", far), "timestamp", "it").body.version, 2 ** 53 - 1);
  });
});

describe("what every kind of metadata is refused for", () => {
  const cases: readonly (readonly [string, Change, ReasonCode?])[] = [
    ["another type", (signed) => set(signed, "_type", "mirrors")],
    ["no type", (signed) => set(signed, "_type", undefined)],
    ["a type that is an object with a toString", (signed) => set(signed, "_type", { toString: 1 })],
    ["a second member beside signed", (_signed, file) => set(file, "unsigned", {})],
    ["no signed part", (_signed, file) => set(file, "signed", [])],
    ["another version of TUF", (signed) => set(signed, "spec_version", "2.0.0")],
    ["no version of TUF", (signed) => set(signed, "spec_version", 1)],
    ["version 0", (signed) => set(signed, "version", 0)],
    ["version -3", (signed) => set(signed, "version", -3)],
    ["version 1.5", (signed) => set(signed, "version", 1.5)],
    ["version 1e300", (signed) => set(signed, "version", 1e300)],
    ["a version as a text", (signed) => set(signed, "version", "7")],
    ["an expiry in words", (signed) => set(signed, "expires", "Jan 1 2030")],
    ["an expiry without a zone", (signed) => set(signed, "expires", "2030-01-01T00:00:00")],
    ["an expiry with an offset", (signed) => set(signed, "expires", "2030-01-01T00:00:00+01:00")],
    ["an expiry with a fraction", (signed) => set(signed, "expires", "2030-01-01T00:00:00.5Z")],
    ["the 31st of February", (signed) => set(signed, "expires", "2030-02-31T00:00:00Z")],
    ["signatures that are no list", (_signed, file) => set(file, "signatures", {})],
    ["a signature in base64", (_signed, file) => set(member(file, "signatures", "0"), "sig", "aGVsbG8=")],
    ["a signature in upper case", (_signed, file) => set(member(file, "signatures", "0"), "sig", "AB")],
    ["half a byte of a signature", (_signed, file) => set(member(file, "signatures", "0"), "sig", "abc")],
    ["a signature with more in it", (_signed, file) => set(member(file, "signatures", "0"), "bundle", {})],
    [
      "two signatures by one key",
      (_signed, file) => set(file, "signatures", [member(file, "signatures", "0"), member(file, "signatures", "0")]),
      "duplicate-key",
    ],
    [
      "more signatures than are read",
      (_signed, file) => set(file, "signatures", Array(LIMITS.tufSignatures + 1).fill(member(file, "signatures", "0"))),
      "limit-reached",
    ],
  ];
  for (const [title, change, code] of cases) {
    it(title, () => {
      for (const kind of KINDS) refuses(kind, change, code);
    });
  }

  it("a version of the day after tomorrow, in which all that follows would be refused: the attempt of a fast-forward", () => {
    for (const kind of ["targets", "snapshot", "timestamp"] as const) {
      refuses(kind, (signed) => set(signed, "version", NOW + 24 * 60 * 60 * 1000 + 1), "version-implausible");
      refuses(kind, (signed) => set(signed, "version", 2 ** 53 - 1), "version-implausible");
      const tomorrow = changed(kind, (signed) => set(signed, "version", NOW + 24 * 60 * 60 * 1000));
      assert.ok(readRole(tomorrow, kind, "it", NOW));
    }
  });

  it("a member twice, nesting without end, bytes that are no text, and nothing", () => {
    const text = decodeUtf8(fileOf("timestamp"));
    const cases: readonly (readonly [Uint8Array, ReasonCode])[] = [
      [encodeUtf8(text.replace('"_type"', '"version":1,"_type"')), "metadata-malformed"],
      [encodeUtf8(`${"[".repeat(10_000)}${"]".repeat(10_000)}`), "limit-reached"],
      [encodeUtf8(text.replace('"_type"', '"__proto__":{},"_type"')), "metadata-malformed"],
      [Uint8Array.of(0xff, 0xfe), "metadata-malformed"],
      [encodeUtf8(""), "metadata-malformed"],
      [encodeUtf8("[]"), "metadata-malformed"],
      [encodeUtf8(`${text}x`), "metadata-malformed"],
    ];
    for (const [bytes, code] of cases) thrownBy(() => readRole(bytes, "timestamp", "it", NOW), code);
  });

  it("more bytes than its kind may have, before any of them is read", () => {
    const limits = [LIMITS.tufRootBytes, LIMITS.tufTargetsBytes, LIMITS.tufSnapshotBytes, LIMITS.tufTimestampBytes];
    for (const [at, kind] of KINDS.entries()) {
      const junk = new Uint8Array((limits[at] ?? 0) + 1).fill(0x20);
      thrownBy(() => readRole(junk, kind, "it", NOW), "limit-reached");
    }
  });

  it("half a megabyte of junk keys in a root costs no time", () => {
    const keys = Object.fromEntries(Array.from({ length: 9_960 }, (_, at) => [`key${at}`, { keytype: "x" }]));
    const bytes = changed("root", (signed) => set(signed, "keys", keys));
    const before = processorTime();
    thrownBy(() => readRole(bytes, "root", "it"), "limit-reached");
    assert.ok(processorTime() - before < 1_000);
  });
});

describe("what a root is refused for", () => {
  const firstKey = (signed: Json) => Object.keys(member(signed, "keys"))[0] ?? "";
  const role = (signed: Json) => member(signed, "roles", "root");

  it("a key id that is not the hash of the key", () => {
    refuses(
      "root",
      (signed) => {
        const keys = member(signed, "keys");
        const id = firstKey(signed);
        const other = `00${id.slice(2)}`;
        set(signed, "keys", { ...keys, [other]: keys[id], [id]: undefined });
      },
      "keyid-mismatch",
    );
  });

  it("one key under two ids, of which the one is the hash of an unusual way to write it", () => {
    const p256 = {
      keytype: "ecdsa",
      scheme: "ecdsa-sha2-nistp256",
      keyval: {
        public:
          "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n",
      },
    } as const;
    const bare = { ...p256, keyval: { public: p256.keyval.public.trim() } } as const;
    const both = { [keyIdOf(p256)]: p256, [keyIdOf(bare)]: bare };
    refuses("root", (signed) => set(signed, "keys", { ...member(signed, "keys"), ...both }), "duplicate-key");
    const one = { [keyIdOf(bare)]: bare };
    refuses(
      "root",
      (signed) => set(signed, "keys", { ...member(signed, "keys"), ...one }),
      "metadata-malformed",
      /unusual/,
    );
  });

  const cases: readonly (readonly [string, Change, ReasonCode?])[] = [
    ["no consistent snapshots", (signed) => set(signed, "consistent_snapshot", false)],
    ["a fifth role", (signed) => set(member(signed, "roles"), "mirrors", role(signed))],
    ["a missing role", (signed) => set(member(signed, "roles"), "timestamp", undefined)],
    ["a threshold of nought", (signed) => set(role(signed), "threshold", 0)],
    ["a threshold that its keys cannot meet", (signed) => set(role(signed), "threshold", 2)],
    ["a role without keys", (signed) => set(role(signed), "keyids", [])],
    ["a key that is not given", (signed) => set(role(signed), "keyids", ["ab".repeat(32)])],
    [
      "a key listed twice",
      (signed) => set(role(signed), "keyids", [firstKey(signed), firstKey(signed)]),
      "duplicate-key",
    ],
    ["a role with more in it", (signed) => set(role(signed), "paths", [])],
    ["a key with more in it", (signed) => set(member(signed, "keys", firstKey(signed)), "keyid_hash_algorithms", [])],
    ["a key of another kind", (signed) => set(member(signed, "keys", firstKey(signed)), "keytype", "rsa")],
    [
      "a scheme that is a property of every object",
      (signed) => set(member(signed, "keys", firstKey(signed)), "scheme", "toString"),
    ],
    ["a key that is none", (signed) => set(member(signed, "keys", firstKey(signed), "keyval"), "public", "junk")],
    ["no x-countersign", (signed) => set(signed, "x-countersign", undefined)],
    ["another profile", (signed) => set(member(signed, "x-countersign"), "profile", 2)],
    ["a profile with more in it", (signed) => set(member(signed, "x-countersign"), "more", 2)],
    ["a repository with a line break", (signed) => set(member(signed, "x-countersign"), "gun", "a\nb")],
    ["a ceiling without an end", (signed) => set(member(signed, "x-countersign", "ceilings"), "timestamp", "forever")],
    ["a ceiling of nothing", (signed) => set(member(signed, "x-countersign", "ceilings"), "timestamp", "0d")],
    ["another store", (signed) => set(member(signed, "x-countersign"), "store", "web")],
    [
      "more aliases than are read",
      (signed) => set(member(signed, "x-countersign"), "aliases", Array(LIMITS.tagAliases + 1).fill("r.example/a")),
      "limit-reached",
    ],
    [
      "an alias longer than is read",
      (signed) => set(member(signed, "x-countersign"), "aliases", ["a".repeat(LIMITS.tagRepositoryCharacters + 1)]),
      "limit-reached",
    ],
  ];
  for (const [title, change, code] of cases) it(title, () => refuses("root", change, code));
});

describe("what targets are refused for", () => {
  const entry = (signed: Json) => member(signed, "targets", "tags/latest");
  const claims = (signed: Json) => member(entry(signed), "custom", "countersign");
  const signer = (signed: Json) => member(signed, "delegations", "roles", "0");
  const cases: readonly (readonly [string, Change, ReasonCode?])[] = [
    ["an entry of another folder", (signed) => set(member(signed, "targets"), "files/x", entry(signed))],
    ["an entry without a folder", (signed) => set(member(signed, "targets"), "latest", entry(signed))],
    ["what is no tag", (signed) => set(member(signed, "targets"), "tags/-x", entry(signed))],
    ["a tag below a tag", (signed) => set(member(signed, "targets"), "tags/a/b", entry(signed))],
    [
      "a digest that is another one",
      (signed) => set(member(signed, "targets"), `digests/sha256-${"0".repeat(64)}`, entry(signed)),
    ],
    ["an entry without a hash", (signed) => set(entry(signed), "hashes", {})],
    ["an entry with an inherited hash", (signed) => set(entry(signed), "hashes", { constructor: 1 })],
    ["a hash by another algorithm", (signed) => set(entry(signed), "hashes", { sha512: "0".repeat(128) })],
    ["a hash in upper case", (signed) => set(entry(signed), "hashes", { sha256: "A".repeat(64) })],
    ["a length of nothing", (signed) => set(entry(signed), "length", 0)],
    ["claims that are no object", (signed) => set(member(entry(signed), "custom"), "countersign", [])],
    ["a time that is none", (signed) => set(claims(signed), "signedAt", "yesterday")],
    ["a digest before that is none", (signed) => set(claims(signed), "supersedes", "latest")],
    ["a revocation without a reason", (signed) => set(claims(signed), "revoked", { at: "2026-01-01T00:00:00Z" })],
    ["a revocation without a time", (signed) => set(claims(signed), "revoked", { reason: "x" })],
    ["a demand for half an identity", (signed) => set(claims(signed), "requires", [{ identity: "x" }])],
    ["a demand that is no list", (signed) => set(claims(signed), "requires", {})],
    [
      "a note longer than is read",
      (signed) => set(claims(signed), "note", "x".repeat(LIMITS.tagTextCharacters + 1)),
      "limit-reached",
    ],
    [
      "more identities than are read",
      (signed) =>
        set(claims(signed), "requires", Array(LIMITS.bindingIdentities + 1).fill({ identity: "a", issuer: "b" })),
      "limit-reached",
    ],
    [
      "more entries than clients can take",
      (signed) => {
        const entries = Array.from({ length: LIMITS.tufFiles + 1 }, (_, at) => [`tags/v${at}`, entry(signed)]);
        set(signed, "targets", Object.fromEntries(entries));
      },
      "limit-reached",
    ],
    ["a signer without a name", (signed) => set(signer(signed), "name", "")],
    ...["10", "Root", "../x", "a/b", "root", "releases.bin-0f", "constructor", "a".repeat(65)].map(
      (name) => [`a signer called ${name.slice(0, 20)}`, (signed: Json) => set(signer(signed), "name", name)] as const,
    ),
    ["two signers of one name", (signed) => set(signer(signed), "name", "nightly")],
    ["a signer with hash prefixes", (signed) => set(signer(signed), "path_hash_prefixes", ["ab"])],
    ["a signer without paths", (signed) => set(signer(signed), "paths", undefined)],
    [
      "a signer that does not say whether it ends the search",
      (signed) => set(signer(signed), "terminating", undefined),
    ],
    ...[
      "!v1",
      "tags/{a,b}",
      "tags/+(a)",
      "tags/[a-c]",
      "#x",
      "tags/a\\*",
      "tags/**/x",
      "tags/",
      "",
      "tags/é",
      "tags/*a*b*c*d*",
    ].map(
      (path) =>
        [
          `the pattern ${JSON.stringify(path)}`,
          (signed: Json) => set(signer(signed), "paths", [path]),
          "pattern-unsupported",
        ] as const,
    ),
    [
      "a pattern longer than is read",
      (signed) => set(signer(signed), "paths", [`tags/${"a".repeat(LIMITS.tagPatternCharacters)}`]),
      "pattern-unsupported",
    ],
    [
      "more patterns than are read",
      (signed) => set(signer(signed), "paths", Array(LIMITS.tufPatterns + 1).fill("tags/*")),
      "limit-reached",
    ],
    [
      "more signers than are read",
      (signed) => {
        const one = signer(signed);
        const names = Array.from({ length: LIMITS.tagSigners + 1 }, (_, at) => ({ ...one, name: `s${at}` }));
        set(member(signed, "delegations"), "roles", names);
      },
      "limit-reached",
    ],
    [
      "more keys than are read",
      (signed) => {
        const keys = Array.from({ length: LIMITS.tufKeys + 1 }, (_, at) => [`k${at}`, {}]);
        set(member(signed, "delegations"), "keys", Object.fromEntries(keys));
      },
      "limit-reached",
    ],
    ["signers and bins at once", (signed) => set(member(signed, "delegations"), "succinct_roles", {})],
    ["a number of bins that is none", (signed) => set(signed, "x-countersign", { bits: 0 })],
    [
      "a number of bins that there cannot be",
      (signed) => set(signed, "x-countersign", { bits: LIMITS.tagBinBits + 1 }),
    ],
    ["a mark of ours with more in it", (signed) => set(signed, "x-countersign", { bits: 1, more: 1 })],
    ["delegations with more in them", (signed) => set(member(signed, "delegations"), "more", {})],
  ];
  for (const [title, change, code] of cases) it(title, () => refuses("targets", change, code));

  const bins = (more: object): Change => {
    return (signed) => {
      const { keyids } = signer(signed) as unknown as { keyids: string[] };
      const { keys } = member(signed, "delegations") as unknown as { keys: Json };
      const succinct = { keyids, threshold: 1, bit_length: 4, name_prefix: "targets.bin", ...more };
      set(signed, "targets", {});
      set(signed, "delegations", { keys, succinct_roles: succinct });
    };
  };

  it("bins of no bits, of more bits than there may be, with more in them, and beside entries", () => {
    assert.ok(readRole(changed("targets", bins({})), "targets", "it", NOW).body.bins);
    refuses("targets", bins({ bit_length: 0 }));
    refuses("targets", bins({ bit_length: LIMITS.tagBinBits + 1 }));
    refuses("targets", bins({ bit_length: 32 }));
    refuses("targets", bins({ paths: [] }));
    refuses("targets", (signed, file) => {
      const { targets } = signed as unknown as { targets: Json };
      bins({})(signed, file);
      set(signed, "targets", targets);
    });
  });

  it("tags that every object has a property of are tags like others", () => {
    const tags = ["constructor", "__proto__", "toString"];
    const bytes = changed("targets", (signed) => {
      const one = entry(signed);
      set(signed, "targets", Object.fromEntries(tags.map((tag) => [`tags/${tag}`, one])));
    });
    assert.deepEqual(
      readRole(bytes, "targets", "it", NOW).body.bindings.map(({ tag }) => tag),
      tags,
    );
  });
});

describe("what a snapshot and a timestamp are refused for", () => {
  const listed = (signed: Json) => member(signed, "meta", "snapshot.json");
  const cases: readonly (readonly [string, Change, ReasonCode?])[] = [
    ["no length", (signed) => set(listed(signed), "length", undefined)],
    ["no hash", (signed) => set(listed(signed), "hashes", undefined)],
    ["another hash", (signed) => set(listed(signed), "hashes", { sha512: "00" })],
    ["no version", (signed) => set(listed(signed), "version", 0)],
    ["another file", (signed) => set(member(signed, "meta"), "targets.json", listed(signed))],
    ["no file", (signed) => set(signed, "meta", {})],
  ];
  for (const [title, change, code] of cases) it(`a timestamp with ${title}`, () => refuses("timestamp", change, code));

  it("a snapshot with what is no name of a role, or with more files than are read", () => {
    const targets = (signed: Json) => member(signed, "meta", "targets.json");
    for (const name of ["../x.json", "Targets.json", "10.json", "x", "a/b.json", "__proto__x.json"]) {
      refuses("snapshot", (signed) => set(member(signed, "meta"), name, targets(signed)));
    }
    const many = (signed: Json) => {
      const files = Array.from({ length: LIMITS.tagRoleFiles + 1 }, (_, at) => [`r${at}.json`, targets(signed)]);
      set(signed, "meta", Object.fromEntries(files));
    };
    refuses("snapshot", many, "limit-reached");
  });
});

describe("instants in metadata", () => {
  it("are whole seconds: what is written comes back", () => {
    const { body } = readRole(fileOf("timestamp"), "timestamp", "it", NOW);
    assert.equal(body.expires, instant(Math.floor((NOW + 7 * 24 * 60 * 60 * 1000) / 1000) * 1000));
  });
});
