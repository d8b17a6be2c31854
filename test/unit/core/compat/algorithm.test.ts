import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { algorithmOfSignature } from "../../../../src/core/compat/algorithm.ts";
import type { KeyAlgorithm } from "../../../../src/core/crypto/algorithms.ts";
import { signData } from "../../../../src/core/crypto/signature.ts";

const DATA = new TextEncoder().encode("what was signed");

const KEYS: readonly (readonly [KeyAlgorithm, () => KeyObject])[] = [
  ["ecdsa-p256", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey],
  ["ecdsa-p384", () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
  ["ecdsa-p521", () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey],
  ["ed25519", () => generateKeyPairSync("ed25519").privateKey],
  ["rsa", () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
];

describe("the form of a signature", () => {
  for (const [algorithm, make] of KEYS) {
    it(`gives away ${algorithm}, over and over`, () => {
      const key = make();
      for (let times = 0; times < 50; times++) {
        assert.equal(algorithmOfSignature(signData(key, DATA)), algorithm);
      }
    });
  }

  it("gives away nothing where it is of no known form", () => {
    const wrong: readonly Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(63),
      new Uint8Array(65),
      new Uint8Array(257),
      new Uint8Array(2048),
      Uint8Array.of(0x30),
      Uint8Array.of(0x30, 0x81),
      Uint8Array.from([0x30, 0x81, 200, ...new Uint8Array(200)]),
    ];
    for (const bytes of wrong) assert.equal(algorithmOfSignature(bytes), undefined, `${bytes.byteLength} bytes`);
  });

  it("does not take 64 bytes that begin like a SEQUENCE for one", () => {
    assert.equal(algorithmOfSignature(Uint8Array.from([0x30, ...new Uint8Array(63)])), "ed25519");
  });
});
