import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError, type Finding } from "../../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { checkRequirement } from "../../../../src/core/verify/requirement.ts";
import { type Judgement, judge } from "../../../../src/core/verify/verify.ts";
import {
  bundleOf,
  bundleOver,
  legacyOf,
  legacyOver,
  requirementOf,
  testSigner,
  testSubject,
} from "../../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const mallory = testSigner("mallory.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("another image").descriptor.digest;

function judged(
  candidates: readonly UntrustedCandidate[],
  requirement = requirementOf([alice]),
  obstacles: readonly Finding[] = [],
): Judgement {
  return judge({ subject, candidates, obstacles }, requirement);
}

function refusedWith(code: string, judgement: Judgement): void {
  assert.equal(judgement.status, "refused");
  assert.equal(judgement.reasons[0]?.code, code);
}

const statement = (members: object): Uint8Array => new TextEncoder().encode(JSON.stringify(members));
const intoto = (digestHex: string, predicateType: string, more: object = {}): Uint8Array =>
  statement({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: digestHex } }],
    predicateType,
    predicate: {},
    ...more,
  });
const hex = digest.slice("sha256:".length);
const SIGNATURE = "https://sigstore.dev/cosign/sign/v1";
const throttled: Finding = { code: "throttled", message: "the registry throttles" };

test("a bundle by the wanted key is accepted", () => {
  const judgement = judged([bundleOf(alice, digest)]);
  assert.equal(judgement.status, "accepted");
  assert.deepEqual(judgement.reasons, []);
  const [signature] = judgement.signatures;
  assert.ok(signature?.signedBy?.kind === "key");
  assert.equal(signature.signedBy.label, "alice.pub");
});

test("a legacy signature by the wanted key is accepted", () => {
  assert.equal(judged([legacyOf(alice, digest)]).status, "accepted");
});

test("nothing at all is unsigned", () => refusedWith("unsigned", judged([])));

test("a signature by another key is refused, and says whose it claims to be", () => {
  const judgement = judged([bundleOf(mallory, digest)]);
  refusedWith("wrong-key", judgement);
  assert.match(judgement.reasons[0]?.wanted ?? "", /alice\.pub/);
});

test("a signature that names the wanted key but does not verify is a bad signature", () => {
  const forged = bundleOver({ ...mallory, publicKey: alice.publicKey }, intoto(hex, SIGNATURE));
  refusedWith("bad-signature", judged([forged]));
});

test("a signature copied from another image is about the wrong digest", () => {
  refusedWith("wrong-digest", judged([bundleOf(alice, other)]));
  refusedWith("wrong-digest", judged([legacyOf(alice, other)]));
});

test("an attestation by the wanted key is not a signature (CVE-2022-35930's family)", () => {
  refusedWith("not-a-signature", judged([bundleOver(alice, intoto(hex, "https://slsa.dev/provenance/v1"))]));
});

test("a statement without a subject digest of ours is refused", () => {
  const named = statement({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: digest }],
    predicateType: SIGNATURE,
  });
  refusedWith("malformed-signature", judged([bundleOver(alice, named)]));
});

test("a signed payload with duplicate members is refused, whichever value comes last", () => {
  const text = new TextDecoder().decode(intoto(hex, SIGNATURE));
  const doubled = new TextEncoder().encode(text.replace("{", `{"predicateType":"${SIGNATURE}",`));
  refusedWith("malformed-signature", judged([bundleOver(alice, doubled)]));
});

test("a legacy payload that names another repository is refused", () => {
  refusedWith("wrong-repository", judged([legacyOf(alice, digest, "registry.example.com/evil/app")]));
});

test("a legacy payload under a name that the caller knows is accepted", () => {
  const requirement = requirementOf([alice], { signedAs: ["registry.example.com/origin/app"] });
  assert.equal(judged([legacyOf(alice, digest, "registry.example.com/origin/app")], requirement).status, "accepted");
});

test("a legacy payload's repository is compared whole, never by prefix or suffix", () => {
  for (const name of [
    "registry.example.com/team/app2",
    "registry.example.com/team",
    "evil-registry.example.com/team/app",
  ]) {
    refusedWith("wrong-repository", judged([legacyOf(alice, digest, name)]));
  }
});

test("a file has no name, so that only a caller's name restricts its legacy payloads", () => {
  const unnamed = { ...testSubject("image"), repository: undefined };
  const evidence = { subject: unnamed, candidates: [legacyOf(alice, digest)], obstacles: [] };
  assert.equal(judge(evidence, requirementOf([alice])).status, "accepted");
  refusedWith("wrong-repository", judge(evidence, requirementOf([alice], { signedAs: ["registry.example.com/x/y"] })));
});

test("a legacy payload of another type is malformed", () => {
  const payload = statement({
    critical: {
      identity: { "docker-reference": "x" },
      image: { "docker-manifest-digest": digest },
      type: "atomic container signature",
    },
    optional: null,
  });
  refusedWith("malformed-signature", judged([legacyOver(alice, payload)]));
});

test("an annotation that is missing or different is refused, with the name", () => {
  const requirement = requirementOf([alice], { annotations: { env: "prod" } });
  refusedWith("wrong-annotations", judged([bundleOf(alice, digest)], requirement));
  const wrong = judged([bundleOf(alice, digest, { env: "dev" })], requirement);
  refusedWith("wrong-annotations", wrong);
  assert.equal(wrong.reasons[0]?.found, "env=dev");
  assert.equal(judged([bundleOf(alice, digest, { env: "prod", more: "x" })], requirement).status, "accepted");
});

test("annotation names are own members: constructor and toString are not there by themselves", () => {
  for (const name of ["constructor", "toString", "hasOwnProperty"]) {
    refusedWith(
      "wrong-annotations",
      judged([bundleOf(alice, digest)], requirementOf([alice], { annotations: { [name]: "" } })),
    );
  }
});

test("a threshold counts distinct keys, never signatures", () => {
  const requirement = requirementOf([alice, bob], { threshold: 2 });
  const twice = judged(
    [bundleOf(alice, digest), bundleOf(alice, digest, { n: "2" }), legacyOf(alice, digest)],
    requirement,
  );
  refusedWith("threshold-not-met", twice);
  assert.match(twice.reasons[0]?.found ?? "", /^1 of 2: alice\.pub \(SHA256:\w+…\)$/);
  assert.equal(judged([bundleOf(alice, digest), legacyOf(bob, digest)], requirement).status, "accepted");
});

test("the same key given under two names is one signer", () => {
  const again = { ...alice.publicKey, label: "copy.pub" };
  assert.throws(
    () => checkRequirement({ ...requirementOf([alice]), keys: [alice.publicKey, again], threshold: 2 }),
    (error) => error instanceof CountersignError && error.code === "usage",
  );
});

test("a requirement that nothing or anything meets is refused before anything is looked at", () => {
  for (const threshold of [0, -1, 3, 1.5, Number.NaN]) {
    assert.throws(() => checkRequirement(requirementOf([alice, bob], { threshold })), CountersignError);
  }
  assert.throws(() => checkRequirement(requirementOf([])), CountersignError);
});

test("what could not be looked at makes it undetermined, never unsigned", () => {
  const judgement = judged([], undefined, [throttled]);
  assert.equal(judgement.status, "undetermined");
  assert.equal(judgement.reasons[0]?.code, "throttled");
});

test("an obstacle beside a good signature changes nothing", () => {
  assert.equal(judged([bundleOf(alice, digest)], undefined, [throttled]).status, "accepted");
});

test("an obstacle beside a signature by another key is undetermined: the wanted one may be what was not seen", () => {
  assert.equal(judged([bundleOf(mallory, digest)], undefined, [throttled]).status, "undetermined");
});

test("bytes that are not what their digest names are refused, not undetermined", () => {
  refusedWith("digest-mismatch", judged([], undefined, [{ code: "digest-mismatch", message: "flipped" }]));
});

test("junk beside a good signature changes nothing, in any order", () => {
  const junk: UntrustedCandidate[] = [
    { format: "bundle", origin: { via: "referrers-api" }, bytes: new Uint8Array() },
    { format: "bundle", origin: { via: "referrers-api" }, bytes: new TextEncoder().encode("{}") },
    bundleOf(mallory, digest),
    legacyOf(mallory, other),
  ];
  const good = bundleOf(alice, digest);
  for (let at = 0; at <= junk.length; at++) {
    assert.equal(judged([...junk.slice(0, at), good, ...junk.slice(at)]).status, "accepted");
  }
});

test("the reason nearest to acceptance comes first", () => {
  const requirement = requirementOf([alice], { annotations: { env: "prod" } });
  const judgement = judged([bundleOf(mallory, digest), bundleOf(alice, other), bundleOf(alice, digest)], requirement);
  assert.deepEqual(
    judgement.reasons.map((reason) => reason.code),
    ["wrong-annotations", "wrong-digest", "wrong-key"],
  );
});

test("every flipped bit of a bundle's payload or signature is refused", () => {
  const good = bundleOf(alice, digest);
  assert.equal(good.format, "bundle");
  if (good.format !== "bundle") return;
  const text = new TextDecoder().decode(good.bytes);
  for (const member of ["payload", "sig"]) {
    const value = new RegExp(`"${member}":"([^"]+)"`).exec(text)?.[1] ?? "";
    const raw = Buffer.from(value, "base64");
    for (let bit = 0; bit < raw.length * 8; bit += 7) {
      const flipped = Buffer.from(raw);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const bytes = new TextEncoder().encode(text.replace(value, flipped.toString("base64")));
      assert.equal(judged([{ ...good, bytes }]).status, "refused", `${member}, bit ${bit}`);
    }
  }
});
