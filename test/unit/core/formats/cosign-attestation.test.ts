import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  attestationAnnotations,
  makeEnvelope,
  parseAttestation,
} from "../../../../src/core/formats/cosign-attestation.ts";
import { preAuthEncoding } from "../../../../src/core/formats/dsse.ts";
import { LEGACY_ANNOTATIONS } from "../../../../src/core/formats/legacy-material.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { thrownBy } from "../../../support/codes.ts";
import { fakeSigstore, legacyAttestation, signKeyless } from "../../../support/sigstore/sign.ts";

type Candidate = Parameters<typeof parseAttestation>[0];

const STATEMENT = Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}');
const SIGNATURE = Buffer.from([1, 2, 3]);

function layer(envelope: Uint8Array | object, more: Partial<Candidate> = {}): Candidate {
  const bytes = envelope instanceof Uint8Array ? envelope : Buffer.from(JSON.stringify(envelope));
  const annotations = { [LEGACY_ANNOTATIONS.signature]: "" };
  const origin = { via: "att-tag", layer: 0 } as const;
  return { format: "cosign-attestation", origin, envelope: bytes, mediaType: MEDIA_TYPES.dsse, annotations, ...more };
}

const GOOD = {
  payloadType: MEDIA_TYPES.intoto,
  payload: STATEMENT.toString("base64"),
  signatures: [{ keyid: "", sig: SIGNATURE.toString("base64") }],
};

describe("a layer of an .att manifest", () => {
  it("is a DSSE envelope: its payload is signed with its type, and the whole layer is what was stamped", () => {
    const candidate = layer(GOOD);
    const parsed = parseAttestation(candidate);
    assert.deepEqual(Buffer.from(parsed.payload), STATEMENT);
    assert.deepEqual(Buffer.from(parsed.signature), SIGNATURE);
    assert.ok(parsed.signed.kind === "bytes");
    assert.deepEqual(parsed.signed.bytes, preAuthEncoding(MEDIA_TYPES.intoto, STATEMENT));
    assert.equal(parsed.timestamped, candidate.envelope);
    assert.deepEqual([parsed.certificates, parsed.logEntries, parsed.timestamps], [[], [], []]);
  });

  it("brings certificate, log entry and timestamp in its annotations, as a signature does", () => {
    const sigstore = fakeSigstore();
    const signed = signKeyless(sigstore, { timestampAuthorities: [sigstore.timestampAuthority] });
    const parsed = parseAttestation(legacyAttestation(signed, "https://slsa.dev/provenance/v1"));
    assert.ok(parsed.certificates.length >= 1);
    assert.deepEqual([parsed.logEntries.length, parsed.timestamps.length], [1, 1]);
  });

  it("is read as it was written", () => {
    const parsed = parseAttestation(layer(makeEnvelope(STATEMENT, SIGNATURE)));
    assert.deepEqual([Buffer.from(parsed.payload), Buffer.from(parsed.signature)], [STATEMENT, SIGNATURE]);
    const annotations = attestationAnnotations("https://slsa.dev/provenance/v1", {
      certificates: [],
      logEntries: [],
      timestamps: [],
    });
    assert.deepEqual(annotations, {
      [LEGACY_ANNOTATIONS.signature]: "",
      predicateType: "https://slsa.dev/provenance/v1",
    });
  });

  const BROKEN: readonly (readonly [string, object | Uint8Array])[] = [
    ["no JSON", Buffer.from("payload")],
    ["a list", []],
    ["a member that is not known", { ...GOOD, mediaType: "x" }],
    ["no payload", { ...GOOD, payload: undefined }],
    ["an empty payload", { ...GOOD, payload: "" }],
    ["a payload in lax base64", { ...GOOD, payload: `${GOOD.payload}\n` }],
    ["no signature", { ...GOOD, signatures: [] }],
    ["two signatures", { ...GOOD, signatures: [...GOOD.signatures, ...GOOD.signatures] }],
    ["an empty signature", { ...GOOD, signatures: [{ sig: "" }] }],
    ["another payload type (CVE-2026-39395)", { ...GOOD, payloadType: "application/json" }],
    ["a payload type in another case", { ...GOOD, payloadType: "application/vnd.in-toto+JSON" }],
    ["cosign's payload type", { ...GOOD, payloadType: MEDIA_TYPES.simpleSigning }],
    ["a member twice", Buffer.from(JSON.stringify(GOOD).replace("{", '{"payload":"e30=",'))],
    ["something behind it", Buffer.from(`${JSON.stringify(GOOD)}{}`)],
  ];
  for (const [what, envelope] of BROKEN) {
    it(`is refused with ${what}`, () => {
      thrownBy(() => parseAttestation(layer(envelope)), "malformed-signature");
    });
  }

  const ELSE: readonly (readonly [string, ReasonCode, Partial<Candidate>])[] = [
    ["of another media type", "malformed-signature", { mediaType: MEDIA_TYPES.simpleSigning }],
    ["that is too large", "limit-reached", { envelope: Buffer.alloc(LIMITS.signatureBytes + 1, " ") }],
    ["with a broken log entry", "malformed-signature", { annotations: { [LEGACY_ANNOTATIONS.bundle]: "{}" } }],
    ["with a broken certificate", "malformed-signature", { annotations: { [LEGACY_ANNOTATIONS.certificate]: "x" } }],
    ["with a broken timestamp", "malformed-signature", { annotations: { [LEGACY_ANNOTATIONS.timestamp]: "{}" } }],
  ];
  for (const [what, code, more] of ELSE) {
    it(`${what} is refused`, () => void thrownBy(() => parseAttestation(layer(GOOD, more)), code));
  }
});
