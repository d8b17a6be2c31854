import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { formatPem } from "../../../../src/core/crypto/pem.ts";
import { parsePublicKey, publicKeyFrom, publicKeyPem } from "../../../../src/core/crypto/public-key.ts";
import { signData, verifySignature } from "../../../../src/core/crypto/signature.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import {
  formatKeyFile,
  GENERATED_ALGORITHMS,
  generateKey,
  openKey,
  readKeyFile,
} from "../../../../src/io/keys/keyfile.ts";
import { sealKey } from "../../../../src/io/keys/sealed-key.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";

/** Every folder of test/vectors/keys is a case; its README says which tool made it and what it proves. */
const VECTORS = new URL("../../../vectors/keys/", import.meta.url);

interface GoodCase {
  readonly private: string;
  readonly public: string;
  readonly password: string;
  readonly algorithm: string;
}

interface BadCase {
  readonly as: "public" | "private";
  readonly code: ReasonCode;
}

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, VECTORS)));
}

function caseOf<Kind>(name: string): Kind {
  return JSON.parse(Buffer.from(read(`${name}/case.json`)).toString()) as Kind;
}

const NAMES = readdirSync(VECTORS).toSorted();
const DATA = Buffer.from("what is signed");

describe("test vectors, keys", () => {
  for (const name of NAMES.filter((each) => !each.endsWith("_fail"))) {
    const wanted = caseOf<GoodCase>(name);
    const file = read(`${name}/${wanted.private}`);

    it(`${name} opens, is the private half of the public key beside it, and signs`, async () => {
      const key = await openKey(readKeyFile(file, name), name, async () => Buffer.from(wanted.password));
      const publicKey = parsePublicKey(read(`${name}/${wanted.public}`), name);
      assert.equal(publicKeyFrom(key, name).fingerprint, publicKey.fingerprint);
      assert.equal(publicKey.algorithm, wanted.algorithm);
      assert.equal(verifySignature(publicKey, DATA, signData(key, DATA)).verified, true);
      assert.equal(publicKeyPem(publicKey), Buffer.from(read(`${name}/${wanted.public}`)).toString());
    });

    if (readKeyFile(file, name).encrypted) {
      it(`${name} does not open with another password`, async () => {
        const error = await rejectedBy(
          () => openKey(readKeyFile(file, name), name, async () => Buffer.from("wrong-password")),
          "key-password",
        );
        assert.doesNotMatch(`${error.message} ${error.found} ${error.next}`, /wrong-password/);
      });
    }
  }

  it("openssl-pkcs1's public key in PKCS#1 form is the same key", () => {
    const [a, b] = ["key.pub", "key-pkcs1.pub"].map((file) => parsePublicKey(read(`openssl-pkcs1/${file}`), file));
    assert.equal(a?.fingerprint, b?.fingerprint);
  });

  for (const name of NAMES.filter((each) => each.endsWith("_fail"))) {
    const wanted = caseOf<BadCase>(name);
    it(`${name} is refused with ${wanted.code}`, async () => {
      const content = read(`${name}/key.pem`);
      if (wanted.as === "public") thrownBy(() => parsePublicKey(content, name), wanted.code);
      else {
        const started = processorTime();
        await rejectedBy(
          async () => openKey(readKeyFile(content, name), name, async () => Buffer.from("vectors")),
          wanted.code,
        );
        assert.ok(processorTime() - started < 5000, "no expensive work before it is refused");
      }
    });
  }

  it("has a README in every case, and more cases that fail than cases that pass", () => {
    for (const name of NAMES) assert.ok(read(`${name}/README.md`).byteLength > 80, name);
    assert.ok(NAMES.filter((name) => name.endsWith("_fail")).length > NAMES.length / 2);
  });
});

describe("making a key", () => {
  for (const algorithm of GENERATED_ALGORITHMS) {
    it(`of ${algorithm} gives a key of that kind, another one each time`, async () => {
      const [one, other] = await Promise.all([generateKey(algorithm), generateKey(algorithm)]);
      assert.equal(publicKeyFrom(one, "it").algorithm, algorithm.replace("-3072", ""));
      assert.notEqual(publicKeyFrom(one, "it").fingerprint, publicKeyFrom(other, "it").fingerprint);
      if (algorithm === "rsa-3072") assert.equal(one.asymmetricKeyDetails?.modulusLength, 3072);
    });
  }
});

describe("private keys that are none", () => {
  for (const label of ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"]) {
    it(`junk labelled ${label} is refused`, async () => {
      const file = readKeyFile(Buffer.from(formatPem({ label, content: new Uint8Array(40) })), "it");
      await rejectedBy(() => openKey(file, "it", async () => assert.fail("no password is needed")), "key-invalid");
    });
  }

  it("a good password that opens junk is told from a wrong password", async () => {
    const content = await sealKey(Buffer.from("junk"), Buffer.from("pw"));
    const file = readKeyFile(Buffer.from(formatPem({ label: "ENCRYPTED SIGSTORE PRIVATE KEY", content })), "it");
    await rejectedBy(() => openKey(file, "it", async () => Buffer.from("pw")), "key-invalid");
  });
});

describe("writing a cosign key file", () => {
  it("is opened again with the password, and only with it, whatever the algorithm", async () => {
    for (const name of ["cosign-p384", "cosign-ed25519", "cosign-rsa-2048"]) {
      const key = await openKey(readKeyFile(read(`${name}/cosign.key`), name), name, async () =>
        Buffer.from("vectors"),
      );
      const text = await formatKeyFile(key, Buffer.from("päss"));
      assert.match(text, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
      const again = await openKey(readKeyFile(Buffer.from(text), name), name, async () => Buffer.from("päss"));
      assert.equal(publicKeyFrom(again, name).fingerprint, publicKeyFrom(key, name).fingerprint);
      await rejectedBy(
        () => openKey(readKeyFile(Buffer.from(text), name), name, async () => Buffer.from("pass")),
        "key-password",
      );
    }
  });

  it("never repeats salt or nonce", async () => {
    const name = "cosign-empty-password";
    const key = await openKey(readKeyFile(read(`${name}/cosign.key`), name), name, async () => new Uint8Array());
    const texts = await Promise.all([0, 1].map(() => formatKeyFile(key, new Uint8Array())));
    assert.notEqual(texts[0], texts[1]);
  });
});
