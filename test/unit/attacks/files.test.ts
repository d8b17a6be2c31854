import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { encodeBase64, encodeUtf8 } from "../../../src/core/bytes.ts";
import { prepareDigests } from "../../../src/core/crypto/digest-signature.ts";
import { publicKeyFrom } from "../../../src/core/crypto/public-key.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { type Blob, examineBlob } from "../../../src/core/verify/blob.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import { sigstore, wanting } from "../../support/attacks.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";
import { fakeKey } from "../../support/sigstore/keys.ts";
import { bundleOf, signKeyless } from "../../support/sigstore/sign.ts";

await prepareDigests();

const FILE = encodeUtf8("a file");
const OTHER = encodeUtf8("another file");
const hash = (bytes: Uint8Array, algorithm = "sha256"): Buffer => createHash(algorithm).update(bytes).digest();

const whole = (bytes: Uint8Array): Blob => ({
  name: "file",
  digest: digestOf(bytes),
  content: { kind: "bytes", bytes },
});
const byDigests = (bytes: Uint8Array): Blob => ({
  name: "file",
  digest: digestOf(bytes),
  content: {
    kind: "digests",
    digests: { sha256: hash(bytes), sha384: hash(bytes, "sha384"), sha512: hash(bytes, "sha512") },
  },
});
const FORMS = { "in whole": whole, "by its digests": byDigests } as const;

const signed = signKeyless(sigstore, { what: { file: FILE } });
const text = Buffer.from(bundleOf(signed)).toString();

function refused(
  bundle: string | Uint8Array,
  blob: Blob,
  code: ReasonCode,
  requirement: Requirement = wanting(),
): void {
  const { accepted, finding } = examineBlob(
    typeof bundle === "string" ? encodeUtf8(bundle) : bundle,
    blob,
    requirement,
  );
  assert.equal(accepted, false);
  assert.equal(finding?.code, code, `${finding?.message}: ${finding?.found}`);
  assert.ok((finding?.found ?? "").length < 2000);
}

for (const [form, blobOf] of Object.entries(FORMS)) {
  describe(`a file ${form}`, () => {
    const blob = blobOf(FILE);
    const digest = encodeBase64(hash(FILE));
    const BUNDLES: Readonly<Record<string, readonly [string, ReasonCode]>> = {
      "another file's digest in its bundle": [text.replace(digest, encodeBase64(hash(OTHER))), "wrong-digest"],
      "a digest that is cut": [text.replace(digest, encodeBase64(hash(FILE).subarray(0, 16))), "wrong-digest"],
      "a digest of megabytes": [text.replace(digest, encodeBase64(new Uint8Array(2_000_000))), "wrong-digest"],
      "an algorithm of another name": [text.replace("SHA2_256", "SHA256"), "malformed-signature"],
      "an algorithm of megabytes": [text.replace("SHA2_256", "x".repeat(3_000_000)), "malformed-signature"],
      "an algorithm that is a member of objects": [text.replace("SHA2_256", "constructor"), "malformed-signature"],
      "SHA-1": [
        text.replace("SHA2_256", "SHA1").replace(digest, encodeBase64(hash(FILE, "sha1"))),
        "malformed-signature",
      ],
      "the name of another algorithm": [text.replace("SHA2_256", "SHA2_512"), "wrong-digest"],
      "no digest": [text.replace(/"messageDigest":\{[^}]*\},/, ""), "malformed-signature"],
      "no algorithm": [text.replace(/"algorithm":"[^"]*",/, ""), "malformed-signature"],
      "the digest twice": [text.replace('"digest"', `"digest":"${digest}","digest"`), "malformed-signature"],
    };
    it("is accepted by its own, which shows that the rest is right", () => {
      assert.equal(examineBlob(encodeUtf8(text), blob, wanting()).accepted, true);
    });
    for (const [name, [bundle, code]] of Object.entries(BUNDLES)) {
      it(`is refused with ${name}`, () => {
        refused(bundle, blob, code);
      });
    }

    it("is refused with another's bundle, or with that of its digest as a file", () => {
      refused(bundleOf(signKeyless(sigstore, { what: { file: OTHER } })), blob, "wrong-digest");
      refused(bundleOf(signKeyless(sigstore, { what: { file: hash(FILE) } })), blob, "wrong-digest");
    });

    it("is refused with a signature of its digest as if it were the file", () => {
      const of = signKeyless(sigstore, { what: { file: hash(FILE) } });
      const forged = Buffer.from(bundleOf(of))
        .toString()
        .replace(encodeBase64(hash(hash(FILE))), digest);
      refused(forged, blob, "log-entry-invalid");
    });

    it("is refused with an attestation about it, and an attestation that is wanted is no signature", () => {
      const statement = encodeUtf8(
        JSON.stringify({
          _type: "https://in-toto.io/Statement/v1",
          subject: [{ digest: { sha256: hash(FILE).toString("hex") } }],
          predicateType: "https://slsa.dev/provenance/v1",
          predicate: {},
        }),
      );
      const attested = bundleOf(signKeyless(sigstore, { what: { statement } }));
      const attestation = { predicateTypes: resolveType("slsaprovenance1"), conditions: [] };
      refused(attested, blob, "not-a-signature");
      assert.equal(examineBlob(attested, blob, wanting({ more: { attestation } })).accepted, true);
      refused(text, blob, "unattested", wanting({ more: { attestation } }));
      refused(attested, blobOf(OTHER), "wrong-digest", wanting({ more: { attestation } }));
    });

    it("is accepted by one of several who may sign, whoever the others are", () => {
      const others = ["ed25519", "p384", "p521", "rsa2048", "p256"] as const;
      for (const kind of others) {
        const keys = [publicKeyFrom(fakeKey(kind).publicKey, `${kind}.pub`)];
        assert.equal(examineBlob(encodeUtf8(text), blob, wanting({ more: { keys } })).accepted, true, kind);
      }
    });

    it("is refused by keys of every kind that did not sign it", () => {
      for (const kind of ["ed25519", "p384", "p521", "rsa2048", "p256"] as const) {
        const bundle = bundleOf(signKeyless(sigstore, { what: { file: FILE }, key: kind, certificate: "none" }));
        const { accepted } = examineBlob(bundle, blob, requirementOf([testSigner()]));
        assert.equal(accepted, false, kind);
      }
    });
  });
}
