import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { RecordedImage } from "../../../src/core/cases/recorded.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { makeAttestation, makeStatement } from "../../../src/core/formats/intoto.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { KeyIdentity, PolicyDocument } from "../../../src/core/policy/document.ts";
import { extendPolicy } from "../../../src/core/policy/extend.ts";
import { parsePolicy } from "../../../src/core/policy/parse.ts";
import type { Everybody } from "../../../src/core/review/carried.ts";
import { type Proposal, proposeRules } from "../../../src/core/review/learned.ts";
import { loadTrustMaterial } from "../../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../../src/core/trust/material.ts";
import { Exhibit } from "../../../src/core/verify/exhibit.ts";
import { openRulebook } from "../../../src/core/verify/rulebook.ts";
import { acceptedBy, checkLearned, type GatheredImage, type Lesson, learnFrom } from "../../../src/ops/learn.ts";
import { makeImage } from "../../support/images.ts";
import { workflow } from "../../support/policy-cases/scene.ts";
import { bundleOf, bundleOver, legacyOf, testSigner } from "../../support/signatures.ts";
import type { IssueOptions } from "../../support/sigstore/authority.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";
import { NOW } from "../../support/sigstore/times.ts";

const sigstore = fakeSigstore();
const evil = fakeSigstore();
const trust = await loadTrustMaterial(sigstore.trustedRoot, "acme.json");
const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const everybody: Everybody = {
  keys: [alice.publicKey, bob.publicKey],
  roots: [{ trust, demands: PUBLIC_DEMANDS }],
  now: NOW,
};
const SLSA = "https://slsa.dev/provenance/v1";
const ERIN = { subject: { email: "erin@example.com" }, issuer: "https://login.example.com" } as const;

type Sign = (digest: ReturnType<typeof digestOf>) => UntrustedCandidate;

const byKey =
  (signer = alice): Sign =>
  (digest) =>
    bundleOf(signer, digest);
const keyless =
  (who: Partial<IssueOptions>, instance = sigstore): Sign =>
  (digest) =>
    bundleCandidate(signKeyless(instance, { certificate: who, what: { statement: makeStatement(digest) } }));
const statement = (digest: ReturnType<typeof digestOf>, predicateType: string) =>
  makeAttestation({ digest, repository: undefined, annotations: {}, predicateType, predicate: Buffer.from("{}") });
const attestedBy =
  (who: Partial<IssueOptions>, type = SLSA): Sign =>
  (digest) =>
    bundleCandidate(signKeyless(sigstore, { certificate: who, what: { statement: statement(digest, type) } }));

async function image(repository: string, content: string, ...signs: readonly Sign[]): Promise<GatheredImage> {
  const { manifest } = await makeImage({ name: content });
  const { digest } = manifest.descriptor;
  const candidates = signs.map((sign) => sign(digest));
  const recorded: RecordedImage = {
    repository: `registry.example.com/${repository}`,
    tag: "1",
    recordedAt: NOW,
    trust: [],
    manifest,
    subjects: [{ digest, candidates, obstacles: [] }],
  };
  return { name: `${repository}:${content}`, recorded, exhibits: candidates.map((each) => new Exhibit(each)) };
}

const PATHS = new Map([alice, bob].map(({ publicKey: { fingerprint, label } }) => [fingerprint, label]));

function lessonOf(images: readonly GatheredImage[]): Lesson {
  return learnFrom(images, everybody, (signedBy) => {
    if (signedBy.kind === "identity") return { kind: "identity", identity: signedBy.identity, trust: "acme" };
    const path = PATHS.get(signedBy.fingerprint) ?? "";
    return {
      kind: "key",
      fingerprint: signedBy.fingerprint,
      source: { kind: "file", path },
      calledAfter: path.replace(".pub", ""),
    };
  });
}

const EMPTY = parsePolicy(encodeUtf8("apiVersion: countersign/v1\nrules: []\n"), "policy.yaml");

interface Learned {
  readonly proposal: Proposal;
  readonly text: string;
  readonly document: PolicyDocument;
}

function learn(images: readonly GatheredImage[]): Learned {
  const { learned } = lessonOf(images);
  const proposal = proposeRules(learned);
  const { identities, rules } = proposal;
  const place = { label: "", line: 1, column: 1 };
  const { text } = extendPolicy(undefined, EMPTY, {
    identities: new Map(identities.map((identity) => [identity.name, identity])),
    trust: new Map([["acme", { name: "acme", source: { kind: "file", path: "acme.json" }, proof: {}, place }]]),
    rules,
  });
  return { proposal, text, document: parsePolicy(encodeUtf8(text), "policy.yaml") };
}

function rulebookOf(document: PolicyDocument) {
  const material = {
    keysOf: async ({ keys }: KeyIdentity) =>
      keys.flatMap(({ source }) =>
        [alice, bob].flatMap(({ publicKey }) =>
          source.kind === "file" && source.path === publicKey.label ? [publicKey] : [],
        ),
      ),
    trustFor: async () => [{ trust, demands: PUBLIC_DEMANDS }],
    withdrawnBy: async () => new Map(),
  };
  return openRulebook(document, material, NOW);
}

/** What was learned from some accepts those and none of the others. */
async function acceptsExactly(from: readonly GatheredImage[], others: readonly GatheredImage[]): Promise<Learned> {
  const lesson = learn(from);
  const rulebook = rulebookOf(lesson.document);
  await checkLearned(from, lessonOf(from).learned, rulebook);
  const accepted = await acceptedBy([...from, ...others], rulebook);
  assert.deepEqual([...accepted].toSorted(), from.map(({ name }) => name).toSorted());
  return lesson;
}

describe("what is learned from images", () => {
  it("accepts those images, and none that was signed by another, at another ref, or in another repository", async () => {
    const from = [
      await image("acme/app", "1", keyless(workflow("refs/tags/v1")), attestedBy(workflow("refs/tags/v1"))),
    ];
    const both = (ref: string, file?: string, repository?: string) => [
      keyless(workflow(ref, file, repository)),
      attestedBy(workflow(ref, file, repository)),
    ];
    await acceptsExactly(from, [
      await image("acme/app", "unsigned"),
      await image("acme/app", "other ref", ...both("refs/tags/v2")),
      await image("acme/app", "other workflow", ...both("refs/tags/v1", "build.yml")),
      await image("acme/app", "other source", ...both("refs/tags/v1", "release.yml", "acme/fork")),
      await image("acme/app", "no attestation", keyless(workflow("refs/tags/v1"))),
      await image("acme/app", "no signature", attestedBy(workflow("refs/tags/v1"))),
      await image(
        "acme/app",
        "another type",
        keyless(workflow("refs/tags/v1")),
        attestedBy(workflow("refs/tags/v1"), "https://spdx.dev/Document"),
      ),
      await image("acme/app", "by a key", byKey()),
      await image(
        "acme/app",
        "by another authority",
        keyless(workflow("refs/tags/v1"), evil),
        attestedBy(workflow("refs/tags/v1")),
      ),
      await image("acme/application", "other repository", ...both("refs/tags/v1")),
      await image("acme/app/tool", "below", ...both("refs/tags/v1")),
    ]);
  });

  it("asks for every claim that stays what it is, and for none that differs in every run", async () => {
    const claims = {
      ...workflow().claims,
      "source-repository-digest": "abc",
      "run-invocation-uri": "https://github.com/acme/app/actions/runs/1",
      "github-workflow-sha": "abc",
      "build-trigger": "push",
      "runner-environment": "github-hosted",
    };
    const { text } = learn([await image("acme/app", "1", keyless({ ...workflow(), claims }))]);
    for (const name of ["source-repository-uri", "source-repository-ref", "build-trigger", "runner-environment"]) {
      assert.match(text, new RegExp(`\\b${name}:`));
    }
    assert.doesNotMatch(text, /digest|run-invocation|workflow-sha|Pattern|pattern|\*/);
    await acceptsExactly(
      [await image("acme/app", "1", keyless({ ...workflow(), claims }))],
      [
        await image(
          "acme/app",
          "2",
          keyless({ ...workflow(), claims: { ...claims, "build-trigger": "pull_request_target" } }),
        ),
      ],
    );
  });

  it("lists each ref where there are several, and says so", async () => {
    const refs = ["refs/tags/v1", "refs/tags/v2"];
    const from = await Promise.all(refs.map((ref) => image("acme/app", ref, keyless(workflow(ref)))));
    const { proposal, text } = await acceptsExactly(from, [
      await image("acme/app", "v3", keyless(workflow("refs/tags/v3"))),
    ]);
    assert.deepEqual(
      proposal.identities.map(({ name }) => name),
      ["app-release-v1", "app-release-v2"],
    );
    assert.doesNotMatch(text, /\*/);
    assert.ok(proposal.notes.some((note) => note.includes("2 refs")));
  });

  it("takes images that carry different things as different ways, and mixes none of them", async () => {
    const from = [await image("acme/app", "1", keyless(ERIN), attestedBy(ERIN)), await image("acme/app", "2", byKey())];
    const { proposal } = await acceptsExactly(from, [
      await image("acme/app", "3", keyless(ERIN)),
      await image("acme/app", "4", attestedBy(ERIN)),
      await image("acme/app", "5", byKey(bob)),
    ]);
    assert.equal(proposal.rules[0]?.require.kind, "any");
    assert.ok(proposal.notes.some((note) => note.includes("do not all carry the same")));
  });

  it("asks for as many signers as each of the images has, of those that they have", async () => {
    await acceptsExactly(
      [await image("acme/app", "1", byKey(alice), byKey(bob))],
      [
        await image("acme/app", "2", byKey(alice)),
        await image("acme/app", "3", byKey(bob), byKey(bob)),
        await image("acme/app", "4", byKey(alice), byKey(alice)),
      ],
    );
    const { proposal } = await acceptsExactly(
      [await image("acme/app", "1", byKey(alice), byKey(bob)), await image("acme/app", "2", byKey(alice))],
      [await image("acme/app", "3")],
    );
    assert.equal(proposal.rules[0]?.require.kind === "signature" && proposal.rules[0].require.threshold, 1);
  });

  it("is a rule for each repository", async () => {
    const { document } = await acceptsExactly(
      [await image("acme/app", "1", byKey()), await image("acme/tool", "2", byKey(bob))],
      [await image("acme/app", "3", byKey(bob)), await image("acme/tool", "4", byKey(alice))],
    );
    assert.equal(document.rules.length, 2);
  });

  it("names somebody whom the policy knows as it does, and nobody twice", async () => {
    const { document } = learn([await image("acme/app", "1", keyless(ERIN))]);
    const { learned } = lessonOf([
      await image("acme/tool", "1", keyless(ERIN)),
      await image("acme/other", "2", byKey()),
    ]);
    const { identities, rules } = proposeRules(learned, document);
    assert.deepEqual(
      identities.map(({ name }) => name),
      ["alice"],
    );
    const [first] = rules;
    assert.deepEqual(first?.require.kind === "signature" && first.require.by, [...document.identities.keys()]);
  });

  it("finds another name where the name is taken", () => {
    const taken = parsePolicy(
      encodeUtf8(
        "apiVersion: countersign/v1\nidentities:\n  alice: {key: other.pub}\nroles: {alice-1: [alice]}\nrules: []\n",
      ),
      "policy.yaml",
    );
    const signer = {
      kind: "key",
      fingerprint: "SHA256:1",
      source: { kind: "file", path: "alice.pub" },
      calledAfter: "alice",
    } as const;
    const one = {
      name: "a",
      repository: "registry.example.com/a",
      digest: digestOf(encodeUtf8("a")),
      attestedBy: new Map(),
    };
    const { identities } = proposeRules([{ ...one, signedBy: [signer] }], taken);
    assert.deepEqual(
      identities.map(({ name }) => name),
      ["alice-2"],
    );
  });
});

describe("an image of which nothing is learned", () => {
  const codes = async (...images: readonly GatheredImage[]) => {
    const { learned, unlearned } = lessonOf(images);
    assert.deepEqual(learned, []);
    return unlearned.map(({ finding }) => finding.code);
  };

  it("is one that is not signed, by a key that nobody named, by another authority, about another image, or junk", async () => {
    const junk: Sign = () => ({ format: "bundle", origin: { via: "file" }, bytes: encodeUtf8("junk") });
    const found = await codes(
      await image("acme/app", "1"),
      await image("acme/app", "2", byKey(testSigner("mallory.pub"))),
      await image("acme/app", "3", keyless(ERIN, evil)),
      await image("acme/app", "4", () => bundleOf(alice, digestOf(encodeUtf8("other")))),
      await image("acme/app", "5", junk),
      await image("acme/app", "6", (digest) => legacyOf(alice, digest, "registry.example.com/acme/old")),
    );
    assert.deepEqual(found, [
      ...["unsigned", "wrong-key", "certificate-untrusted", "wrong-digest", "malformed-signature", "wrong-repository"],
    ]);
  });

  it("is one that could not be looked at, though there is a signature beside", async () => {
    const one = await image("acme/app", "1", byKey());
    const [subject] = one.recorded.subjects;
    assert.ok(subject);
    const obstacles = [{ code: "throttled", message: "slow down" } as const];
    const seen = { ...one, recorded: { ...one.recorded, subjects: [{ ...subject, obstacles }] } };
    assert.deepEqual(await codes(seen), ["throttled"]);
  });

  it("is one that has no name", async () => {
    const one = await image("acme/app", "1", byKey());
    assert.deepEqual(await codes({ ...one, recorded: { ...one.recorded, repository: undefined } }), ["usage"]);
  });

  it("evidence that is passed over beside what is learned is told", async () => {
    const { learned, leftOut } = lessonOf([
      await image("acme/app", "1", byKey(), byKey(testSigner("mallory.pub")), (digest) =>
        bundleOver(bob, statement(digest, SLSA)),
      ),
    ]);
    assert.equal(learned.length, 1);
    assert.deepEqual(
      leftOut.map(({ finding }) => finding.code),
      ["wrong-key"],
    );
    assert.match(leftOut[0]?.finding.next ?? "", /--key/);
  });

  it("what does not accept what it was learned from is a defect, and is not proposed", async () => {
    const from = [await image("acme/app", "1", byKey())];
    const { learned } = lessonOf(from);
    const { document } = learn([await image("acme/app", "1", byKey(bob))]);
    await assert.rejects(checkLearned(from, learned, rulebookOf(document)), { code: "internal" });
  });
});
