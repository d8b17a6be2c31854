import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { openKey, readKeyFile } from "../../../../src/io/keys/keyfile.ts";
import { requireAffordable } from "../../../../src/io/keys/pkcs8-cost.ts";
import { rejectedBy } from "../../../support/codes.ts";

const PASSWORD = Buffer.from("password");

/** An element in DER. */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  const long = [0x82, content.byteLength >> 8, content.byteLength & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...(content.byteLength < 0x80 ? [content.byteLength] : long)), content]);
}

const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents);
const octets = (length: number) => der(0x04, new Uint8Array(length));
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const integer = (value: number) => {
  const hex = value.toString(16);
  return der(0x02, Buffer.from(hex.padStart(hex.length + 1 + ((hex.length + 1) % 2), "0"), "hex"));
};

const pbkdf2 = (...numbers: readonly number[]) =>
  sequence(oid("2a864886f70d01050c"), sequence(octets(8), ...numbers.map(integer)));
const scrypt = (...numbers: readonly number[]) =>
  sequence(oid("2b06010401da47040b"), sequence(octets(8), ...numbers.map(integer)));
const aes = sequence(oid("60864801650304012a"), octets(16));
const pbes2 = (kdf: Uint8Array) => sequence(sequence(oid("2a864886f70d01050d"), sequence(kdf, aes)), octets(144));
/** PKCS#12's way, pbeWithSHAAnd3-KeyTripleDES-CBC. */
const pbe = (iterations: number) =>
  sequence(sequence(oid("2a864886f70d010c0103"), sequence(octets(8), integer(iterations))), octets(144));

describe("the cost of an encrypted PKCS#8 key's password", () => {
  it("is what OpenSSL and Node write, and their keys open", async () => {
    for (const cipher of ["aes-256-cbc", "des-ede3-cbc"]) {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const pem = privateKey.export({ type: "pkcs8", format: "pem", cipher, passphrase: PASSWORD });
      const opened = await openKey(readKeyFile(Buffer.from(pem), "key"), "key", async () => PASSWORD);
      assert.equal(opened.equals(privateKey), true);
    }
  });

  it("may be as high as the limit, in every scheme", () => {
    requireAffordable(pbes2(pbkdf2(LIMITS.keyDerivations)), "key");
    requireAffordable(pbes2(pbkdf2(600_000, 32)), "key");
    requireAffordable(pbes2(scrypt(65_536, 8, 1)), "key");
    requireAffordable(pbe(LIMITS.keyDerivations), "key");
  });

  const refused: readonly (readonly [name: string, document: Uint8Array, found: RegExp])[] = [
    ["one iteration too many", pbes2(pbkdf2(LIMITS.keyDerivations + 1)), /10000001 rounds/],
    ["as many iterations as OpenSSL takes", pbes2(pbkdf2(0x7fff_ffff)), /2147483647 rounds/],
    ["the same in PKCS#12's way", pbe(0x7fff_ffff), /2147483647 rounds/],
    ["more memory in scrypt", pbes2(scrypt(2 ** 24, 8, 1)), /134217728 rounds/],
    ["scrypt many times over", pbes2(scrypt(16_384, 8, 2 ** 20)), /rounds/],
    ["scrypt without its parameters", pbes2(scrypt(16_384)), /no known description/],
    [
      "a negative number",
      pbes2(sequence(oid("2a"), sequence(octets(8), der(0x02, Uint8Array.of(0x80, 0, 0, 0, 0))))),
      /rounds/,
    ],
    ["no number", pbes2(pbkdf2()), /no known description/],
    ["a length without an end", Uint8Array.of(0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0), /no known description/],
    ["a length beyond the end", Uint8Array.of(0x30, 0x20, 0x30), /no known description/],
    ["nothing", new Uint8Array(0), /no known description/],
  ];
  for (const [name, document, found] of refused) {
    it(`is refused before the password is tried: ${name}`, async () => {
      const pem = `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${Buffer.from(document).toString("base64")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
      const file = document.byteLength === 0 ? undefined : readKeyFile(Buffer.from(pem), "key");
      const error = await rejectedBy(async () => {
        if (file === undefined) requireAffordable(document, "key");
        else await openKey(file, "key", async () => PASSWORD);
      }, "key-invalid");
      assert.match(error.found ?? "", found);
    });
  }
});
