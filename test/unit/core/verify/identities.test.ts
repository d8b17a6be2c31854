import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { instant } from "../../../../src/core/time.ts";
import { exactly, type IdentityCondition } from "../../../../src/core/trust/identity.ts";
import { loadTrustMaterial } from "../../../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS, type TrustMaterial } from "../../../../src/core/trust/material.ts";
import { pattern } from "../../../../src/core/trust/pattern.ts";
import { describeChecks } from "../../../../src/core/verify/checks.ts";
import { checkRequirement, type Requirement } from "../../../../src/core/verify/requirement.ts";
import { type Judgement, judge } from "../../../../src/core/verify/verify.ts";
import { thrownBy } from "../../../support/codes.ts";
import { bundleOf as bundleByKey, requirementOf, testSigner } from "../../../support/signatures.ts";
import type { IssueOptions } from "../../../support/sigstore/authority.ts";
import {
  bundleCandidate,
  type FakeSigstore,
  fakeSigstore,
  IMAGE,
  legacyCandidate,
  legacyPayload,
  REPOSITORY,
  signKeyless,
} from "../../../support/sigstore/sign.ts";
import { MINUTE, NOW } from "../../../support/sigstore/times.ts";

const sigstore = fakeSigstore();
const trust = await loadTrustMaterial(sigstore.trustedRoot, "root");
const other = fakeSigstore();
const otherTrust = await loadTrustMaterial(other.trustedRoot, "other root");

const subject = {
  name: `${REPOSITORY}@${IMAGE}`,
  repository: REPOSITORY,
  descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: IMAGE, size: 5 },
};

const DEV: IdentityCondition = {
  subject: exactly("dev@example.com"),
  issuer: exactly("https://issuer.example.com"),
  claims: [],
};

function wanting(condition: IdentityCondition = DEV, root: TrustMaterial = trust): Requirement["identities"][number] {
  return { condition, trust: root, demands: PUBLIC_DEMANDS };
}

function requirement(more: Partial<Requirement> = {}): Requirement {
  return requirementOf([], { identities: [wanting()], now: instant(NOW + 120 * MINUTE), ...more });
}

function judged(candidates: readonly UntrustedCandidate[], more: Partial<Requirement> = {}): Judgement {
  const wanted = requirement(more);
  checkRequirement(wanted);
  return judge({ subject, candidates, obstacles: [] }, wanted);
}

function signed(certificate: Partial<IssueOptions> = {}, by: FakeSigstore = sigstore): UntrustedCandidate {
  return bundleCandidate(signKeyless(by, { certificate }));
}

function refusedWith(code: string, judgement: Judgement): string {
  assert.equal(judgement.status, "refused");
  const [reason] = judgement.reasons;
  assert.equal(reason?.code, code, `${reason?.message}: ${reason?.found}`);
  return `${reason.message} | ${reason.found} | ${reason.wanted}`;
}

describe("a keyless signature", () => {
  it("is accepted where identity and issuer are those that are wanted", () => {
    const judgement = judged([signed()]);
    assert.equal(judgement.status, "accepted");
    assert.equal(judgement.because, "signed by a required identity");
    const [report] = judgement.signatures;
    assert.ok(report?.signedBy?.kind === "identity");
    assert.equal(report.signedBy.identity.subject, "dev@example.com");
  });

  it("is accepted in cosign's legacy form", () => {
    const candidate = legacyCandidate(signKeyless(sigstore, { what: { payload: legacyPayload() } }));
    assert.equal(judged([candidate]).status, "accepted");
  });

  it("is accepted where one of several identities is met", () => {
    const nobody = { ...DEV, subject: exactly("nobody@example.com") };
    assert.equal(judged([signed()], { identities: [wanting(nobody), wanting()] }).status, "accepted");
  });

  it("is accepted beside those that do not do, whatever their order", () => {
    const candidates = [signed({ subject: { email: "eve@example.com" } }), signed({}, other), signed()];
    assert.equal(judged(candidates).status, "accepted");
    assert.equal(judged(candidates.toReversed()).status, "accepted");
  });

  const others: readonly (readonly [string, Partial<IssueOptions>])[] = [
    ["another name", { subject: { email: "eve@example.com" } }],
    ["a name that contains the wanted one", { subject: { email: "xdev@example.com" } }],
    ["a name that begins like it", { subject: { email: "dev@example.com.evil.example" } }],
    ["a name in another case", { subject: { email: "DEV@example.com" } }],
    ["a user name that looks alike", { subject: { otherName: "dеv@example.com" } }],
    ["another issuer", { issuer: "https://evil.example.com" }],
    ["an issuer that begins like it", { issuer: "https://issuer.example.com.evil.example" }],
    ["an issuer that lacks a part", { issuer: "https://issuer.example" }],
    ["no issuer", { issuerIn: "neither" }],
  ];
  for (const [what, certificate] of others) {
    it(`is refused with ${what}`, () => void refusedWith("wrong-identity", judged([signed(certificate)])));
  }

  const unusable: readonly (readonly [string, Partial<IssueOptions>])[] = [
    ["no name", { subject: [] }],
    ["two names, the wanted one first", { subject: [{ email: "dev@example.com" }, { email: "eve@example.com" }] }],
    ["two names, the wanted one last", { subject: [{ email: "eve@example.com" }, { email: "dev@example.com" }] }],
    ["a name that is a host's", { subject: { dns: "dev@example.com" } }],
    ["a name with something behind a null", { subject: { email: "dev@example.com\0.evil.example" } }],
    ["two issuers", { oldIssuer: "https://evil.example.com" }],
  ];
  for (const [what, certificate] of unusable) {
    it(`is refused with ${what}, which could be read in two ways`, () => {
      refusedWith("certificate-untrusted", judged([signed(certificate)]));
    });
  }

  it("is refused by the identity of another root, whose word is not taken here", () => {
    refusedWith("certificate-untrusted", judged([signed({}, other)]));
  });

  it("is proven by the root that goes with the identity and by no other", () => {
    const eve = { ...DEV, subject: exactly("eve@example.com") };
    const identities = [wanting(DEV, trust), wanting(eve, otherTrust)];
    const certificate = { subject: { email: "eve@example.com" } };
    assert.equal(judged([signed(certificate, other)], { identities }).status, "accepted");
    refusedWith("wrong-identity", judged([signed(certificate)], { identities }));
    refusedWith("wrong-identity", judged([signed({}, other)], { identities }));
  });

  it("says whom it found and when, and whom it wanted", () => {
    const found = refusedWith("wrong-identity", judged([signed({ subject: { email: "eve@example.com" } })]));
    assert.equal(
      found,
      "the signature is by another identity | eve@example.com, issuer https://issuer.example.com, 2 hours ago" +
        " | dev@example.com, issuer https://issuer.example.com",
    );
  });

  it("tells of the identity rather than of the root that did not know it", () => {
    const eve = { ...DEV, subject: exactly("eve@example.com") };
    const identities = [wanting(eve, otherTrust), wanting(eve, trust)];
    refusedWith("wrong-identity", judged([signed()], { identities }));
  });

  it("is about this image: one for another is refused, whoever signed", () => {
    const image = IMAGE.replace(/.$/, (last) => (last === "0" ? "1" : "0")) as typeof IMAGE;
    refusedWith("wrong-digest", judged([bundleCandidate(signKeyless(sigstore, { what: { image } }))]));
  });

  it("is no attestation by the same identity (CVE-2022-35930's family)", () => {
    const statement = Buffer.from(
      JSON.stringify({
        _type: "https://in-toto.io/Statement/v1",
        subject: [{ digest: { sha256: IMAGE.slice("sha256:".length) } }],
        predicateType: "https://slsa.dev/provenance/v1",
        predicate: {},
      }),
    );
    refusedWith("not-a-signature", judged([bundleCandidate(signKeyless(sigstore, { what: { statement } }))]));
  });

  it("is not one by a key: who has the certificate's key has no identity by that", () => {
    const found = refusedWith("wrong-key", judged([bundleCandidate(signKeyless(sigstore, { certificate: "none" }))]));
    assert.match(found, /by a bare key/);
  });

  it("does not stand for a key that is wanted, and says how it is verified", () => {
    const judgement = judged([signed()], { keys: [testSigner().publicKey], identities: [] });
    assert.match(refusedWith("wrong-key", judgement), /not by a key \| a keyless signature/);
    assert.match(judgement.reasons[0]?.next ?? "", /--certificate-identity/);
  });
});

describe("claims of a keyless signature", () => {
  const claims = { "source-repository-uri": "https://github.com/acme/app", "build-trigger": "push" } as const;
  const wantingClaims = (wanted: Readonly<Record<string, string>>) => ({
    identities: [
      wanting({
        ...DEV,
        claims: Object.entries(wanted).map(([name, text]) => ({
          name: name as "build-trigger",
          condition: exactly(text),
        })),
      }),
    ],
  });

  it("are met where all that are wanted are there", () => {
    assert.equal(judged([signed({ claims })], wantingClaims(claims)).status, "accepted");
    assert.equal(judged([signed({ claims })], wantingClaims({ "build-trigger": "push" })).status, "accepted");
  });

  const unmet: readonly (readonly [string, Partial<IssueOptions>, Readonly<Record<string, string>>])[] = [
    ["absent", {}, { "build-trigger": "push" }],
    ["different", { claims }, { "build-trigger": "schedule" }],
    ["different in one of two", { claims }, { ...claims, "source-repository-uri": "https://github.com/acme/other" }],
    ["different in case", { claims }, { "build-trigger": "Push" }],
    ["longer", { claims: { "build-trigger": "push-x" } }, { "build-trigger": "push" }],
    ["in another claim", { claims: { "github-workflow-trigger": "push" } }, { "build-trigger": "push" }],
  ];
  for (const [what, certificate, wanted] of unmet) {
    it(`are refused where one is ${what}`, () => {
      refusedWith("wrong-identity", judged([signed(certificate)], wantingClaims(wanted)));
    });
  }
});

describe("patterns of identities", () => {
  const matching = async (text: string, issuer = ".*") => ({
    identities: [wanting({ subject: await pattern(text), issuer: await pattern(issuer), claims: [] })],
  });

  it("are met by the whole name", async () => {
    assert.equal(judged([signed()], await matching(".*@example\\.com")).status, "accepted");
  });

  for (const text of ["@example\\.com", "dev", "^dev@", "example\\.com$", "dev@example.co", "x|dev@example"]) {
    it(`are not met by a part: ${text}`, async () => {
      const found = refusedWith("wrong-identity", judged([signed()], await matching(text)));
      assert.match(found, /matches a part of it/);
    });
  }

  it("are not met by no issuer, unless nothing is what the pattern means", async () => {
    refusedWith("wrong-identity", judged([signed({ issuerIn: "neither" })], await matching(".*", ".+")));
    assert.equal(judged([signed({ issuerIn: "neither" })], await matching(".*", "^$")).status, "accepted");
  });
});

describe("the present in place of a proven time, for private authorities", () => {
  const untimed = bundleCandidate(signKeyless(sigstore, { logs: [], timestampAuthorities: [] }));
  const demands = { logs: 0, certificateLogs: 1, timestamps: 0, times: 0, currentTime: true };
  const at = (now: number, more: Partial<typeof demands> = {}) => ({
    identities: [{ ...wanting(), demands: { ...demands, ...more } }],
    now: instant(now),
  });

  it("does while the certificate lasts, and the verdict says so", () => {
    const wanted = requirement(at(NOW));
    const judgement = judge({ subject, candidates: [untimed], obstacles: [] }, wanted);
    assert.equal(judgement.status, "accepted");
    const { notChecked } = describeChecks(judgement, wanted, "image", { repository: undefined, contentFollows: true });
    assert.ok(notChecked.includes("time of signing (the certificate was judged by the present)"));
  });

  it("does not before the certificate begins, nor after its end", () => {
    refusedWith("certificate-untrusted", judged([untimed], at(NOW - 2 * MINUTE)));
    refusedWith("certificate-untrusted", judged([untimed], at(NOW + 10 * MINUTE)));
  });

  it("does not unless it is allowed", () => {
    refusedWith("timestamp-missing", judged([untimed], at(NOW, { currentTime: false })));
  });

  it("is not heeded where a time is proven: a certificate that lasts now did not when it signed", () => {
    const early = bundleCandidate(
      signKeyless(sigstore, {
        logs: [],
        timestampAuthorities: [sigstore.timestampAuthority],
        timestamp: { at: NOW - 5 * MINUTE },
      }),
    );
    refusedWith("certificate-untrusted", judged([early], at(NOW)));
  });
});

describe("thresholds of identities and keys", () => {
  const any = async () => wanting({ subject: await pattern(".*"), issuer: await pattern(".*"), claims: [] });
  const eve = { subject: { email: "eve@example.com" } };

  it("count distinct identities", async () => {
    const judgement = judged([signed(), signed(eve)], { identities: [await any()], threshold: 2 });
    assert.equal(judgement.status, "accepted");
    assert.equal(judgement.because, "2 distinct signers signed; 2 were required");
  });

  it("do not count one identity twice, however often it signs", async () => {
    const judgement = judged([signed(), signed(), signed()], { identities: [await any()], threshold: 2 });
    assert.match(refusedWith("threshold-not-met", judgement), /1 of 2: dev@example\.com \(https:\/\/issuer/);
  });

  it("do not count one identity twice for being wanted under two roots", async () => {
    const condition = (await any()).condition;
    const identities = [wanting(condition, trust), wanting(condition, otherTrust)];
    refusedWith("threshold-not-met", judged([signed(), signed({}, other)], { identities, threshold: 2 }));
  });

  it("count the same name of two issuers as two", async () => {
    const candidates = [signed(), signed({ issuer: "https://login.example.com" })];
    assert.equal(judged(candidates, { identities: [await any()], threshold: 2 }).status, "accepted");
  });

  it("count a key and an identity", () => {
    const alice = testSigner("alice.pub");
    const keys = [alice.publicKey];
    const candidates = [bundleByKey(alice, IMAGE), signed()];
    assert.equal(judged(candidates, { keys, threshold: 2 }).status, "accepted");
    refusedWith("threshold-not-met", judged(candidates.slice(0, 1), { keys, threshold: 2 }));
    refusedWith("threshold-not-met", judged(candidates.slice(1), { keys, threshold: 2 }));
    assert.equal(judged(candidates.slice(0, 1), { keys }).because, "signed by a required key");
  });

  it("are refused as wrong usage where they can never be met", () => {
    thrownBy(() => checkRequirement(requirement({ threshold: 2 })), "usage");
    thrownBy(
      () => checkRequirement(requirement({ threshold: 2, identities: [wanting(), wanting(DEV, otherTrust)] })),
      "usage",
    );
    thrownBy(() => checkRequirement(requirement({ identities: [] })), "usage");
    thrownBy(() => checkRequirement(requirement({ threshold: 0, identities: [wanting()] })), "usage");
  });
});
