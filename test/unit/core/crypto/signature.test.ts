import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { withPrehash } from "../../../../src/core/crypto/prehash.ts";
import { type PublicKey, publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { signData, verifySignature } from "../../../../src/core/crypto/signature.ts";
import { thrownBy } from "../../../support/codes.ts";

interface Pair {
  readonly privateKey: KeyObject;
  readonly key: PublicKey;
}

async function pair(privateKey: KeyObject): Promise<Pair> {
  return { privateKey, key: await withPrehash(publicKeyFrom(privateKey, "it")) };
}

const PAIRS: Readonly<Record<string, Pair>> = {
  "P-256": await pair(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey),
  "P-384": await pair(generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey),
  "P-521": await pair(generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey),
  Ed25519: await pair(generateKeyPairSync("ed25519").privateKey),
  RSA: await pair(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
};
const DATA = Buffer.from("what is signed");
const NOT_VERIFIED = { verified: false };

function pairOf(name: string): Pair {
  const found = PAIRS[name];
  assert.ok(found !== undefined);
  return found;
}

/** Bytes that no signer made, some of them shaped like DER. */
const JUNK: readonly (readonly [string, Uint8Array])[] = [
  ["nothing", new Uint8Array()],
  ["one byte", new Uint8Array([0x30])],
  ["64 zero bytes", new Uint8Array(64)],
  ["r and s of zero", Buffer.from("3006020100020100", "hex")],
  ["r of zero, s of one", Buffer.from("3006020100020101", "hex")],
  ["a negative r", Buffer.from("3006020181020101", "hex")],
  ["a length beyond the end", Buffer.from("30ffff020101", "hex")],
  ["an endless length", Buffer.from("308802010102010102010102", "hex")],
  ["256 bytes of 0xff", new Uint8Array(256).fill(0xff)],
  ["a mebibyte", new Uint8Array(1024 * 1024).fill(0x30)],
];

for (const name of Object.keys(PAIRS)) {
  describe(`signatures by ${name}`, () => {
    const { privateKey, key } = pairOf(name);

    it("verify over what was signed, and over nothing else", () => {
      const signature = signData(privateKey, DATA);
      assert.deepEqual(verifySignature(key, DATA, signature), { verified: true });
      assert.deepEqual(verifySignature(key, Buffer.from("something else"), signature), NOT_VERIFIED);
      assert.deepEqual(verifySignature(key, new Uint8Array(), signature), NOT_VERIFIED);
    });

    it("verify with no other key, of whatever kind", () => {
      const signature = signData(privateKey, DATA);
      for (const other of Object.keys(PAIRS).filter((each) => each !== name)) {
        assert.deepEqual(verifySignature(pairOf(other).key, DATA, signature), NOT_VERIFIED, other);
      }
    });

    it("verify over an empty message", () => {
      assert.equal(verifySignature(key, new Uint8Array(), signData(privateKey, new Uint8Array())).verified, true);
    });

    for (const [what, junk] of JUNK) {
      it(`are not ${what}, and saying so never throws`, () => {
        assert.deepEqual(verifySignature(key, DATA, junk), NOT_VERIFIED);
      });
    }

    it("do not verify with a byte more or less", () => {
      const signature = signData(privateKey, DATA);
      assert.deepEqual(verifySignature(key, DATA, Buffer.concat([signature, Buffer.alloc(1)])), NOT_VERIFIED);
      assert.deepEqual(verifySignature(key, DATA, signature.subarray(0, -1)), NOT_VERIFIED);
    });
  });
}

describe("variants of signatures", () => {
  it("takes SHA-256 with P-384 and P-521, as cosign 1 and 2 signed, and says so", () => {
    for (const name of ["P-384", "P-521"]) {
      const { privateKey, key } = pairOf(name);
      const signature = sign("sha256", DATA, { key: privateKey, dsaEncoding: "der" });
      assert.deepEqual(verifySignature(key, DATA, signature), { verified: true, variant: "ecdsa-sha256" });
      assert.deepEqual(verifySignature(key, Buffer.from("x"), signature), NOT_VERIFIED);
    }
  });

  it("takes no other hash", () => {
    for (const [name, hash] of [
      ["P-256", "sha512"],
      ["P-256", "sha1"],
      ["P-384", "sha512"],
      ["P-384", "sha1"],
      ["P-521", "sha384"],
      ["RSA", "sha512"],
      ["RSA", "sha1"],
    ] as const) {
      const { privateKey, key } = pairOf(name);
      const signature = sign(hash, DATA, { key: privateKey, dsaEncoding: "der" });
      assert.deepEqual(verifySignature(key, DATA, signature), NOT_VERIFIED, `${name} with ${hash}`);
    }
  });

  it("takes no ECDSA signature as two plain numbers (IEEE P1363)", () => {
    const { privateKey, key } = pairOf("P-256");
    const signature = sign("sha256", DATA, { key: privateKey, dsaEncoding: "ieee-p1363" });
    assert.deepEqual(verifySignature(key, DATA, signature), NOT_VERIFIED);
  });

  it("takes no RSA-PSS signature", () => {
    const { privateKey, key } = pairOf("RSA");
    const signature = sign("sha256", DATA, { key: privateKey, padding: 6 });
    assert.deepEqual(verifySignature(key, DATA, signature), NOT_VERIFIED);
  });

  const seed = Buffer.from(pairOf("Ed25519").privateKey.export({ format: "jwk" }).d ?? "", "base64url");

  it("takes Ed25519ph (RFC 8032, section 5.1), as cosign 3 signs images, and says so", () => {
    const signature = ed25519ph.sign(DATA, seed);
    const { key } = pairOf("Ed25519");
    assert.deepEqual(verifySignature(key, DATA, signature), { verified: true, variant: "ed25519ph" });
    assert.deepEqual(verifySignature(key, Buffer.from("x"), signature), NOT_VERIFIED);
  });

  it("takes Ed25519ph only where the key was prepared for it", () => {
    const unprepared = publicKeyFrom(pairOf("Ed25519").privateKey, "it");
    assert.deepEqual(verifySignature(unprepared, DATA, ed25519ph.sign(DATA, seed)), NOT_VERIFIED);
  });

  it("takes no Ed25519ph signature with a context", () => {
    const signature = ed25519ph.sign(DATA, seed, { context: Buffer.from("x") });
    assert.deepEqual(verifySignature(pairOf("Ed25519").key, DATA, signature), NOT_VERIFIED);
  });

  it("prepares only Ed25519 keys", async () => {
    const key = publicKeyFrom(pairOf("P-256").privateKey, "it");
    assert.equal(await withPrehash(key), key);
  });
});

describe("signing", () => {
  it("refuses a key that nobody should accept", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
    thrownBy(() => signData(privateKey, DATA), "key-weak");
  });
});
