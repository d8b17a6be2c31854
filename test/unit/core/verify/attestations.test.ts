import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeEnvelope } from "../../../../src/core/formats/cosign-attestation.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { makeAttestation } from "../../../../src/core/formats/intoto.ts";
import { resolveType } from "../../../../src/core/formats/predicates.ts";
import { bundleSignedBytes } from "../../../../src/core/formats/sigstore-bundle.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { compileCondition } from "../../../../src/core/policy/cel.ts";
import { exactly } from "../../../../src/core/trust/identity.ts";
import { loadTrustMaterial } from "../../../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../../../src/core/trust/material.ts";
import type { Requirement } from "../../../../src/core/verify/requirement.ts";
import { type Judgement, judge } from "../../../../src/core/verify/verify.ts";
import {
  bundleOf,
  bundleOver,
  legacyOf,
  requirementOf,
  type TestSigner,
  testSigner,
  testSubject,
} from "../../../support/signatures.ts";
import { bundleCandidate, fakeSigstore, legacyAttestation, signKeyless } from "../../../support/sigstore/sign.ts";

const SLSA = "https://slsa.dev/provenance/v1";
const alice = testSigner("alice.pub");
const mallory = testSigner("mallory.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("another image").descriptor.digest;

interface Said {
  readonly by?: TestSigner;
  readonly about?: Digest;
  readonly type?: string;
  readonly predicate?: string;
}

function statement({ about = digest, type = SLSA, predicate = "{}" }: Said): Uint8Array {
  const parts = { digest: about, repository: undefined, annotations: {}, predicateType: type };
  return makeAttestation({ ...parts, predicate: Buffer.from(predicate) });
}

function attested(said: Said = {}): UntrustedCandidate {
  return bundleOver(said.by ?? alice, statement(said));
}

async function legacy(said: Said = {}): Promise<UntrustedCandidate> {
  const bytes = statement(said);
  const signature = await (said.by ?? alice).sign(bundleSignedBytes(bytes));
  const origin = { via: "att-tag", layer: 0 } as const;
  const envelope = makeEnvelope(bytes, signature);
  return { format: "cosign-attestation", origin, envelope, mediaType: MEDIA_TYPES.dsse, annotations: {} };
}

async function wanting(type: string, ...conditions: readonly string[]): Promise<Requirement> {
  return requirementOf([alice], {
    attestation: {
      predicateTypes: resolveType(type),
      conditions: await Promise.all(conditions.map((text) => compileCondition(text))),
    },
  });
}

function judged(candidates: readonly UntrustedCandidate[], requirement: Requirement): Judgement {
  return judge({ subject, candidates, obstacles: [] }, requirement);
}

function refusedWith(code: string, judgement: Judgement): void {
  assert.equal(judgement.status, "refused");
  assert.equal(judgement.reasons[0]?.code, code, JSON.stringify(judgement.reasons));
}

const slsa = await wanting("slsaprovenance1");

describe("an attestation that is wanted", () => {
  it("is accepted by type, signer and digest, and its statement is reported", () => {
    const judgement = judged([attested({ predicate: '{"n":1}' })], slsa);
    assert.equal(judgement.status, "accepted");
    const [report] = judgement.signatures;
    assert.equal(report?.predicateType, SLSA);
    assert.deepEqual(report?.statement?.["predicate"], { n: 1 });
  });

  it("is accepted from cosign's .att tag", async () => {
    assert.equal(judged([await legacy()], slsa).status, "accepted");
  });

  it("is accepted in version 0.1 of the statement, which cosign writes", () => {
    const text = Buffer.from(statement({})).toString().replace("Statement/v1", "Statement/v0.1");
    assert.equal(judged([bundleOver(alice, Buffer.from(text))], slsa).status, "accepted");
  });

  it("is accepted under the URI with a version where the short name stands for that", async () => {
    const spdx = await wanting("spdxjson");
    assert.equal(judged([attested({ type: "https://spdx.dev/Document/v2.3" })], spdx).status, "accepted");
    refusedWith("unattested", judged([attested({ type: "https://spdx.dev/Documents" })], spdx));
  });

  it("no attestation at all is no attestation: unattested, never accepted (CVE-2022-35929)", () => {
    refusedWith("unattested", judged([], slsa));
  });

  it("attestations of other types by the wanted signer are none of the wanted (CVE-2022-35929, CVE-2022-35930)", () => {
    for (const type of ["https://slsa.dev/provenance/v0.2", "https://spdx.dev/Document", `${SLSA}/`, "SLSA"]) {
      refusedWith("unattested", judged([attested({ type })], slsa));
    }
  });

  it("the image's signature by the wanted signer is no attestation", () => {
    refusedWith("unattested", judged([bundleOf(alice, digest)], slsa));
    refusedWith("unattested", judged([legacyOf(alice, digest)], slsa));
  });

  it("an annotation that names the wanted type does not make it that (CVE-2026-39395)", async () => {
    const candidate = await legacy({ type: "https://spdx.dev/Document" });
    assert.ok(candidate.format === "cosign-attestation");
    refusedWith("unattested", judged([{ ...candidate, annotations: { predicateType: SLSA } }], slsa));
  });

  it("a payload that is signed and no statement is refused (CVE-2026-39395)", async () => {
    for (const payload of ["", "[]", "{}", `{"predicateType":"${SLSA}"}`, '"text"', "not json"]) {
      const judgement = judged([bundleOver(alice, Buffer.from(payload || " "))], slsa);
      refusedWith("malformed-signature", judgement);
    }
  });

  it("is refused about another image, by another signer, and by a signer who claims the wanted key", async () => {
    refusedWith("wrong-digest", judged([attested({ about: other })], slsa));
    refusedWith("wrong-digest", judged([await legacy({ about: other })], slsa));
    refusedWith("wrong-key", judged([attested({ by: mallory })], slsa));
    refusedWith("bad-signature", judged([attested({ by: { ...mallory, publicKey: alice.publicKey } })], slsa));
  });

  it("is refused where the predicate names a member twice: readers would see different documents", () => {
    refusedWith("malformed-signature", judged([attested({ predicate: '{"ok":true,"ok":false}' })], slsa));
  });

  it("is accepted beside any number that do not do", async () => {
    const candidates = [
      attested({ by: mallory }),
      attested({ about: other }),
      attested({ type: "https://spdx.dev/Document" }),
      await legacy({ predicate: '{"a":1,"a":1}' }),
      attested(),
    ];
    assert.equal(judged(candidates, slsa).status, "accepted");
    assert.equal(judged(candidates.toReversed(), slsa).status, "accepted");
  });

  it("counts distinct signers, not attestations", async () => {
    const both = { ...requirementOf([alice, mallory], { threshold: 2 }), attestation: slsa.attestation };
    refusedWith("threshold-not-met", judged([attested(), await legacy(), attested({ predicate: '{"n":2}' })], both));
    assert.equal(judged([attested(), attested({ by: mallory })], both).status, "accepted");
  });
});

describe("a condition on an attestation", () => {
  it("has to hold", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.level >= 3");
    assert.equal(judged([attested({ predicate: '{"level":3}' })], requirement).status, "accepted");
    refusedWith("condition-not-met", judged([attested({ predicate: '{"level":2}' })], requirement));
    refusedWith("condition-not-met", judged([attested({ predicate: '{"level":"3"}' })], requirement));
    refusedWith("condition-not-met", judged([attested()], requirement));
  });

  it("has to hold in one attestation with all others: two halves are not a whole", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.a", "predicate.b");
    const halves = [attested({ predicate: '{"a":true,"b":false}' }), attested({ predicate: '{"a":false,"b":true}' })];
    refusedWith("condition-not-met", judged(halves, requirement));
    const whole = attested({ predicate: '{"a":true,"b":true}' });
    assert.equal(judged([...halves, whole], requirement).status, "accepted");
  });

  it("is not met by somebody else's attestation", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.ok");
    const good = attested({ by: mallory, predicate: '{"ok":true}' });
    refusedWith("condition-not-met", judged([good, attested({ predicate: '{"ok":false}' })], requirement));
  });

  it("is not met by an attestation of another type", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.ok");
    refusedWith("unattested", judged([attested({ type: `${SLSA}1`, predicate: '{"ok":true}' })], requirement));
  });

  it("says what it could not evaluate", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.nothing.here");
    const [reason] = judged([attested()], requirement).reasons;
    assert.match(reason?.found ?? "", /no such key: nothing/);
    assert.equal(reason?.wanted, "predicate.nothing.here");
  });

  it("that takes too much work leaves the image undetermined, not refused and not accepted", async () => {
    const requirement = await wanting("slsaprovenance1", "predicate.all(a, predicate.all(b, a == b)) || true");
    const judgement = judged([attested({ predicate: JSON.stringify(Array(5000).fill(1)) })], requirement);
    assert.equal(judgement.status, "undetermined");
    assert.equal(judgement.reasons[0]?.code, "limit-reached");
    assert.equal(judgement.reasons[0]?.found, "predicate.all(a, predicate.all(b, a == b)) || true");
  });
});

describe("a keyless attestation in cosign's .att tag", async () => {
  const sigstore = fakeSigstore();
  const trust = await loadTrustMaterial(sigstore.trustedRoot, "root");
  const condition = {
    subject: exactly("dev@example.com"),
    issuer: exactly("https://issuer.example.com"),
    claims: [],
  };
  const wanted = (demands = PUBLIC_DEMANDS): Requirement => ({
    ...requirementOf([], { identities: [{ condition, trust, demands }] }),
    attestation: slsa.attestation,
  });
  const what = { statement: statement({}) };

  for (const kind of ["dsse", "intoto"] as const) {
    it(`is accepted with a log entry of kind ${kind}`, () => {
      const signed = signKeyless(sigstore, { what, entry: { kind } });
      assert.equal(judged([legacyAttestation(signed, SLSA)], wanted()).status, "accepted");
    });
  }

  it("is accepted with a timestamp over the whole layer, as cosign has it stamped", () => {
    const signed = signKeyless(sigstore, { what });
    const { envelope } = legacyAttestation(signed, SLSA);
    const timestamps = [sigstore.timestampAuthority.timestamp(envelope)];
    const candidate = legacyAttestation({ ...signed, timestamps, logEntries: [] }, SLSA);
    const demands = { ...PUBLIC_DEMANDS, logs: 0, timestamps: 1 };
    assert.equal(judged([candidate], wanted(demands)).status, "accepted");
  });

  it("is refused with a timestamp over the signature alone, or over another layer", () => {
    const signed = signKeyless(sigstore, { what });
    for (const stamped of [signed.signature, Buffer.from("another layer")]) {
      const timestamps = [sigstore.timestampAuthority.timestamp(stamped)];
      const candidate = legacyAttestation({ ...signed, timestamps, logEntries: [] }, SLSA);
      const demands = { ...PUBLIC_DEMANDS, logs: 0, timestamps: 1 };
      refusedWith("timestamp-invalid", judged([candidate], wanted(demands)));
    }
  });

  it("is refused with the log entry of another attestation", () => {
    const signed = signKeyless(sigstore, { what });
    const { logEntries } = signKeyless(sigstore, { what: { statement: statement({ predicate: '{"n":2}' }) } });
    refusedWith("log-entry-invalid", judged([legacyAttestation({ ...signed, logEntries }, SLSA)], wanted()));
  });

  it("is refused by another identity", () => {
    const signed = signKeyless(sigstore, { what, certificate: { subject: { email: "eve@example.com" } } });
    refusedWith("wrong-identity", judged([legacyAttestation(signed, SLSA)], wanted()));
    refusedWith("wrong-identity", judged([bundleCandidate(signed)], wanted()));
  });
});
