import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { FoundAttestation, SignedImage, SignOutcome } from "../../../src/core/results.ts";
import { attestedDocument, attestedText } from "../../../src/report/attest.ts";
import { attestationsDocument, attestationsText } from "../../../src/report/attestations.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { digest, keylessSignature } from "../../support/verdicts.ts";

const SLSA = "https://slsa.dev/provenance/v1";
const { signedBy, proof } = keylessSignature();
const KEY = { kind: "key", label: "release.pub", fingerprint: `SHA256:${"ab".repeat(32)}` } as const;

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

function image(...outcomes: readonly Partial<SignOutcome>[]): SignedImage {
  const outcome: SignOutcome = { digest: digest("9f"), format: "bundle", state: "signed", manifest: digest("c") };
  const name = `registry.example/app:1@${digest("9f")}`;
  return { image: "app:1", name, digest: digest("9f"), outcomes: outcomes.map((each) => ({ ...outcome, ...each })) };
}

describe("what was attested", () => {
  it("says of which type, as whom, and where it is", () => {
    assert.equal(
      attestedText([image({ signedBy, proof })], SLSA),
      `attested      registry.example/app:1@${digest("9f")}
  type          slsaprovenance1 (${SLSA})
  signed as     release.yml of acme/app at refs/tags/v1.4.2 (GitHub Actions)
  stored        Sigstore bundle in ${digest("c")}, log entry 2938471 in log.example.com, time by CN=tsa
`,
    );
  });

  it("says that nothing was done, and why", () => {
    const text = attestedText([image({ state: "unchanged", signedBy: KEY })], SLSA);
    assert.match(text, /^unchanged .*\n.*\n {2}unchanged .*: the same key has attested the same already\n$/);
    assert.match(attestedText([image({ state: "would-sign" })], SLSA), /^would attest {2}registry/);
  });

  it("as JSON fits docs/schemas/attest.json, failures too", () => {
    const failed = { ...image(), digest: undefined, finding: { code: "denied", message: "no" } } as const;
    const legacy = { format: "cosign-attestation", tag: "sha256-9f.att", signedBy: KEY } as const;
    const images = [image({ signedBy, proof }, legacy, { state: "unchanged" }), image({ state: "would-sign" }), failed];
    const document = JSON.parse(attestedDocument(images, SLSA));
    assert.deepEqual(violations(document, schemaOf("attest")), []);
    assert.deepEqual(
      document.images.map(({ state }: { state: string }) => state),
      ["attested", "would-attest", "failed"],
    );
    assert.notDeepEqual(violations(document, schemaOf("sign")), []);
  });
});

describe("a list of attestations", () => {
  const found: FoundAttestation = {
    beside: digest("9f"),
    origin: { via: "att-tag", manifest: digest("c"), layer: 0 },
    description: {
      format: "cosign-attestation",
      predicateType: SLSA,
      hasCertificate: false,
      logEntries: 0,
      timestamps: 0,
      annotations: {},
      subjects: [digest("9f")],
    },
    statement: { predicateType: SLSA, predicate: { text: "\u001b[31m" } },
    envelope: {
      payloadType: "application/vnd.in-toto+json",
      payload: Buffer.from("{}"),
      signature: Buffer.from([1, 2, 3]),
    },
  };
  const listing = {
    image: "app:1",
    name: `registry.example/app:1@${digest("9f")}`,
    digest: digest("9f"),
    attestations: [found, { ...found, beside: digest("a"), origin: { via: "referrers-api" } as const }],
    problems: [{ code: "throttled", message: "too many requests" } as const],
  };

  it("says what is claimed, what is missing, and that nothing of it was proven", () => {
    const text = attestationsText(listing);
    assert.match(text, /slsaprovenance1 \(.*\), names no key, cosign legacy attestation from the \.att tag\n/);
    assert.match(text, /of sha256:a.*, about something else/);
    assert.match(text, /problem +too many requests \[throttled\]/);
    assert.match(text, /Nothing here was verified/);
    assert.match(attestationsText({ ...listing, attestations: [], problems: [] }), /none of this type/);
  });

  it("as JSON fits docs/schemas/attestations.json: unproven, with the envelope as it was signed", () => {
    const text = attestationsDocument(listing);
    const document = JSON.parse(text);
    assert.deepEqual(violations(document, schemaOf("attestations")), []);
    assert.deepEqual([document.verified, document.incomplete], [false, true]);
    assert.deepEqual(document.attestations[0].envelope, {
      payloadType: "application/vnd.in-toto+json",
      payload: "e30=",
      signatures: [{ sig: "AQID" }],
    });
    assert.ok(!text.includes("\u001b"));
  });
});
