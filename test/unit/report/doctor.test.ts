import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Diagnosis } from "../../../src/core/compat/diagnosis.ts";
import { predict } from "../../../src/core/compat/predict.ts";
import type { StoredEvidence } from "../../../src/core/compat/stored.ts";
import { diagnosisDocument, diagnosisText } from "../../../src/report/doctor.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import {
  bundle,
  CERTIFICATE,
  evidence,
  GIVEN,
  IMAGE,
  legacy,
  notary,
  REKOR1,
  REPOSITORY,
  row,
  subject,
} from "../../support/stored.ts";

const SCHEMA = JSON.parse(
  readFileSync(new URL("../../../docs/schemas/doctor.json", import.meta.url), "utf8"),
) as Schema;

function diagnosis(stored: StoredEvidence, more: Partial<Diagnosis> = {}): Diagnosis {
  const name = `${REPOSITORY}:1@${IMAGE}`;
  const predictions = predict(stored, GIVEN);
  return { image: `${REPOSITORY}:1`, name, digest: IMAGE, stored, predictions, obstacles: [], broken: [], ...more };
}

const EVERYTHING = evidence(
  [
    bundle({ maker: CERTIFICATE, entries: [REKOR1], timestamps: 2, wanted: { made: true, by: "dev@example.com" } }),
    bundle({ predicateType: "https://slsa.dev/provenance/v1", wanted: { made: false, why: "by another key" } }),
    legacy(),
    legacy(),
    notary(),
  ],
  { platforms: [subject([], { platform: "linux/amd64" })] },
);

describe("what others will make of an image", () => {
  it("is told with what is stored, kind by kind", () => {
    const text = diagnosisText(diagnosis(EVERYTHING));
    assert.match(text, /stored {4}a bundle with a certificate, a log entry, 2 timestamps; an attestation \(slsaprov/);
    assert.match(
      text,
      /a legacy signature by a key, no log entry \(2 times\); a Notary signature, application\/jose\+json\n/,
    );
    assert.match(text, /linux\/amd64: no signature\n/);
  });

  it("is told once for all who make the same of it, with one command for them", () => {
    const text = diagnosisText(diagnosis(evidence([])));
    assert.equal(text.match(/because/g)?.length, 4);
    assert.match(text, /--for cosign3,cosign2,kyverno,kyverno-bundle,kyverno-ivp --key KEY --signing-config FILE /);
  });

  it("shows control characters of a registry for what they are", () => {
    const evil = "\u001b[31mhttps://evil.example";
    const text = diagnosisText(diagnosis(evidence([bundle({ predicateType: evil }), notary("a\nb")])));
    assert.ok(!text.includes("\u001b"));
    assert.ok(!text.includes("a\nb"));
  });

  it("as JSON fits docs/schemas/doctor.json", () => {
    const finding = { code: "throttled", message: "busy" } as const;
    const documents = [
      diagnosis(EVERYTHING, { obstacles: [finding], broken: [{ code: "malformed-signature", message: "no" }] }),
      diagnosis(evidence([])),
      diagnosis(evidence([], { root: subject([], { obstacles: { referrers: finding } }) })),
    ].map((each) => JSON.parse(diagnosisDocument(each)));
    for (const document of documents) assert.deepEqual(violations(document, SCHEMA), []);
    assert.equal(documents[0].incomplete, true);
    assert.equal(documents[1].incomplete, false);
    assert.equal(documents[0].stored[0].signatures[0].wanted, true);
    assert.ok(documents[2].predictions.some(({ verdict }: { verdict: string }) => verdict === "unknown"));
  });

  it("has a word for every verdict in the schema", () => {
    const stored = evidence([bundle({ maker: CERTIFICATE, entries: [REKOR1] })]);
    const [prediction] = predict(stored, GIVEN, [row("policy-controller-bundle")]);
    assert.equal(prediction?.verdict, "depends");
    const document = JSON.parse(diagnosisDocument(diagnosis(stored, { predictions: prediction ? [prediction] : [] })));
    assert.deepEqual(violations(document, SCHEMA), []);
  });
});
