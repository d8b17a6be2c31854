import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instant } from "../../../src/core/time.ts";
import type { SignatureReport, Verdict } from "../../../src/core/verify/verdict.ts";
import { firstSigned } from "../../../src/ops/pin-digests.ts";
import { digestFor } from "../../support/sample-audit.ts";

const NOW = instant(Date.UTC(2026, 0, 1));

function signature(daysAgo: number | undefined, accepted = true): SignatureReport {
  const signedAt = daysAgo === undefined ? undefined : instant(NOW - daysAgo * 86_400_000);
  const proof = { logs: [], timestamps: [], certificateLogs: [], signedAt };
  return { format: "bundle", origin: { via: "referrers-api" }, accepted, proof };
}

function verdict(...signatures: readonly SignatureReport[]): Verdict {
  const [image, digest] = ["registry.example/web:1", digestFor("web")];
  const told = { reasons: [], checked: [], notChecked: [], weakened: [], judgedAt: NOW };
  return { status: "accepted", image, name: image, digest, signatures, ...told };
}

function daysOf(...verdicts: readonly Verdict[]): number | undefined {
  const first = firstSigned(verdicts);
  return first === undefined ? undefined : (NOW - first) / 86_400_000;
}

describe("the age that a cool-down counts", () => {
  it("is that of the first signature that counts for an image", () => {
    assert.equal(daysOf(verdict(signature(2), signature(5), signature(undefined))), 5);
  });

  it("is not that of an old platform in an index that was signed today", () => {
    assert.equal(daysOf(verdict(signature(0)), verdict(signature(400)), verdict(signature(3))), 0);
  });

  it("is not proven where it is not for one of the platforms", () => {
    assert.equal(daysOf(verdict(signature(9)), verdict(signature(undefined))), undefined);
    assert.equal(daysOf(verdict(signature(9)), verdict(signature(9, false))), undefined);
    assert.equal(daysOf(), undefined);
  });
});
