import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { formatInstant, type Instant, instant } from "../../../src/core/time.ts";
import { believing, JUDGED_AT, judgedBy, policyText, rulebookOf, witnessedKey } from "../../support/policies.ts";
import { testSubject } from "../../support/signatures.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";
import { DAY, NOW } from "../../support/sigstore/times.ts";

/** Times at the edges of what a policy allows, and times that nobody whom it believes has proven. */

const subject = testSubject();
const acme = fakeSigstore();
const key = witnessedKey(acme, "k.pub");
const ROOTS = { "": [await believing(acme)], acme: [await believing(acme)], other: [await believing(fakeSigstore())] };
const TRUST = "trust: {acme: {instance: acme}, other: {instance: other}}\n";
const DEV = '{keyless: {subject: dev@example.com, issuer: "https://issuer.example.com"}}';

async function judge(identity: string, more: string, candidate: UntrustedCandidate, now = JUDGED_AT): Promise<string> {
  const yaml = policyText({ k: identity }, `{signature: {by: k${more}}}`, "", TRUST);
  const rulebook = rulebookOf(yaml, { keys: { "k.pub": key.publicKey }, roots: ROOTS }, now);
  const { status, reasons } = await judgedBy(rulebook, { subject, candidates: [candidate] });
  return [status, ...reasons.map(({ code }) => code)].join(" ");
}

const after = (milliseconds: number): Instant => instant(NOW + milliseconds);

describe("a signature of the future", () => {
  it("has no age that would be small enough", async () => {
    const at = JUDGED_AT + DAY;
    for (const [identity, candidate] of [
      ["{key: k.pub, trust: acme}", key.sign({ at })],
      [DEV, bundleCandidate(signKeyless(acme, { at }))],
    ] as const) {
      assert.equal(await judge(identity, ", maxAge: 1d", candidate), "refused timestamp-invalid");
    }
  });

  it("is one of the present, where clocks differ by what they may", async () => {
    const candidate = key.sign({ at: NOW });
    const judgedAt = (milliseconds: number) =>
      judge("{key: k.pub, trust: acme}", ", maxAge: 1d", candidate, after(milliseconds));
    assert.equal(await judgedAt(-LIMITS.clockSkewMs), "accepted");
    assert.equal(await judgedAt(-LIMITS.clockSkewMs - 1), "refused timestamp-invalid");
    assert.equal(await judgedAt(DAY), "accepted");
    assert.equal(await judgedAt(DAY + 1), "refused evidence-old");
  });
});

describe("the first and the last moment of a window", () => {
  const CASES: readonly (readonly [window: string, expected: string])[] = [
    [`trustedFrom: ${formatInstant(after(0))}`, "accepted"],
    [`trustedFrom: ${formatInstant(after(1000))}`, "refused signer-distrusted"],
    [`distrustedSince: ${formatInstant(after(0))}`, "refused signer-distrusted"],
    [`distrustedSince: ${formatInstant(after(1000))}`, "accepted"],
    [`distrustedSince: ${formatInstant(JUDGED_AT)}`, "accepted"],
  ];
  for (const [window, expected] of CASES) {
    it(`${window}: what was signed at ${formatInstant(NOW)} is ${expected}`, async () => {
      assert.equal(await judge(`{key: k.pub, trust: acme, ${window}}`, "", key.sign({ at: NOW })), expected);
    });
  }
});

describe("a time that is not proven to the policy", () => {
  const bare = key.sign({ logs: [], timestampAuthorities: [] });
  const CASES: readonly (readonly [what: string, identity: string, candidate: UntrustedCandidate])[] = [
    ["where another root is believed", "{key: k.pub, trust: other, proof: {timestamps: 0, logs: 0}}", key.sign()],
    ["where no root is believed", "{key: k.pub}", key.sign()],
    ["where none has to be", "{key: k.pub, trust: acme, proof: {timestamps: 0, logs: 0}}", bare],
  ];
  for (const [what, identity, candidate] of CASES) {
    it(`is none ${what}`, async () => {
      assert.equal(await judge(identity, ", maxAge: 99w", candidate), "refused timestamp-missing");
      const windowed = `${identity.slice(0, -1)}, trustedFrom: 2020-01-01}`;
      assert.equal(await judge(windowed, "", candidate), "refused timestamp-missing");
    });
  }
});
