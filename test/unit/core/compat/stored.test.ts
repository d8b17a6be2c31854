import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { brief, describeStored } from "../../../../src/core/compat/stored.ts";
import { makeLegacyPayload } from "../../../../src/core/formats/cosign-legacy.ts";
import { makeAttestation } from "../../../../src/core/formats/intoto.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  bundleOf,
  bundleOver,
  legacyOf,
  legacyOver,
  REPOSITORY,
  testSigner,
  testSubject,
} from "../../../support/signatures.ts";

const alice = testSigner();
const { digest } = testSubject().descriptor;
const other = testSubject("other").descriptor.digest;
const at = { subject: digest, listing: "referrers-api" } as const;

describe("a stored signature as it describes itself", () => {
  it("in a bundle: version, type, a key by the form of its signature", () => {
    const stored = describeStored(bundleOf(alice, digest), at);
    assert.equal(stored.form, "bundle");
    assert.equal(stored.version, "0.3");
    assert.equal(stored.isAbout, true);
    assert.deepEqual(stored.maker, { kind: "key", algorithm: "ecdsa-p256" });
    assert.deepEqual(stored.entries, []);
    assert.equal(stored.timestamps, 0);
  });

  it("in a legacy layer: the repository that it names", () => {
    const stored = describeStored(legacyOf(alice, digest), { ...at, listing: "cosign-tag" });
    assert.equal(stored.repository, REPOSITORY);
    assert.equal(stored.version, undefined);
    assert.equal(stored.isAbout, true);
  });

  it("is about another image where it does not name this one", () => {
    assert.equal(describeStored(bundleOf(alice, other), at).isAbout, false);
    assert.equal(describeStored(legacyOf(alice, other), at).isAbout, false);
  });

  it("says of what type an attestation is", () => {
    const predicateType = "https://slsa.dev/provenance/v1";
    const statement = makeAttestation({
      digest,
      predicateType,
      predicate: encodeUtf8("{}"),
      repository: undefined,
      annotations: {},
    });
    assert.equal(describeStored(bundleOver(alice, statement), at).predicateType, predicateType);
  });

  it("is refused where it is none", () => {
    const broken = { format: "bundle", origin: { via: "referrers-api" }, bytes: encodeUtf8("{}") } as const;
    thrownBy(() => describeStored(broken, at), "malformed-signature");
    thrownBy(() => describeStored(legacyOver(alice, encodeUtf8("{}")), at), "malformed-signature");
    thrownBy(() => describeStored(bundleOver(alice, encodeUtf8("no")), at), "malformed-signature");
  });

  it("is shown no longer than a line may be", () => {
    const long = `registry.example.com/${"a".repeat(LIMITS.messageCharacters)}`;
    const stored = describeStored(legacyOver(alice, makeLegacyPayload(long, digest)), at);
    assert.equal(stored.repository?.length, LIMITS.messageCharacters + 1);
    assert.equal(brief("\ud83d\ude00".repeat(LIMITS.messageCharacters)).isWellFormed(), true);
  });
});
