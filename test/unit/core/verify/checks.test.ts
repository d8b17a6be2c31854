import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instant } from "../../../../src/core/time.ts";
import type { CertificateIdentity } from "../../../../src/core/trust/identity.ts";
import type { SignatureProof } from "../../../../src/core/trust/material.ts";
import { type Checks, describeChecks } from "../../../../src/core/verify/checks.ts";
import type { SignatureReport } from "../../../../src/core/verify/verdict.ts";
import { requirementOf, testSigner } from "../../../support/signatures.ts";
import { signature } from "../../../support/verdicts.ts";

const AT = instant(Date.UTC(2025, 11, 29));
const identity: CertificateIdentity = {
  subject: "dev@example.com",
  subjectKind: "email",
  issuer: "https://issuer.example.com",
  claims: {},
};
const ALL: SignatureProof = {
  logs: [{ log: "log.example.com", index: "2938471", integratedAt: AT }],
  timestamps: [{ authority: "CN=tsa", at: AT }],
  certificateLogs: ["ct.example.com"],
  signedAt: AT,
};

function keyless(proof: Partial<SignatureProof> = {}): SignatureReport {
  return signature({ signedBy: { kind: "identity", identity }, proof: { ...ALL, ...proof } });
}

function checksOf(...signatures: readonly SignatureReport[]): Checks {
  const requirement = requirementOf([testSigner()]);
  const judgement = { status: "accepted", reasons: [], signatures } as const;
  return describeChecks(judgement, requirement, "image", { repository: "r/a", contentFollows: true });
}

describe("what a verdict says was checked", () => {
  it("is everything, of a keyless signature that has everything (CLI.md, How a verdict reads)", () => {
    assert.deepEqual(checksOf(keyless()), {
      checked: [
        "digest",
        "signature",
        "identity",
        "certificate chain",
        "SCT",
        "log entry 2938471",
        "timestamp by 1 authority",
        "statement type",
      ],
      notChecked: ["whether the tag is current"],
    });
  });

  it("counts authorities, each once", () => {
    const [tsa, other] = [
      { authority: "CN=tsa", at: AT },
      { authority: "CN=other", at: AT },
    ];
    assert.ok(checksOf(keyless({ timestamps: [tsa, tsa] })).checked.includes("timestamp by 1 authority"));
    assert.ok(checksOf(keyless({ timestamps: [tsa, other] })).checked.includes("timestamp by 2 authorities"));
  });

  it("is the log's own time, where no authority vouches for one", () => {
    const { checked } = checksOf(keyless({ timestamps: [] }));
    assert.ok(checked.includes("time of signing by the log"));
    assert.ok(!checked.some((each) => each.startsWith("timestamp")));
  });

  it("is no time by a log that promises none", () => {
    const { checked } = checksOf(keyless({ timestamps: [], logs: [{ log: "log.example.com", index: "1" }] }));
    assert.ok(!checked.some((each) => each.includes("time")));
  });

  it("names the entries of several signatures, and counts those that are too many", () => {
    const entry = (index: number) => keyless({ logs: [{ log: "l", index: String(index), integratedAt: AT }] });
    assert.ok(checksOf(entry(1), entry(2)).checked.join().includes("log entry 1,log entry 2"));
    const many = checksOf(...Array.from({ length: 9 }, (_, at) => entry(at))).checked;
    assert.ok(many.includes("5 more log entries"));
  });
});

describe("what a verdict says was not checked", () => {
  const without: readonly (readonly [string, Partial<SignatureProof>, string, string])[] = [
    ["an SCT that was ignored", { certificateLogs: [] }, "SCT", "SCT"],
    ["a log that was ignored", { logs: [] }, "transparency log", "log entry 2938471"],
    [
      "a time that nothing proves: the present was used",
      { timestamps: [], logs: [{ log: "l", index: "2938471" }], signedAt: undefined },
      "time of signing (the certificate was judged by the present)",
      "timestamp by 1 authority",
    ],
  ];
  for (const [what, proof, named, gone] of without) {
    it(`is ${what}`, () => {
      const { checked, notChecked } = checksOf(keyless(proof));
      assert.ok(notChecked.includes(named), notChecked.join());
      assert.ok(!checked.includes(gone));
    });
  }

  it("is all of it with a bare key", () => {
    const { checked, notChecked } = checksOf(signature());
    assert.deepEqual(checked, ["digest", "signature", "statement type"]);
    assert.deepEqual(notChecked, ["transparency log", "time of signing", "whether the tag is current"]);
  });

  it("is what one of several signatures lacks: the others' does not stand for it", () => {
    const { checked, notChecked } = checksOf(keyless(), signature());
    assert.deepEqual(checked, ["digest", "signature", "statement type"]);
    assert.deepEqual(notChecked, ["transparency log", "time of signing", "whether the tag is current"]);
    assert.ok(checksOf(keyless(), keyless({ certificateLogs: [] })).notChecked.includes("SCT"));
  });

  it("is no SCT of a key, which has no certificate", () => {
    const { notChecked } = checksOf(signature({ proof: { ...ALL, certificateLogs: [] } }));
    assert.deepEqual(notChecked, ["whether the tag is current"]);
  });

  it("is nothing, and nothing is checked, where the image is not accepted", () => {
    const judgement = { status: "refused", reasons: [], signatures: [keyless()] } as const;
    const surroundings = { repository: "r/a", contentFollows: false };
    const checks = describeChecks(judgement, requirementOf([]), "image", surroundings);
    assert.deepEqual(checks, { checked: [], notChecked: [] });
  });

  it("leaves out what signatures that do not count lack", () => {
    const { notChecked } = checksOf(keyless(), { ...keyless({ logs: [], certificateLogs: [] }), accepted: false });
    assert.deepEqual(notChecked, ["whether the tag is current"]);
  });
});
