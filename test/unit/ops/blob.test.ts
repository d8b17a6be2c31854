import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import { prepareDigests } from "../../../src/core/crypto/digest-signature.ts";
import { publicKeyFrom } from "../../../src/core/crypto/public-key.ts";
import { RecordedBefore } from "../../../src/core/formats/log-record.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { Signer } from "../../../src/core/ports.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { instant } from "../../../src/core/time.ts";
import { exactly } from "../../../src/core/trust/identity.ts";
import { loadTrustMaterial } from "../../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../../src/core/trust/material.ts";
import type { Blob } from "../../../src/core/verify/blob.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import { signBlob, signStatementFile, verifyBlob } from "../../../src/ops/blob.ts";
import { keySignatory } from "../../../src/ops/sign.ts";
import { rejectedBy } from "../../support/codes.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";
import { bundleOf, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";
import { NOW } from "../../support/sigstore/times.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const BYTES = encodeUtf8("release 1.4.2\n");
const OPTIONS = { signatory: keySignatory(alice), now: instant(0) };

function whole(bytes = BYTES): Blob {
  return { name: "app.tar.gz", digest: digestOf(bytes), content: { kind: "bytes", bytes } };
}

function byDigest(bytes = BYTES): Blob {
  const sha256 = createHash("sha256").update(bytes).digest();
  return { name: digestOf(bytes), digest: digestOf(bytes), content: { kind: "digests", digests: { sha256 } } };
}

function reasons(blob: Blob, bundles: readonly Uint8Array[], requirement: Requirement): readonly ReasonCode[] {
  return verifyBlob(blob, bundles, { requirement }).reasons.map(({ code }) => code);
}

describe("a file signed with a key", () => {
  it("is accepted by its bytes and by its digest alone", async () => {
    await prepareDigests();
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    for (const blob of [whole(), byDigest()]) {
      const verdict = verifyBlob(blob, [bundle], { requirement: requirementOf([alice]) });
      assert.equal(verdict.status, "accepted");
      assert.deepEqual(verdict.notChecked, ["transparency log", "time of signing"]);
    }
  });

  it("is refused when it is another file, also by its digest", async () => {
    await prepareDigests();
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    const other = encodeUtf8("release 1.4.3\n");
    for (const blob of [whole(other), byDigest(other)]) {
      assert.deepEqual(reasons(blob, [bundle], requirementOf([alice])), ["wrong-digest"]);
    }
  });

  it("is refused when the bundle's digest is the file's and its signature is another's (it covers the file, not that)", async () => {
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    const other = await signBlob("app.tar.gz", encodeUtf8("other"), OPTIONS);
    const mixed = JSON.parse(Buffer.from(bundle).toString());
    mixed.messageSignature.signature = JSON.parse(Buffer.from(other.bundle).toString()).messageSignature.signature;
    const codes = reasons(whole(), [encodeUtf8(JSON.stringify(mixed))], requirementOf([alice]));
    assert.deepEqual(codes, ["bad-signature"]);
  });

  it("is refused by another key, by too few keys, and without any bundle", async () => {
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    assert.deepEqual(reasons(whole(), [bundle], requirementOf([bob])), ["wrong-key"]);
    const both = requirementOf([alice, bob], { threshold: 2 });
    assert.equal(reasons(whole(), [bundle, bundle], both)[0], "threshold-not-met");
    assert.deepEqual(reasons(whole(), [], requirementOf([alice])), ["unsigned"]);
  });

  it("is refused where the bundle names a hash that is not known, or not to be compared with", async () => {
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    const renamed = (algorithm: string) => encodeUtf8(Buffer.from(bundle).toString().replace("SHA2_256", algorithm));
    assert.deepEqual(reasons(whole(), [renamed("SHA1")], requirementOf([alice])), ["malformed-signature"]);
    assert.deepEqual(reasons(byDigest(), [renamed("SHA2_512")], requirementOf([alice])), ["malformed-signature"]);
  });

  it("by its digest alone is still accepted by one key where another's signatures need the file", async () => {
    await prepareDigests();
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    const { publicKey } = generateKeyPairSync("ed25519");
    const requirement = requirementOf([alice]);
    const edward = publicKeyFrom(publicKey, "edward.pub");
    assert.deepEqual(reasons(byDigest(), [bundle], { ...requirement, keys: [edward, ...requirement.keys] }), []);
    assert.deepEqual(reasons(byDigest(), [bundle], { ...requirement, keys: [edward] }), ["bad-signature"]);
  });

  it("is signed anew where a log recorded the first signature and its answer was lost", async () => {
    const shown: Uint8Array[] = [];
    const witness = {
      witness: async ({ signature }: { readonly signature: Uint8Array }) => {
        shown.push(signature);
        if (shown.length === 1) throw new RecordedBefore("protocol-error", "in the log already");
        return { logEntries: [], timestamps: [] };
      },
    };
    const signatory = { ...keySignatory(alice), witness };
    const { bundle } = await signBlob("app.tar.gz", BYTES, { ...OPTIONS, signatory });
    assert.equal(shown.length, 2);
    assert.deepEqual(reasons(whole(), [bundle], requirementOf([alice])), []);
  });

  it("is not handed out where the signature that was made does not verify", async () => {
    const broken: Signer = { publicKey: alice.publicKey, sign: (data) => bob.sign(data) };
    await rejectedBy(() => signBlob("app", BYTES, { ...OPTIONS, signatory: keySignatory(broken) }), "internal");
  });
});

describe("a statement in a file", () => {
  const STATEMENT = encodeUtf8(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "app.tar.gz", digest: { sha256: digestOf(BYTES).slice("sha256:".length) } }],
      predicateType: "https://example.com/check/v1",
      predicate: { ok: true },
    }),
  );
  const attested = (uri: string) =>
    requirementOf([alice], { attestation: { predicateTypes: [{ uri, hasVersions: false }], conditions: [] } });

  it("is accepted as an attestation of its type about its subject", async () => {
    const { bundle } = await signStatementFile("statement.json", STATEMENT, OPTIONS);
    assert.deepEqual(reasons(whole(), [bundle], attested("https://example.com/check/v1")), []);
    assert.deepEqual(reasons(byDigest(), [bundle], attested("https://example.com/check/v1")), []);
  });

  it("is no signature of the file, and no attestation of another type or file (CVE-2026-39395)", async () => {
    const { bundle } = await signStatementFile("statement.json", STATEMENT, OPTIONS);
    assert.deepEqual(reasons(whole(), [bundle], requirementOf([alice])), ["not-a-signature"]);
    assert.deepEqual(reasons(whole(), [bundle], attested("https://example.com/check/v2")), ["unattested"]);
    const other = whole(encodeUtf8("other"));
    assert.deepEqual(reasons(other, [bundle], attested("https://example.com/check/v1")), ["wrong-digest"]);
  });

  it("is not what a plain signature is", async () => {
    const { bundle } = await signBlob("app.tar.gz", BYTES, OPTIONS);
    assert.deepEqual(reasons(whole(), [bundle], attested("https://example.com/check/v1")), ["unattested"]);
  });

  it("is not signed where it is none, or about nothing that could be compared", async () => {
    await rejectedBy(() => signStatementFile("x", BYTES, OPTIONS), "usage");
    const commit = JSON.stringify({
      ...JSON.parse(Buffer.from(STATEMENT).toString()),
      subject: [{ digest: { gitCommit: "ab" } }],
    });
    await rejectedBy(() => signStatementFile("x", encodeUtf8(commit), OPTIONS), "usage");
  });
});

describe("a file signed keylessly", () => {
  const sigstore = fakeSigstore();
  const signed = signKeyless(sigstore, { what: { file: BYTES } });

  async function requirement(subject = "dev@example.com"): Promise<Requirement> {
    const trust = await loadTrustMaterial(sigstore.trustedRoot, "the test's root");
    const condition = { subject: exactly(subject), issuer: exactly("https://issuer.example.com"), claims: [] };
    return { ...requirementOf([]), identities: [{ condition, trust, demands: PUBLIC_DEMANDS }], now: instant(NOW) };
  }

  it("is accepted by its bytes and by its digest", async () => {
    await prepareDigests();
    for (const blob of [whole(), byDigest()]) {
      assert.deepEqual(reasons(blob, [bundleOf(signed)], await requirement()), []);
    }
  });

  it("is refused for another identity, another file and an entry about another file", async () => {
    const bundle = bundleOf(signed);
    assert.deepEqual(reasons(whole(), [bundle], await requirement("eve@example.com")), ["wrong-identity"]);
    assert.deepEqual(reasons(whole(encodeUtf8("x")), [bundle], await requirement()), ["wrong-digest"]);
    const { logEntries } = signKeyless(sigstore, { what: { file: encodeUtf8("x") } });
    assert.deepEqual(reasons(whole(), [bundleOf({ ...signed, logEntries })], await requirement()), [
      "log-entry-invalid",
    ]);
  });
});
