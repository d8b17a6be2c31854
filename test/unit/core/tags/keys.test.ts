import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { decodeUtf8 } from "../../../../src/core/bytes.ts";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { canonicalJson } from "../../../../src/core/tags/canonical.ts";
import type { TufKey } from "../../../../src/core/tags/metadata.ts";
import { keyIdOf, publicKeyOf, tufKeyOf } from "../../../../src/core/tags/tuf-key.ts";
import { thrownBy } from "../../../support/codes.ts";
import { roleSigner } from "../../../support/tag-publisher.ts";

describe("canonical JSON", () => {
  const text = (value: Parameters<typeof canonicalJson>[0]) => decodeUtf8(canonicalJson(value));

  it("sorts members and leaves no room between them", () => {
    assert.equal(text({ b: [1, true, null], a: { d: "x", c: -5 } }), '{"a":{"c":-5,"d":"x"},"b":[1,true,null]}');
  });

  it("escapes quotes and backslashes alone: a line break stays one", () => {
    assert.equal(text('a"b\\c\nd\u00e9'), '"a\\"b\\\\c\nd\u00e9"');
  });

  for (const number of [0.5, 1e300, Number.NaN, 2 ** 53]) {
    it(`refuses the number ${number}, wherever it stands`, () => {
      for (const value of [number, [number], { a: { b: [number] } }]) {
        thrownBy(() => canonicalJson(value), "metadata-malformed");
      }
    });
  }
});

describe("keys as TUF writes them", () => {
  for (const curve of [undefined, "P-256", "P-384"] as const) {
    it(`${curve ?? "Ed25519"} comes back as the same key, under the hash of what is written`, () => {
      const { publicKey } = roleSigner("k", curve);
      const key = tufKeyOf(publicKey);
      assert.equal(publicKeyOf(key, "k").fingerprint, publicKey.fingerprint);
      const hash = createHash("sha256")
        .update(canonicalJson({ ...key }))
        .digest("hex");
      assert.equal(keyIdOf(key), hash);
    });
  }

  it("an Ed25519 key is 64 hexadecimal digits, an ECDSA key is PEM", () => {
    assert.match(tufKeyOf(roleSigner().publicKey).keyval.public, /^[0-9a-f]{64}$/);
    const { keytype, scheme, keyval } = tufKeyOf(roleSigner("k", "P-384").publicKey);
    assert.deepEqual([keytype, scheme], ["ecdsa", "ecdsa-sha2-nistp384"]);
    assert.match(keyval.public, /^-----BEGIN PUBLIC KEY-----\n[^-]+-----END PUBLIC KEY-----\n$/);
  });

  it("has the id that other implementations compute", () => {
    const key: TufKey = {
      keytype: "ed25519",
      scheme: "ed25519",
      keyval: { public: "edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd" },
    };
    const canonical = `{"keytype":"ed25519","keyval":{"public":"${key.keyval.public}"},"scheme":"ed25519"}`;
    assert.equal(keyIdOf(key), createHash("sha256").update(canonical).digest("hex"));
  });

  it("P-521 and RSA keys sign no trust metadata", () => {
    const rsa = publicKeyFrom(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey, "rsa.pub");
    for (const key of [roleSigner("k", "P-521").publicKey, rsa]) {
      assert.match(thrownBy(() => tufKeyOf(key), "key-weak").next, /trust key generate/);
    }
  });

  it("refuses what is not the key that it says", () => {
    const p256 = tufKeyOf(roleSigner("k", "P-256").publicKey);
    const ed25519 = tufKeyOf(roleSigner().publicKey);
    const odd: readonly TufKey[] = [
      { ...p256, scheme: "ecdsa-sha2-nistp384" },
      { ...p256, scheme: "ed25519" },
      { ...ed25519, scheme: "ecdsa-sha2-nistp256" },
      { ...ed25519, keyval: { public: ed25519.keyval.public.toUpperCase() } },
      { ...ed25519, keyval: { public: ed25519.keyval.public.slice(2) } },
      { ...ed25519, keyval: { public: "" } },
    ];
    for (const key of odd) thrownBy(() => publicKeyOf(key, "k"), "key-invalid");
  });

  it("refuses a point of small order, for which anyone can sign", () => {
    const key: TufKey = { keytype: "ed25519", scheme: "ed25519", keyval: { public: `01${"00".repeat(31)}` } };
    thrownBy(() => publicKeyOf(key, "k"), "key-weak");
  });
});
