import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { verifySigned } from "../../../../src/core/crypto/digest-signature.ts";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { resolveType } from "../../../../src/core/formats/predicates.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { type Blob, examineBlob, prepareBundles } from "../../../../src/core/verify/blob.ts";
import type { SignatureReport } from "../../../../src/core/verify/verdict.ts";
import { sigstore, wanting } from "../../../support/attacks.ts";
import { thrownBy } from "../../../support/codes.ts";
import { fakeKey, type KeyKind } from "../../../support/sigstore/keys.ts";
import { bundleOf, signKeyless } from "../../../support/sigstore/sign.ts";

const FILE = encodeUtf8("a file");
const BLOB: Blob = { name: "file", digest: digestOf(FILE), content: { kind: "bytes", bytes: FILE } };

const signedBy = (key: KeyKind): Uint8Array => bundleOf(signKeyless(sigstore, { what: { file: FILE }, key }));

// The first test runs before anything is loaded.
describe("a file that an identity signed with an Ed25519 key", () => {
  it("is accepted as Ed25519ph however small it is, once its bundle was prepared for", async () => {
    const bundle = signedBy("ed25519ph");
    assert.equal(examineBlob(bundle, BLOB, wanting()).accepted, false);
    for (const other of ["p256", "rsa2048"] as const) await prepareBundles([signedBy(other), encodeUtf8("{}")]);
    const key = fakeKey();
    const digest = createHash("sha256").update(FILE).digest();
    const signed = { kind: "digest", algorithm: "sha256", digest } as const;
    thrownBy(() => verifySigned(publicKeyFrom(key.publicKey, "it"), signed, key.sign(FILE)), "internal");
    await prepareBundles([signedBy("p256"), bundle]);
    assert.equal(examineBlob(bundle, BLOB, wanting()).accepted, true);
  });

  it("is accepted as pure Ed25519 by its bytes; by its digests the reason is that they are not enough", () => {
    const bundle = signedBy("ed25519");
    assert.equal(examineBlob(bundle, BLOB, wanting()).accepted, true);
    const sha512 = createHash("sha512").update(FILE).digest();
    const large: Blob = { ...BLOB, content: { kind: "digests", digests: { sha512 } } };
    const { accepted, finding } = examineBlob(bundle, large, wanting());
    assert.equal(accepted, false);
    assert.match(finding?.message ?? "", /by this digest alone/);
    assert.match(finding?.next ?? "", /give the file itself/);
  });
});

describe("a statement about a file", () => {
  const hash = (algorithm: string, bytes = FILE): string => createHash(algorithm).update(bytes).digest("hex");
  const attestation = { predicateTypes: resolveType("slsaprovenance1"), conditions: [] };

  function judged(digest: Readonly<Record<string, string>>, blob = BLOB): SignatureReport {
    const statement = {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "file", digest }],
      predicateType: "https://slsa.dev/provenance/v1",
      predicate: {},
    };
    const signed = signKeyless(sigstore, { what: { statement: encodeUtf8(JSON.stringify(statement)) } });
    return examineBlob(bundleOf(signed), blob, wanting({ more: { attestation } }));
  }

  it("may name it by SHA-512 alone (in-toto, digest_set.md)", () => {
    assert.equal(judged({ sha512: hash("sha512") }).accepted, true);
    const sha512 = createHash("sha512").update(FILE).digest();
    assert.equal(
      judged({ sha512: hash("sha512") }, { ...BLOB, content: { kind: "digests", digests: { sha512 } } }).accepted,
      true,
    );
  });

  it("is about another file where none of its digests is the file's, and is said to be", () => {
    const other = encodeUtf8("another file");
    const sha256 = createHash("sha256").update(FILE).digest();
    for (const [digest, blob] of [
      [{ sha256: hash("sha256", other), sha512: hash("sha512", other) }, BLOB],
      [{ sha384: hash("sha384") }, BLOB],
      [{ sha512: hash("sha512") }, { ...BLOB, content: { kind: "digests", digests: { sha256 } } }],
    ] as const) {
      const { accepted, finding } = judged(digest, blob);
      assert.equal(accepted, false);
      assert.equal(finding?.code, "wrong-digest");
      assert.match(`${finding?.message} ${finding?.next}`, /another file.* get the file and its bundle/);
    }
  });
});
