import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type Kind, readMetadata } from "../../../../src/io/tuf/untrusted.ts";
import { thrownBy } from "../../../support/codes.ts";
import type { Json, JsonObject } from "../../../support/tuf-repository.ts";

const READING = { what: "the metadata", code: "trust-rejected" } as const;
const HEX = "ab".repeat(32);

function key(hex = HEX): JsonObject {
  return { keytype: "ed25519", scheme: "ed25519", keyval: { public: hex } };
}

function role(...keyids: readonly string[]): JsonObject {
  return { keyids: [...keyids], threshold: 1 };
}

function signedOf(kind: Kind): JsonObject {
  const common = { _type: kind, spec_version: "1.0.31", version: 1, expires: "2030-01-31T12:00:00Z" };
  const bodies: Readonly<Record<Kind, JsonObject>> = {
    root: {
      consistent_snapshot: true,
      keys: { a: key(), b: key("cd".repeat(32)) },
      roles: { root: role("a"), timestamp: role("a"), snapshot: role("a"), targets: role("a", "b") },
    },
    timestamp: { meta: { "snapshot.json": { version: 3, length: 10, hashes: { sha256: HEX } } } },
    snapshot: { meta: { "targets.json": { version: 2 } } },
    targets: {
      targets: { "file.json": { length: 7, hashes: { sha256: HEX }, custom: { note: "x" } } },
      delegations: { keys: { a: key() }, roles: [delegation()] },
    },
  };
  return { ...common, ...bodies[kind] };
}

function delegation(changes: JsonObject = {}): JsonObject {
  return { ...role("a"), name: "releases", terminating: false, paths: ["tags/*"], ...changes };
}

function bytesOf(signed: Json, signatures: Json = [{ keyid: "a", sig: "00" }]): Uint8Array {
  return Buffer.from(JSON.stringify({ signatures, signed }));
}

describe("metadata that is read before tuf-js sees it", () => {
  for (const kind of ["root", "timestamp", "snapshot", "targets"] as const) {
    it(`is taken: a ${kind}`, () => {
      const metadata = readMetadata(bytesOf(signedOf(kind)), kind, READING);
      assert.deepEqual(
        [metadata.kind, metadata.version, metadata.expires],
        [kind, 1, Date.parse("2030-01-31T12:00:00Z")],
      );
    });
  }

  it("gives the files that a timestamp lists", () => {
    const { files } = readMetadata(bytesOf(signedOf("timestamp")), "timestamp", READING);
    assert.deepEqual([...files], [["snapshot.json", { version: 3, length: 10, hashes: { sha256: HEX } }]]);
  });

  it("is taken with members that nobody knows (TUF 1.0.34, 4)", () => {
    readMetadata(bytesOf({ ...signedOf("root"), "x-acme": { a: [1] } }), "root", READING);
  });

  for (const expires of ["2030-01-31T12:00:00.123456789Z", "2021-12-18T13:28:12.99008-06:00", "2028-02-29T00:00:00Z"]) {
    it(`is taken with the expiry ${expires}`, () => {
      readMetadata(bytesOf({ ...signedOf("snapshot"), expires }), "snapshot", READING);
    });
  }

  it("is taken with empty signatures: some keyholders have not signed yet", () => {
    readMetadata(bytesOf(signedOf("root"), [{ keyid: "a", sig: "" }]), "root", READING);
  });
});

type Change = readonly [title: string, kind: Kind, change: (signed: JsonObject) => Json, code?: ReasonCode];

function many(count: number, value: Json): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`n${at}`, value]));
}

const REFUSED: readonly Change[] = [
  ["another type", "root", (signed) => ({ ...signed, _type: "targets" })],
  ["no type", "root", ({ _type: _, ...signed }) => signed],
  ["a list instead of an object", "root", () => []],
  ["a version of TUF to come", "root", (signed) => ({ ...signed, spec_version: "2.0.0" })],
  ["a version of TUF that is no text", "root", (signed) => ({ ...signed, spec_version: 1 })],
  ["a version of TUF in another form", "root", (signed) => ({ ...signed, spec_version: "1.0.0x1" })],
  ...[0, -3, 1.5, "1", null, true].map(
    (version): Change => [`version ${JSON.stringify(version)}`, "timestamp", (signed) => ({ ...signed, version })],
  ),
  ...[
    "Jan 1 2030",
    "2030-01-31",
    "2030-02-30T00:00:00Z",
    "2030-01-31T12:00:00",
    "9999999999",
    "2030-01-31T25:00:00Z",
    5,
  ].map((expires): Change => [`the expiry ${expires}`, "timestamp", (signed) => ({ ...signed, expires })]),
  ["no expiry", "timestamp", ({ expires: _, ...signed }) => signed],
  ["no keys", "root", ({ keys: _, ...signed }) => signed],
  ["a key that is no object", "root", (signed) => ({ ...signed, keys: { a: "key" } })],
  ["a key without a value", "root", (signed) => ({ ...signed, keys: { a: { keytype: "x", scheme: "x" } } })],
  [
    "a key whose value is no text",
    "root",
    (signed) => ({ ...signed, keys: { a: { ...key(), keyval: { public: 1 } } } }),
  ],
  ["roles that are a list", "root", (signed) => ({ ...signed, roles: [] })],
  ["a role without keys", "root", (signed) => ({ ...signed, roles: { root: { threshold: 1 } } })],
  ["a threshold of nought", "root", (signed) => ({ ...signed, roles: { root: { ...role("a"), threshold: 0 } } })],
  ["a threshold of a half", "root", (signed) => ({ ...signed, roles: { root: { ...role("a"), threshold: 0.5 } } })],
  ["one key id twice in a role", "root", (signed) => ({ ...signed, roles: { root: role("a", "a") } })],
  ["one key under two ids in a role", "root", (signed) => ({ ...signed, keys: { a: key(), b: key() } })],
  ["a consistent_snapshot that is no switch", "root", (signed) => ({ ...signed, consistent_snapshot: "yes" })],
  ["a list of files that is none", "snapshot", (signed) => ({ ...signed, meta: null })],
  ["a file without a version", "snapshot", (signed) => ({ ...signed, meta: { "targets.json": {} } })],
  ["a file of version nought", "snapshot", (signed) => ({ ...signed, meta: { "targets.json": { version: 0 } } })],
  [
    "a negative length",
    "timestamp",
    (signed) => ({ ...signed, meta: { "snapshot.json": { version: 1, length: -1 } } }),
  ],
  ["a weak hash alone", "timestamp", (signed) => ({ ...signed, meta: { s: { version: 1, hashes: { md5: "00" } } } })],
  [
    "a hash of the wrong length",
    "timestamp",
    (signed) => ({ ...signed, meta: { s: { version: 1, hashes: { sha256: "00" } } } }),
  ],
  [
    "a hash in capitals",
    "targets",
    (signed) => ({ ...signed, targets: { f: { length: 1, hashes: { sha256: "AB".repeat(32) } } } }),
  ],
  ["a target without hashes", "targets", (signed) => ({ ...signed, targets: { f: { length: 1 } } })],
  [
    "a target with no hash in its hashes",
    "targets",
    (signed) => ({ ...signed, targets: { f: { length: 1, hashes: {} } } }),
  ],
  ["a target without a length", "targets", (signed) => ({ ...signed, targets: { f: { hashes: { sha256: HEX } } } })],
  ["targets that are a list", "targets", (signed) => ({ ...signed, targets: [] })],
];

const DELEGATIONS: readonly (readonly [title: string, delegations: JsonObject])[] = [
  [
    "roles and hash bins at once",
    { keys: {}, roles: [], succinct_roles: { ...role(), bit_length: 1, name_prefix: "b" } },
  ],
  ["hash bins of 33 bits", { keys: {}, succinct_roles: { ...role(), bit_length: 33, name_prefix: "b" } }],
  ["hash bins of no bits", { keys: {}, succinct_roles: { ...role(), bit_length: 0, name_prefix: "b" } }],
  ["two roles of one name", { keys: { a: key() }, roles: [delegation(), delegation()] }],
  ["paths and hash prefixes at once", { keys: { a: key() }, roles: [delegation({ path_hash_prefixes: ["0"] })] }],
  [
    "a hash prefix that is none",
    { keys: { a: key() }, roles: [{ ...role("a"), name: "r", terminating: true, path_hash_prefixes: ["xy"] }] },
  ],
  ["terminating that is no switch", { keys: { a: key() }, roles: [delegation({ terminating: "no" })] }],
  ["paths that are no list", { keys: { a: key() }, roles: [delegation({ paths: "*" })] }],
  ["no keys", { roles: [] }],
  ...["!v1", "#x", "{a,b}", "+(a|b)", "[a-c]", "a\\*", "tags/!(x)"].map((pattern): [string, JsonObject] => [
    `the pattern ${pattern}, which clients read differently`,
    { keys: { a: key() }, roles: [delegation({ paths: [pattern] })] },
  ]),
  ...["10", "../x", "a/b", "Root", "", "x".repeat(129), "constructor", "tostring\u0000", ".hidden"].map(
    (name): [string, JsonObject] => [
      `the role ${JSON.stringify(name).slice(0, 20)}`,
      { keys: { a: key() }, roles: [delegation({ name })] },
    ],
  ),
];

describe("metadata that tuf-js does not get to see", () => {
  for (const [title, kind, change, code = "trust-rejected"] of REFUSED) {
    it(`a ${kind} with ${title}`, () => {
      thrownBy(() => readMetadata(bytesOf(change(signedOf(kind))), kind, READING), code);
    });
  }

  for (const [title, delegations] of DELEGATIONS) {
    it(`delegations with ${title}`, () => {
      const bytes = bytesOf({ ...signedOf("targets"), delegations });
      thrownBy(() => readMetadata(bytes, "targets", READING), "trust-rejected");
    });
  }

  const crowds: readonly Change[] = [
    ["too many keys", "root", (signed) => ({ ...signed, keys: many(LIMITS.tufKeys + 1, key()) })],
    ["too many files", "snapshot", (signed) => ({ ...signed, meta: many(LIMITS.tufFiles + 1, { version: 1 }) })],
    [
      "too many targets",
      "targets",
      (signed) => ({ ...signed, targets: many(LIMITS.tufFiles + 1, { length: 0, hashes: { sha256: HEX } }) }),
    ],
    [
      "too many delegated roles",
      "targets",
      (signed) => ({
        ...signed,
        delegations: { keys: {}, roles: Array(LIMITS.tufDelegations + 1).fill(delegation()) },
      }),
    ],
    [
      "too many patterns",
      "targets",
      (signed) => ({
        ...signed,
        delegations: { keys: {}, roles: [delegation({ paths: Array(LIMITS.tufPatterns + 1).fill("a") })] },
      }),
    ],
  ];
  for (const [title, kind, change] of crowds) {
    it(`a ${kind} with ${title}`, () => {
      thrownBy(() => readMetadata(bytesOf(change(signedOf(kind))), kind, READING), "limit-reached");
    });
  }

  it("one byte more than a role may have", () => {
    const bytes = Buffer.alloc(LIMITS.tufTimestampBytes + 1, " ");
    bytes.set(bytesOf(signedOf("timestamp")));
    thrownBy(() => readMetadata(bytes, "timestamp", READING), "limit-reached");
    readMetadata(bytes.subarray(0, -1), "timestamp", READING);
  });

  it("too many signatures, two by one key, one by a key that every object has", () => {
    const signatures = (count: number) => Array.from({ length: count }, (_, at) => ({ keyid: `${at}`, sig: "00" }));
    const read = (list: Json) => () => readMetadata(bytesOf(signedOf("root"), list), "root", READING);
    thrownBy(read(signatures(LIMITS.tufSignatures + 1)), "limit-reached");
    thrownBy(read([...signatures(1), ...signatures(1)]), "trust-rejected");
    thrownBy(read([{ keyid: "constructor", sig: "00" }]), "trust-rejected");
    thrownBy(read([{ keyid: "a" }]), "trust-rejected");
    thrownBy(read({}), "trust-rejected");
  });

  const texts: readonly (readonly [string, string, ReasonCode])[] = [
    ["duplicate members", '{"signatures":[],"signatures":[],"signed":{}}', "trust-rejected"],
    ["a __proto__ member", '{"signatures":[],"signed":{"__proto__":{}}}', "trust-rejected"],
    ["a number that no one counts to", '{"signatures":[],"signed":{"version":1e300}}', "trust-rejected"],
    ["something after it", `${Buffer.from(bytesOf(signedOf("timestamp"))).toString()}{}`, "trust-rejected"],
    ["depth without end", `${"[".repeat(5000)}`, "limit-reached"],
    ["a byte order mark", `\uFEFF${Buffer.from(bytesOf(signedOf("timestamp"))).toString()}`, "trust-rejected"],
  ];
  for (const [title, text, code] of texts) {
    it(title, () => void thrownBy(() => readMetadata(Buffer.from(text), "timestamp", READING), code));
  }
});

describe("one key under two ids", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const { x = "", y = "" } = ec.export({ format: "jwk" });
  const [pointX, pointY] = [Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
  const pem = ec.export({ type: "spki", format: "pem" }).toString();
  const odd = ((pointY.at(-1) ?? 0) & 1) === 1;
  const compressed = `${odd ? "03" : "02"}${pointX.toString("hex")}`;
  const uncompressed = `04${pointX.toString("hex")}${pointY.toString("hex")}`;
  const ed = generateKeyPairSync("ed25519").publicKey;
  const edHex = Buffer.from(ed.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
  const edPem = ed.export({ type: "spki", format: "pem" }).toString();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
  const rsaPem = rsa.export({ type: "spki", format: "pem" }).toString();
  const rsaPkcs1 = createPublicKey(rsa.export({ type: "pkcs1", format: "pem" }))
    .export({ type: "spki", format: "pem" })
    .toString();

  const ecdsa = (text: string): JsonObject => ({
    keytype: "ecdsa",
    scheme: "ecdsa-sha2-nistp256",
    keyval: { public: text },
  });
  const same: readonly (readonly [string, JsonObject, JsonObject])[] = [
    ["as PEM and as a point", ecdsa(pem), ecdsa(uncompressed)],
    ["as a point and as a compressed point", ecdsa(uncompressed), ecdsa(compressed)],
    ["in capitals", ecdsa(uncompressed), ecdsa(uncompressed.toUpperCase())],
    ["with a line break more", ecdsa(pem), ecdsa(`${pem}\n`)],
    ["Ed25519 as PEM and as digits", key(edPem), key(edHex)],
    ["RSA under two schemes", rsaKey("rsassa-pss-sha256", rsaPem), rsaKey("rsassa-pss-sha512", rsaPkcs1)],
    ["that is no key at all", key("zz"), key("zz")],
  ];

  function rsaKey(scheme: string, text: string): JsonObject {
    return { keytype: "rsa", scheme, keyval: { public: text } };
  }

  function rootWith(a: JsonObject, b: JsonObject): Uint8Array {
    return bytesOf({ ...signedOf("root"), keys: { a, b } });
  }

  for (const [title, a, b] of same) {
    it(`is one key ${title}`, () => {
      const error = thrownBy(() => readMetadata(rootWith(a, b), "root", READING), "trust-rejected");
      assert.match(error.message, /counts one key twice/);
    });
  }

  it("is no matter where the two keys are two", () => {
    readMetadata(rootWith(ecdsa(pem), key(edHex)), "root", READING);
  });

  it("is no matter where they serve different roles", () => {
    const roles = { root: role("a"), timestamp: role("b"), snapshot: role("b"), targets: role("a") };
    readMetadata(bytesOf({ ...signedOf("root"), roles, keys: { a: key(), b: key() } }), "root", READING);
  });
});

describe("names of delegated roles as TUF allows them, where the caller takes any", () => {
  const read = (name: string) => () =>
    readMetadata(
      bytesOf({ ...signedOf("targets"), delegations: { keys: { a: key() }, roles: [delegation({ name })] } }),
      "targets",
      { ...READING, anyRoleName: true },
    );

  for (const name of ["?", "#", "/delegatedrole", "../delegatedrole", "Root"])
    it(`${name} is taken`, () => void read(name)());
  for (const name of ["10", "constructor"]) it(`${name} is not`, () => void thrownBy(read(name), "trust-rejected"));
});
