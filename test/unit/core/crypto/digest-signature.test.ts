import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { describe, it } from "node:test";
import {
  prepareDigests,
  type SignedDigestAlgorithm,
  verifySigned,
} from "../../../../src/core/crypto/digest-signature.ts";
import { type PublicKey, publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digest, type FakeKey, fakeKey, type KeyKind } from "../../../support/sigstore/keys.ts";

const DATA = Buffer.from("a file");

const loaded = (key: FakeKey): PublicKey => publicKeyFrom(key.publicKey, "it");

function verify(
  key: FakeKey,
  signature: Uint8Array,
  algorithm: SignedDigestAlgorithm = key.hash,
  data = DATA,
): boolean {
  return verifySigned(loaded(key), { kind: "digest", algorithm, digest: digest(data, algorithm) }, signature);
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));

// The first test runs before anything is loaded.
describe("a signature over a digest", () => {
  it("is an error of ours where what verifies it was not loaded, never an acceptance", async () => {
    const key = fakeKey();
    thrownBy(() => verify(key, key.sign(DATA)), "internal");
    const ph = fakeKey("ed25519ph");
    assert.equal(verifySigned(loaded(ph), { kind: "bytes", bytes: DATA }, ph.sign(DATA)), false);
    await prepareDigests();
    await prepareDigests();
    assert.equal(verify(key, key.sign(DATA)), true);
  });

  /** That of Ed25519 may be a pure one, over the file: it cannot be told from one that is wrong. */
  function wrong(kind: KeyKind, check: () => boolean): void {
    if (kind === "ed25519ph") thrownBy(check, "bad-signature");
    else assert.equal(check(), false);
  }

  for (const kind of ["p256", "p384", "p521", "rsa2048", "ed25519ph"] as const) {
    it(`is verified with a key of kind ${kind}, as over the bytes`, () => {
      const key = fakeKey(kind);
      const signature = key.sign(DATA);
      assert.equal(verify(key, signature), true);
      assert.equal(verifySigned(loaded(key), { kind: "bytes", bytes: DATA }, signature), true);
    });

    it(`is refused with a key of kind ${kind} where anything is changed`, () => {
      const key = fakeKey(kind);
      const signature = key.sign(DATA);
      wrong(kind, () => verify(key, signature, key.hash, Buffer.from("another file")));
      wrong(kind, () => verify(fakeKey(kind), signature));
      for (const at of [0, 1, 8, signature.byteLength - 1]) wrong(kind, () => verify(key, flipped(signature, at)));
      for (const other of [new Uint8Array(), signature.subarray(1), Buffer.concat([signature, Buffer.of(0)])]) {
        assert.equal(verify(key, other), false);
      }
    });
  }

  for (const kind of ["p384", "p521"] as const) {
    it(`of SHA-256 is verified with a key of kind ${kind}, as over the bytes`, () => {
      const key = fakeKey(kind);
      assert.equal(verify(key, key.sign(DATA, "sha256"), "sha256"), true);
      assert.equal(verify(key, key.sign(DATA), "sha256"), false);
    });
  }

  it("is DER, and not two numbers side by side", () => {
    const key = fakeKey();
    const raw = sign("sha256", DATA, { key: key.privateKey, dsaEncoding: "ieee-p1363" });
    assert.equal(verify(key, raw), false);
  });

  it("is refused over a digest that such a key does not sign", () => {
    for (const [kind, algorithm] of [
      ["p256", "sha512"],
      ["p384", "sha512"],
      ["rsa2048", "sha384"],
      ["ed25519", "sha256"],
    ] as const) {
      const key = fakeKey(kind);
      thrownBy(() => verify(key, key.sign(DATA), algorithm), "bad-signature");
    }
  });

  it("by pure Ed25519 is none: it is over the file, and that is what is said", () => {
    const key = fakeKey("ed25519");
    for (const signature of [key.sign(DATA), key.sign(digest(DATA, "sha512"))]) {
      const { message, next } = thrownBy(() => verify(key, signature), "bad-signature");
      assert.match(`${message}; ${next}`, /by this digest alone; give the file itself/);
    }
  });

  it("by RSA is over this digest and no other structure (RFC 8017 §8.2.2)", () => {
    const key = fakeKey("rsa2048");
    assert.equal(verify(key, key.sign(DATA, "sha512"), "sha256"), false);
    assert.equal(verify(key, key.sign(digest(DATA)), "sha256"), false);
  });
});
