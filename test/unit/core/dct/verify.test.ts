import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { verifyNextDctRoot } from "../../../../src/core/dct/roots.ts";
import { describeLapse, type UntrustedDct, verifyDct } from "../../../../src/core/dct/verify.ts";
import type { JsonObject } from "../../../../src/core/json.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type Instant, instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  type DctMade,
  type DctWish,
  dctFile,
  dctRepository,
  GUN,
  plainDctKey,
  rootDctKey,
  rootParts,
} from "../../../support/dct/publisher.ts";
import { DAY, FROM, NOW, UNTIL } from "../../../support/sigstore/times.ts";

const HEX = "ab".repeat(32);

function refused(untrusted: UntrustedDct, code: ReasonCode, about: RegExp, at: Instant = NOW): void {
  const error = thrownBy(() => verifyDct(untrusted, at), code);
  assert.match([error.message, error.found, error.wanted].join("\n"), about);
}

/** A root after the one of `made`, with other keys where a test wants them. */
function nextRoot(
  made: DctMade,
  options: { version?: number; root?: DctMade["root"]; signers?: readonly DctMade["root"][] } = {},
): Uint8Array {
  const { version = 2, root = rootDctKey(), signers = [made.root, root] } = options;
  const parts = rootParts({ root, targets: made.targetsKey, ...made.online });
  const expires = new Date(NOW + 3650 * DAY).toISOString();
  return dctFile({ _type: "Root", expires, version, ...parts }, ...signers);
}

describe("metadata of Docker Content Trust", () => {
  it("is verified from its root on", () => {
    const repository = verifyDct(dctRepository({ tags: { "1.0": HEX } }), NOW);
    assert.deepEqual([...repository.targets.body.targets], [["1.0", { length: 523, digest: `sha256:${HEX}` }]]);
    assert.deepEqual(repository.lapses, []);
    assert.deepEqual(repository.passedOver, []);
    assert.equal(repository.root.version, 1);
  });

  for (const kind of ["p256", "p384", "rsa2048"] as const) {
    it(`is verified with root keys of kind ${kind}`, () => {
      assert.equal(verifyDct(dctRepository({ root: rootDctKey(GUN, kind) }), NOW).roots.length, 1);
    });
  }

  for (const kind of ["p384", "rsa2048", "ed25519"] as const) {
    it(`is verified with plain keys of kind ${kind}`, () => {
      assert.ok(verifyDct(dctRepository({ targetsKey: plainDctKey(kind) }), NOW));
    });
  }

  it("is verified file by file where nothing lists them, which is said", () => {
    const signers = [{ name: "targets/alice", keys: [plainDctKey()], tags: { "1.0": HEX } }];
    const made = dctRepository({ signers });
    const { delegations, passedOver, lapses } = verifyDct({ ...made, listings: undefined }, instant(NOW + 30 * DAY));
    assert.ok(delegations[0]?.file);
    assert.deepEqual(
      passedOver.map(({ code }) => code),
      ["mix-and-match"],
    );
    assert.deepEqual(lapses, []);
  });

  it("takes a certificate that is for all repositories below a name", () => {
    assert.ok(verifyDct(dctRepository({ root: rootDctKey("registry.example/acme/*") }), NOW));
  });

  it("says what has expired, and leaves it to the caller what that means", () => {
    const made = dctRepository({ signers: [{ name: "targets/alice", keys: [plainDctKey()], tags: {} }] });
    const later = verifyDct(made, instant(NOW + 15 * DAY));
    assert.deepEqual(later.lapses.map(describeLapse), ["timestamp expired at 2026-06-15T12:00:00Z"]);
    const muchLater = verifyDct(made, instant(NOW + 4000 * DAY)).lapses.map(({ what }) => what);
    assert.deepEqual(muchLater, ["root", "targets", "snapshot", "timestamp", "targets/alice"]);
  });

  it("says that the certificate of the root key has expired", () => {
    const root = rootDctKey(GUN, "p256", { notBefore: FROM, notAfter: NOW - 1000 });
    assert.equal(verifyDct(dctRepository({ root }), NOW).lapses[0]?.what, "the certificate of the root key");
  });
});

describe("metadata of Docker Content Trust is refused", () => {
  const roles = ["root", "targets", "snapshot", "timestamp"] as const;

  for (const role of roles) {
    it(`where ${role} is signed by another key`, () => {
      const stranger = role === "root" ? rootDctKey() : plainDctKey();
      refused(dctRepository({ signedBy: { [role]: [stranger] } }), "signature-threshold", /0 valid signatures/);
    });

    it(`where ${role} is signed by nobody`, () => {
      refused(dctRepository({ signedBy: { [role]: [] } }), "signature-threshold", /0 valid signatures/);
    });

    it(`where ${role} says that it is another role`, () => {
      const edit = { [role]: (signed: object) => ({ ...signed, _type: "Mirrors" }) };
      refused(dctRepository({ edit }), "metadata-malformed", /Mirrors/);
    });

    it(`where ${role} has no version`, () => {
      const edit = { [role]: (signed: object) => ({ ...signed, version: 0 }) };
      refused(dctRepository({ edit }), "metadata-malformed", /version is 0/);
    });

    it(`where ${role} has an expiry that is none`, () => {
      const edit = { [role]: (signed: object) => ({ ...signed, expires: "Jan 1 2030" }) };
      refused(dctRepository({ edit }), "metadata-malformed", /Jan 1 2030/);
    });
  }

  it("where it is another repository's", () => {
    refused(dctRepository({ root: rootDctKey("registry.example/acme/other") }), "root-of-another", /acme\/other/);
  });

  it("where the certificate's name merely begins like the repository's", () => {
    refused(dctRepository({ root: rootDctKey("registry.example/acme/ap") }), "root-of-another", /acme\/ap/);
    refused(dctRepository({ root: rootDctKey("registry.example/acme/apps*") }), "root-of-another", /apps\*/);
  });

  it("where the root key comes without a certificate", () => {
    refused(dctRepository({ root: plainDctKey() }), "root-of-another", /without a certificate/);
  });

  it("where a key's id is not its hash", () => {
    const made = dctRepository();
    const other = { ...plainDctKey(), id: "00".repeat(32) };
    const keys = { root: made.root, targets: other, ...made.online };
    const root = dctFile({ _type: "Root", expires: "2036-01-01T00:00:00Z", version: 1, ...rootParts(keys) }, made.root);
    refused({ ...made, roots: [root] }, "keyid-mismatch", /0000/);
  });

  it("where a threshold counts one key twice, in a certificate and in another one", () => {
    const first = rootDctKey();
    const again = rootDctKey(GUN, "p256", { notBefore: FROM, notAfter: UNTIL - DAY }, first.key);
    const edit = (signed: object) => {
      const both = { keyids: [first.id, again.id], threshold: 2 };
      const { keys, roles } = signed as { keys: object; roles: object };
      return { ...signed, keys: { ...keys, [again.id]: again.json }, roles: { ...roles, root: both } };
    };
    const wish: DctWish = { root: first, edit: { root: edit }, signedBy: { root: [first, again] } };
    refused(dctRepository(wish), "signature-threshold", /1 valid signatures/);
  });

  for (const [lister, listed] of [
    ["timestamp", "snapshot"],
    ["snapshot", "root"],
    ["snapshot", "targets"],
  ] as const) {
    it(`where ${listed} is not the one that the ${lister} lists`, () => {
      const edit = (signed: JsonObject): JsonObject => {
        const meta = signed["meta"] as JsonObject;
        return { ...signed, meta: { ...meta, [listed]: { ...(meta[listed] as JsonObject), length: 1 } } };
      };
      refused(dctRepository({ edit: { [lister]: edit } }), "mix-and-match", /1 bytes/);
    });
  }

  it("where targets comes from another publish than the snapshot", () => {
    const made = dctRepository({ tags: { "1.0": HEX } });
    const older = dctRepository({ root: made.root, targetsKey: made.targetsKey });
    refused({ ...made, targets: older.targets }, "mix-and-match", /targets\.json/);
  });

  it("where a file is not strict JSON", () => {
    const made = dctRepository();
    const twice = Buffer.from(Buffer.from(made.listings.timestamp).toString().replace("{", '{"signed":{},'));
    refused({ ...made, listings: { ...made.listings, timestamp: twice } }, "metadata-malformed", /duplicate member/);
  });

  it("where it has no snapshot and a role is signed by another key", () => {
    const made = dctRepository({ signedBy: { targets: [plainDctKey()] } });
    refused({ ...made, listings: undefined }, "signature-threshold", /targets/);
  });

  it("where there is no targets role", () => {
    refused({ ...dctRepository(), targets: new Map() }, "role-vanished", /targets/);
  });

  it("where a tag's hash is of another length", () => {
    const edit = (signed: object) => ({ ...signed, targets: { "1.0": { hashes: { sha256: "YWI=" }, length: 5 } } });
    refused(dctRepository({ edit: { targets: edit } }), "metadata-malformed", /a hash of 2 bytes/);
  });

  for (const name of [
    "targets/../../root",
    "targets/.",
    "targets//a",
    "targets/A",
    "root",
    "targets/a b",
    "../targets",
  ]) {
    it(`where a role below targets is called ${name}`, () => {
      const roles = [{ name, keyids: [], paths: [""], threshold: 1 }];
      const edit = { targets: (signed: object) => ({ ...signed, delegations: { keys: {}, roles } }) };
      refused(dctRepository({ edit }), "metadata-malformed", /a role called/);
    });
  }

  it("where the snapshot lists a file whose name leads elsewhere", () => {
    const edit = (signed: object) => ({ ...signed, meta: { "targets/../../../x": { hashes: {}, length: 1 } } });
    refused(dctRepository({ edit: { snapshot: edit } }), "metadata-malformed", /targets\/\.\./);
  });
});

describe("a new root of Docker Content Trust", () => {
  it("follows where the old and the new keys signed it", () => {
    const made = dctRepository();
    const first = verifyNextDctRoot(undefined, made.roots[0] ?? new Uint8Array(), GUN);
    assert.equal(verifyNextDctRoot(first, nextRoot(made), GUN).version, 2);
  });

  const cases: readonly (readonly [string, (made: DctMade) => Uint8Array, ReasonCode, RegExp])[] = [
    ["by its own keys alone", (made) => withSigners(made, "new"), "root-chain-broken", /0 valid signatures/],
    ["by the old keys alone", (made) => withSigners(made, "old"), "root-chain-broken", /0 valid signatures/],
    ["and leaves a version out", (made) => nextRoot(made, { version: 3 }), "root-version-gap", /version 3/],
    ["and repeats a version", (made) => nextRoot(made, { version: 1 }), "root-version-gap", /version 1 after/],
    [
      "for another repository",
      (made) => nextRoot(made, { root: rootDctKey("registry.example/acme/other") }),
      "root-of-another",
      /acme\/other/,
    ],
  ];
  for (const [how, make, code, about] of cases) {
    it(`is refused where it is signed ${how}`, () => {
      const made = dctRepository();
      refused({ ...made, roots: [...made.roots, make(made)] }, code, about);
    });
  }

  function withSigners(made: DctMade, which: "old" | "new"): Uint8Array {
    const root = rootDctKey();
    return nextRoot(made, { root, signers: [which === "old" ? made.root : root] });
  }
});

describe("a role below targets", () => {
  it("costs itself and nothing else where it is signed by a stranger", () => {
    const signers = [
      { name: "targets/releases", keys: [plainDctKey()], tags: { "2.0": HEX } },
      { name: "targets/alice", keys: [plainDctKey()], tags: { "2.0": HEX } },
    ];
    const made = dctRepository({ signers, signedBy: { "targets/alice": [plainDctKey()] } });
    const { delegations, passedOver } = verifyDct(made, NOW);
    assert.deepEqual(
      delegations.map(({ name, file }) => [name, file !== undefined]),
      [
        ["targets/releases", true],
        ["targets/alice", false],
      ],
    );
    assert.deepEqual(
      passedOver.map(({ code }) => code),
      ["signature-threshold"],
    );
  });

  it("is there without a file where it was never published", () => {
    const made = dctRepository({ signers: [{ name: "targets/alice", keys: [plainDctKey()] }] });
    const { delegations, passedOver } = verifyDct(made, NOW);
    assert.equal(delegations[0]?.file, undefined);
    assert.deepEqual(passedOver, []);
  });

  it("is told where it lies deeper than Docker looked", () => {
    const key = plainDctKey();
    const roles = [{ name: "targets/alice/qa", keyids: [], paths: [""], threshold: 1 }];
    const made = dctRepository({
      signers: [{ name: "targets/alice", keys: [key], tags: {} }],
      edit: { "targets/alice": (signed) => ({ ...signed, delegations: { keys: {}, roles } }) },
    });
    assert.match(verifyDct(made, NOW).passedOver[0]?.message ?? "", /targets\/alice\/qa lies deeper/);
  });
});
