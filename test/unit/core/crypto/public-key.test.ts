import assert from "node:assert/strict";
import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { keyAlgorithmOf } from "../../../../src/core/crypto/algorithms.ts";
import { formatPem } from "../../../../src/core/crypto/pem.ts";
import { parsePublicKey, publicKeyFrom, publicKeyPem, rawEd25519 } from "../../../../src/core/crypto/public-key.ts";
import { thrownBy } from "../../../support/codes.ts";

/** The P-256 key whose private scalar is 1: its point is the generator. */
const GENERATOR = createPublicKey({
  format: "jwk",
  key: {
    kty: "EC",
    crv: "P-256",
    x: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
    y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
  },
});
/** The same with its curve spelled out (RFC 3279, section 2.3.5), and with a hybrid point (X9.62, section 4.3.6). */
const GENERATOR_WRITTEN = {
  "a curve that is spelled out": Buffer.from(
    "3082014b3082010306072a8648ce3d02013081f7020101302c06072a8648ce3d0101022100ffffffff000000010000000000" +
      "00000000000000ffffffffffffffffffffffff305b0420ffffffff00000001000000000000000000000000ffffffffffffff" +
      "fffffffffc04205ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e70493" +
      "6a6678e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342" +
      "e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ffffffffffffffffbce6" +
      "faada7179e84f3b9cac2fc632551020101034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d8" +
      "98c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "hex",
  ),
  "a hybrid point": Buffer.from(
    "3059301306072a8648ce3d020106082a8648ce3d030107034200076b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "hex",
  ),
};
const ED25519_SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function ed25519Key(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI_PREFIX, raw]), format: "der", type: "spki" });
}

function pem(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

describe("a public key", () => {
  it("has the known hint, and its fingerprint is the same hash", () => {
    const key = publicKeyFrom(GENERATOR, "it");
    assert.equal(key.hint, "XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM=");
    assert.equal(key.fingerprint, `SHA256:${Buffer.from(key.hint, "base64").toString("hex")}`);
    assert.equal(key.algorithm, "ecdsa-p256");
    assert.equal(key.label, "it");
  });

  it("is written as PEM and read back", () => {
    const text = publicKeyPem(publicKeyFrom(GENERATOR, "it"));
    assert.equal(parsePublicKey(text, "it").hint, publicKeyFrom(GENERATOR, "it").hint);
    assert.equal(text, pem(GENERATOR));
  });

  it("is the public half of a private key", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    assert.equal(publicKeyFrom(privateKey, "it").fingerprint, publicKeyFrom(publicKey, "it").fingerprint);
  });

  it("has one fingerprint however its point is written: a threshold counts fingerprints", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const plain = publicKeyFrom(privateKey, "it");
    const point = plain.spki.slice(-65);
    const compressed = Buffer.concat([
      Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
      Buffer.from([(point[64] ?? 0) % 2 === 0 ? 2 : 3]),
      point.subarray(1, 33),
    ]);
    const key = createPublicKey({ key: compressed, format: "der", type: "spki" });
    assert.equal(publicKeyFrom(key, "it").fingerprint, plain.fingerprint);
    thrownBy(() => parsePublicKey(formatPem({ label: "PUBLIC KEY", content: compressed }), "it"), "key-invalid");
  });

  for (const [what, written] of Object.entries(GENERATOR_WRITTEN)) {
    it(`has the same fingerprint with ${what}, and is no key file`, () => {
      const key = createPublicKey({ key: written, format: "der", type: "spki" });
      assert.equal(publicKeyFrom(key, "it").fingerprint, publicKeyFrom(GENERATOR, "it").fingerprint);
      thrownBy(() => parsePublicKey(formatPem({ label: "PUBLIC KEY", content: written }), "it"), "key-invalid");
    });
  }

  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    it(`on ${namedCurve} has the encoding that its generator writes`, () => {
      const { publicKey } = generateKeyPairSync("ec", { namedCurve });
      const again = createPublicKey({ key: publicKey.export({ format: "jwk" }), format: "jwk" });
      const { spki } = publicKeyFrom(publicKey, "it");
      assert.deepEqual(Buffer.from(spki), again.export({ type: "spki", format: "der" }));
    });
  }

  it("cannot be made of a secret", () => {
    thrownBy(() => publicKeyFrom(createSecretKey(Buffer.alloc(32)), "it"), "key-invalid");
  });

  it("says what to do where a private key or a certificate is given", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const text = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    assert.match(thrownBy(() => parsePublicKey(text, "it"), "key-invalid").next, /countersign key public/);
    const certificate = formatPem({ label: "CERTIFICATE", content: new Uint8Array(3) });
    assert.match(thrownBy(() => parsePublicKey(certificate, "it"), "key-invalid").next, /openssl x509/);
    const other = formatPem({ label: "CERTIFICATE REQUEST", content: new Uint8Array(3) });
    assert.match(thrownBy(() => parsePublicKey(other, "it"), "key-invalid").found ?? "", /CERTIFICATE REQUEST/);
  });
});

describe("keys that are too weak", () => {
  const weak: readonly (readonly [string, () => KeyObject])[] = [
    ["RSA of 1024 bits", () => generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey],
    ["RSA with exponent 3", () => generateKeyPairSync("rsa", { modulusLength: 2048, publicExponent: 3 }).publicKey],
    ["RSA for PSS only", () => generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey],
    ["ECDSA on secp256k1", () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey],
    ["ECDSA on P-224", () => generateKeyPairSync("ec", { namedCurve: "secp224r1" }).publicKey],
    ["Ed448", () => generateKeyPairSync("ed448").publicKey],
    ["X25519", () => generateKeyPairSync("x25519").publicKey],
  ];
  for (const [what, make] of weak) {
    it(`are refused: ${what}`, () => {
      const key = make();
      thrownBy(() => publicKeyFrom(key, "it"), "key-weak");
      thrownBy(() => parsePublicKey(pem(key), "it"), "key-weak");
    });
  }

  /** An RSA key of any size and exponent: nobody has its private half. */
  function rsa(bits: number, exponent: number): KeyObject {
    const n = Buffer.alloc(bits / 8, 0xff).toString("base64url");
    const e = Buffer.from(exponent.toString(16).padStart(8, "0"), "hex").toString("base64url");
    return createPublicKey({ format: "jwk", key: { kty: "RSA", n, e } });
  }

  it("are told by size and exponent, for RSA", () => {
    assert.equal(publicKeyFrom(rsa(2048, 65_537), "it").algorithm, "rsa");
    assert.equal(publicKeyFrom(rsa(8192, 65_537), "it").algorithm, "rsa");
    for (const key of [rsa(2040, 65_537), rsa(8200, 65_537), rsa(2048, 65_535), rsa(2048, 65_538)]) {
      thrownBy(() => publicKeyFrom(key, "it"), "key-weak");
    }
  });

  it("a secret is no key to sign with at all", () => {
    thrownBy(() => keyAlgorithmOf(createSecretKey(Buffer.alloc(32)), "it"), "key-weak");
  });

  const smallOrder = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  for (const hex of smallOrder) {
    it(`are refused: the Ed25519 point of small order ${hex}`, () => {
      const raw = Buffer.from(hex, "hex");
      assert.ok(ed25519.Point.fromBytes(raw, true).isSmallOrder(), "the list itself must be right");
      thrownBy(() => publicKeyFrom(ed25519Key(raw), "it"), "key-weak");
    });
  }
});

describe("the raw Ed25519 key", () => {
  it("is the last 32 bytes of its SubjectPublicKeyInfo (RFC 8410)", () => {
    const raw = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
    assert.deepEqual(Buffer.from(rawEd25519(publicKeyFrom(ed25519Key(raw), "it").spki)), raw);
  });
});
