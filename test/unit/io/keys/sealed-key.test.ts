import assert from "node:assert/strict";
import { scryptSync } from "node:crypto";
import { describe, it } from "node:test";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { encodeBase64 } from "../../../../src/core/bytes.ts";
import { sealKey, unsealKey } from "../../../../src/io/keys/sealed-key.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";

const PASSWORD = Buffer.from("pw");
const ZERO_SALT = new Uint8Array(32);

interface Sealed {
  kdf: { name: unknown; params: unknown; salt: unknown };
  cipher: { name: unknown; nonce: unknown };
  ciphertext: unknown;
}

/** The known answer of cosign's scheme: `hello` under the password `pw`, salt and nonce zero. */
function known(change: (sealed: Sealed) => void = () => undefined): Uint8Array {
  const sealed: Sealed = {
    kdf: { name: "scrypt", params: { N: 65_536, r: 8, p: 1 }, salt: encodeBase64(ZERO_SALT) },
    cipher: { name: "nacl/secretbox", nonce: encodeBase64(new Uint8Array(24)) },
    ciphertext: "+4rUmxOvutIg5pdVcyct7TuXIMvU",
  };
  change(sealed);
  return Buffer.from(JSON.stringify(sealed));
}

describe("cosign's encryption of key files (scrypt, NaCl secretbox)", () => {
  it("derives the known key and opens the known box", async () => {
    const key = scryptSync(PASSWORD, ZERO_SALT, 32, { N: 65_536, r: 8, p: 1, maxmem: 128 * 65_536 * 8 + 65_536 });
    assert.equal(key.toString("hex"), "24eaf682ce1ddf6db74fa9226bf69c67702fd27216047e3457d07700cae65b36");
    assert.equal(
      encodeBase64(xsalsa20poly1305(key, new Uint8Array(24)).encrypt(Buffer.from("hello"))),
      "+4rUmxOvutIg5pdVcyct7TuXIMvU",
    );
    assert.equal(Buffer.from((await unsealKey(known(), PASSWORD, "it")) ?? "").toString(), "hello");
  });

  it("answers a wrong password with undefined", async () => {
    assert.equal(await unsealKey(known(), Buffer.from("PW"), "it"), undefined);
    assert.equal(
      await unsealKey(
        known((sealed) => (sealed.ciphertext = "AAE=")),
        PASSWORD,
        "it",
      ),
      undefined,
    );
  });

  it("opens what it sealed", async () => {
    const sealed = await sealKey(Buffer.from("a key"), PASSWORD);
    assert.equal(Buffer.from((await unsealKey(sealed, PASSWORD, "it")) ?? "").toString(), "a key");
  });

  const bad: readonly (readonly [string, (sealed: Sealed) => void])[] = [
    ["no kdf", (sealed) => Reflect.deleteProperty(sealed, "kdf")],
    ["a kdf that is a string", (sealed) => Object.assign(sealed, { kdf: "scrypt" })],
    ["no cipher", (sealed) => Reflect.deleteProperty(sealed, "cipher")],
    ["parameters that are null", (sealed) => Object.assign(sealed.kdf, { params: null })],
    ["a larger N", (sealed) => Object.assign(sealed.kdf, { params: { N: 262_144, r: 8, p: 1 } })],
    ["an N of text", (sealed) => Object.assign(sealed.kdf, { params: { N: "65536", r: 8, p: 1 } })],
    ["another r", (sealed) => Object.assign(sealed.kdf, { params: { N: 65_536, r: 16, p: 1 } })],
    ["another p", (sealed) => Object.assign(sealed.kdf, { params: { N: 65_536, r: 8, p: 2 } })],
    ["no salt", (sealed) => Reflect.deleteProperty(sealed.kdf, "salt")],
    ["a salt that is a number", (sealed) => Object.assign(sealed.kdf, { salt: 1 })],
    ["a nonce that is too long", (sealed) => Object.assign(sealed.cipher, { nonce: encodeBase64(new Uint8Array(25)) })],
  ];
  for (const [what, change] of bad) {
    it(`refuses ${what} before any work`, async () => {
      const started = processorTime();
      await rejectedBy(() => unsealKey(known(change), PASSWORD, "it"), "key-invalid");
      assert.ok(processorTime() - started < 1000);
    });
  }
});
