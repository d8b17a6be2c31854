import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assembleAudit } from "../../../../src/core/audit/assemble.ts";
import type { ImageFacts } from "../../../../src/core/audit/audit.ts";
import { type Examination, factsOf } from "../../../../src/core/audit/from-verdicts.ts";
import { makePlan } from "../../../../src/core/audit/plan.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { instant } from "../../../../src/core/time.ts";
import type { SignatureReport, Verdict } from "../../../../src/core/verify/verdict.ts";
import { digestFor } from "../../../support/sample-audit.ts";

const NOW = instant(Date.UTC(2026, 0, 1));
const IMAGE = "registry.example/app:1";
const DIGEST = digestFor(IMAGE);
const UNSIGNED = { code: "unsigned", message: "the image is not signed" } as const;
const DENIED = { code: "denied", message: "no access" } as const;

function verdict(changes: Partial<Verdict> = {}): Verdict {
  return {
    status: "accepted",
    image: IMAGE,
    name: `${IMAGE}@${DIGEST}`,
    digest: DIGEST,
    reasons: [],
    signatures: [],
    checked: ["digest", "signature"],
    notChecked: ["layers"],
    weakened: [],
    judgedAt: NOW,
    ...changes,
  };
}

function platform(name: string, changes: Partial<Verdict> = {}): Verdict {
  return verdict({ platform: name, index: DIGEST, digest: digestFor(name), ...changes });
}

function signature(fingerprint: string, changes: Partial<SignatureReport> = {}): SignatureReport {
  const signedBy = { kind: "key", label: `${fingerprint}.pub`, fingerprint } as const;
  return { format: "bundle", origin: { via: "referrers-api" }, accepted: true, signedBy, ...changes };
}

function signedAt(hours: number): SignatureReport["proof"] {
  return { logs: [], timestamps: [], certificateLogs: [], signedAt: instant(NOW - hours * 3_600_000) };
}

function facts(verdicts: readonly Verdict[], more: Partial<Examination> = {}): ImageFacts {
  return factsOf({ image: IMAGE, name: `${IMAGE}@${DIGEST}`, digest: DIGEST, verdicts, ...more });
}

describe("the facts of several verdicts", () => {
  it("are those of the worst: refused before undetermined before accepted", () => {
    const refused = platform("linux/arm64", { status: "refused", reasons: [UNSIGNED] });
    const unseen = platform("linux/amd64", { status: "undetermined", reasons: [DENIED] });
    assert.equal(facts([verdict(), refused, unseen]).verdict, "refused");
    assert.equal(facts([verdict(), unseen]).verdict, "undetermined");
    assert.equal(facts([verdict(), platform("linux/amd64")]).verdict, "accepted");
  });

  it("say which platform is why, and nothing of what other verdicts lack", () => {
    const refused = platform("linux/arm64", { status: "refused", reasons: [UNSIGNED] });
    const unseen = platform("linux/amd64", { status: "undetermined", reasons: [DENIED] });
    const { reasons, digest } = facts([verdict(), unseen, refused]);
    assert.deepEqual(
      reasons.map(({ message }) => message),
      ["linux/arm64: the image is not signed"],
    );
    assert.equal(digest, DIGEST);
  });

  it("say that something was checked where it was of each, and not checked where it was not of one", () => {
    const { checked, notChecked } = facts([
      verdict(),
      platform("linux/amd64", { checked: ["signature"], notChecked: ["time of signing"] }),
    ]);
    assert.deepEqual(checked, ["signature"]);
    assert.deepEqual(notChecked, ["layers", "time of signing"]);
  });

  it("are never an acceptance where there is no verdict", () => {
    assert.equal(facts([]).verdict, "undetermined");
  });

  it("name the rule, and why it was accepted only where it was", () => {
    const place = { label: "policy.yaml", line: 12, column: 3 };
    const rule = { name: "ours", place, pattern: "registry.example/", mode: "enforce" } as const;
    const policy = { label: "policy.yaml", digest: DIGEST, rule };
    const accepted = facts([verdict({ policy, because: 'policy.yaml:12 "ours"' })]);
    assert.deepEqual(accepted.rule, { name: "ours", place: "policy.yaml:12" });
    assert.equal(accepted.because, 'policy.yaml:12 "ours"');
    assert.equal(facts([verdict({ policy: { label: "policy.yaml", digest: DIGEST } })]).rule, undefined);
  });
});

describe("the signers of an image", () => {
  it("are those that count, each once, in one order", () => {
    const reports = [signature("b"), signature("a"), signature("b"), signature("c", { accepted: false })];
    const { signers } = facts([verdict({ signatures: reports })]);
    assert.deepEqual(
      signers.map(({ id }) => id),
      ["a", "b"],
    );
    assert.deepEqual(facts([verdict({ signatures: reports.toReversed() })]).signers, signers);
  });

  it("signed when the newest of their signatures is proven to have been made", () => {
    const reports = [
      signature("a", { proof: signedAt(9) }),
      signature("a", { proof: signedAt(2), format: "cosign-legacy" }),
      signature("a"),
    ];
    for (const signatures of [reports, reports.toReversed()]) {
      const [signer] = facts([verdict({ signatures })]).signers;
      assert.equal(signer?.signedAt, NOW - 2 * 3_600_000);
      assert.equal(signer?.format, "cosign-legacy");
    }
  });

  it("are named by issuer and subject where they have no key, and as the policy calls them", () => {
    const identity = {
      subject: "dev@example.com",
      subjectKind: "email",
      issuer: "https://login.example",
      claims: {},
    } as const;
    const signedBy = { kind: "identity", identity, terms: { name: "developers" } } as const;
    const [signer] = facts([verdict({ signatures: [signature("", { signedBy })] })]).signers;
    assert.equal(signer?.id, "https://login.example dev@example.com");
    assert.equal(signer?.as, "developers");
    assert.equal(signer?.kind, "identity");
  });

  it("may have attested scans: the newest tells", () => {
    const at = (day: number) => instant(Date.UTC(2025, 11, day));
    const signatures = [signature("a", { scannedAt: at(3) }), signature("b", { scannedAt: at(9) }), signature("c")];
    assert.equal(facts([verdict({ signatures })]).scannedAt, at(9));
    assert.equal(facts([verdict({ signatures })], { scannedAt: at(12) }).scannedAt, at(12));
    assert.equal(facts([verdict()]).scannedAt, undefined);
  });
});

describe("an image in an audit", () => {
  const other = digestFor("other");

  function audited(image: string, more: Partial<ImageFacts>) {
    const mention = { image, kind: "list", place: { source: "images.txt", line: 1 } } as const;
    const plan = makePlan(["images.txt"], { mentions: [mention], problems: [] }, NOW);
    const standard = { wanted: "", digest: DIGEST, weakened: [] };
    const found = { ...facts([verdict()]), image, ...more };
    return assembleAudit({ plan, items: plan.items, facts: [found], standard }).images[0];
  }

  it("is pinned where its reference has a digest, and drifts where its tag names another now", () => {
    const pinned = `${IMAGE}@${DIGEST}`;
    assert.deepEqual([audited(IMAGE, {})?.pinned, audited(pinned, {})?.pinned], [false, true]);
    assert.equal(audited(pinned, { tagDigest: DIGEST })?.drift, false);
    assert.equal(audited(pinned, { tagDigest: other })?.drift, true);
  });

  it("does not drift where nothing is known of its tag, or nothing is pinned", () => {
    assert.equal(audited(`${IMAGE}@${DIGEST}`, { tagFinding: DENIED })?.drift, false);
    assert.equal(audited(IMAGE, { tagDigest: other })?.drift, false);
  });

  it("does not drift for the same content by another hash", () => {
    const long = digestOf(new TextEncoder().encode(IMAGE), "sha512");
    assert.equal(audited(`${IMAGE}@${long}`, { tagDigest: DIGEST })?.drift, false);
  });

  it("is not left out: what nothing was found out about is a defect", () => {
    const mention = { image: IMAGE, kind: "list", place: { source: "images.txt" } } as const;
    const plan = makePlan([], { mentions: [mention], problems: [] }, NOW);
    const standard = { wanted: "", digest: DIGEST, weakened: [] };
    assert.throws(() => assembleAudit({ plan, items: plan.items, facts: [], standard }), /nothing was found out/);
  });
});
