import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { instant } from "../../../../src/core/time.ts";
import { describeChecks } from "../../../../src/core/verify/checks.ts";
import { requirementsOf } from "../../../../src/core/verify/criterion.ts";
import { judgeEach } from "../../../../src/core/verify/platforms.ts";
import type { Judgement } from "../../../../src/core/verify/verify.ts";
import { JUDGED_AT, judgedBy, policyText, rulebookOf, type World } from "../../../support/policies.ts";
import { bundleOf, testSigner, testSubject } from "../../../support/signatures.ts";

const alice = testSigner("alice.pub");
const mallory = testSigner("mallory.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const throttled: Finding = { code: "throttled", message: "the registry throttles" };
const mismatch: Finding = { code: "digest-mismatch", message: "other bytes" };
const PEOPLE = { alice: "{key: alice.pub}" };
const REQUIRE = "{signature: {by: alice}}";
const signed = [bundleOf(alice, digest)];
const unsigned = [bundleOf(mallory, digest)];

interface Case {
  readonly rule?: string;
  readonly require?: string;
  readonly candidates?: readonly UntrustedCandidate[];
  readonly obstacles?: readonly Finding[];
  readonly withdrawn?: readonly Digest[];
  readonly now?: string;
}

async function judged(options: Case = {}): Promise<Judgement> {
  const { rule = "", require = REQUIRE, candidates = unsigned, obstacles, withdrawn = [], now } = options;
  const more = withdrawn.length === 0 ? "" : "withdrawn: [{file: withdrawn.json, by: alice}]\n";
  const world: World = {
    keys: { "alice.pub": alice.publicKey },
    withdrawn: new Map(withdrawn.map((each) => [each, { code: "withdrawn", message: "taken back", found: "a leak" }])),
  };
  const at = now === undefined ? JUDGED_AT : instant(Date.parse(now));
  const rulebook = rulebookOf(policyText(PEOPLE, require, rule, more), world, at);
  return await judgedBy(rulebook, { subject, candidates, obstacles });
}

const WARN = "    mode: warn\n";
const exception = (what: string, expires = "2027-01-31T00:00:00Z"): string =>
  `    exceptions: [{${what}, owner: ops@example.com, reason: until 1.5 is out, expires: ${expires}}]\n`;

function codes(findings: readonly Finding[] = []): readonly string[] {
  return findings.map(({ code }) => code);
}

describe("an acceptance by a policy", () => {
  it("says which rule it is by", async () => {
    const judgement = await judged({ candidates: signed });
    assert.equal(judgement.status, "accepted");
    assert.equal(judgement.because, 'policy.yaml:5 "everything of ours"');
    assert.equal(judgement.policy?.rule?.pattern, "registry.example.com/");
    assert.match(judgement.policy?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
    assert.equal(judgement.warnings, undefined);
  });

  it("lists what was checked: of all the requirements that it rests on", async () => {
    const rule = `{any: [{signature: {by: alice, annotations: {env: dev}}}, {signature: {by: alice, annotations: {env: prod}}}]}`;
    const judgement = await judged({ require: rule, candidates: [bundleOf(alice, digest, { env: "prod" })] });
    const requirements = (judgement.met ?? []).flatMap(requirementsOf);
    const { checked } = describeChecks(judgement, requirements, "image", { repository: "r", contentFollows: false });
    assert.deepEqual(checked, ["digest", "signature", "statement type", "annotation env=prod"]);
  });
});

describe("a rule that only warns", () => {
  it("accepts, and says what would have refused", async () => {
    const judgement = await judged({ rule: WARN });
    assert.equal(judgement.status, "accepted");
    assert.deepEqual(judgement.reasons, []);
    assert.deepEqual(codes(judgement.warnings), ["wrong-key"]);
    assert.equal(judgement.policy?.rule?.mode, "warn");
    assert.match(judgement.because ?? "", /which only warns$/);
  });

  it("says as little of what was checked as there was", async () => {
    const judgement = await judged({ rule: WARN });
    const { checked, notChecked } = describeChecks(judgement, [], "image", { repository: "r", contentFollows: true });
    assert.deepEqual(checked, ["digest"]);
    assert.equal(notChecked[0], "what the rule requires (it is not met)");
  });

  it("accepts what could not be looked at, and says so", async () => {
    assert.deepEqual(codes((await judged({ rule: WARN, obstacles: [throttled] })).warnings), ["throttled"]);
  });

  it("accepts without a warning what meets it", async () => {
    const judgement = await judged({ rule: WARN, candidates: signed });
    assert.deepEqual([judgement.status, judgement.warnings], ["accepted", undefined]);
  });

  it("accepts neither what was withdrawn nor what arrived with other bytes", async () => {
    for (const candidates of [signed, unsigned]) {
      const judgement = await judged({ rule: WARN, withdrawn: [digest], candidates });
      assert.equal(judgement.status, "refused");
      assert.equal(judgement.reasons[0]?.code, "withdrawn");
    }
    const damaged = await judged({ rule: WARN, candidates: [], obstacles: [mismatch] });
    assert.deepEqual([damaged.status, damaged.reasons[0]?.code], ["refused", "digest-mismatch"]);
  });
});

describe("an exception", () => {
  const OTHER = testSubject("another image").descriptor.digest;

  it("lets a digest through until it ends, and says on whose account, why and until when", async () => {
    const judgement = await judged({ rule: exception(`digest: ${digest}`) });
    assert.equal(judgement.status, "accepted");
    assert.deepEqual(codes(judgement.warnings), ["wrong-key"]);
    const [warning] = judgement.warnings ?? [];
    assert.match(
      warning?.message ?? "",
      /until 2027-01-31T00:00:00Z on the account of ops@example\.com \(until 1\.5 is out\): the signature is by another key$/,
    );
    assert.match(judgement.because ?? "", /^policy\.yaml:8 excepts it until/);
  });

  it("lets images through by their name", async () => {
    const judge = async (images: string) => (await judged({ rule: exception(`images: ${images}`) })).status;
    assert.equal(await judge("registry.example.com/team/app"), "accepted");
    assert.equal(await judge("registry.example.com/team/"), "accepted");
    assert.equal(await judge("registry.example.com/team/app2"), "refused");
    assert.equal(await judge("registry.example.com/team/app:1.0"), "refused");
  });

  it("is for no other digest", async () => {
    const judgement = await judged({ rule: exception(`digest: ${OTHER}`) });
    assert.deepEqual([judgement.status, codes(judgement.reasons)], ["refused", ["wrong-key"]]);
  });

  it("that has ended lets nothing through, and is named first, from the very moment on", async () => {
    for (const now of ["2027-01-31T00:00:00Z", "2027-02-01T00:00:00Z"]) {
      const judgement = await judged({ rule: exception(`digest: ${digest}`), now });
      assert.equal(judgement.status, "refused");
      assert.deepEqual(codes(judgement.reasons), ["exception-expired", "wrong-key"]);
      assert.match(judgement.reasons[0]?.found ?? "", /ops@example\.com/);
      assert.equal(judgement.reasons[0]?.place, "policy.yaml:8");
    }
    assert.equal(
      (await judged({ rule: exception(`digest: ${digest}`), now: "2027-01-30T23:59:59Z" })).status,
      "accepted",
    );
  });

  it("that has ended says nothing of what is met without it, or could not be looked at", async () => {
    const now = "2027-02-01T00:00:00Z";
    assert.equal((await judged({ rule: exception(`digest: ${digest}`), candidates: signed, now })).status, "accepted");
    const unclear = await judged({ rule: exception(`digest: ${digest}`), obstacles: [throttled], now });
    assert.deepEqual([unclear.status, codes(unclear.reasons)], ["undetermined", ["throttled"]]);
  });

  it("lifts neither what was withdrawn nor what arrived with other bytes", async () => {
    const rule = exception(`digest: ${digest}`);
    const withdrawn = await judged({ rule, withdrawn: [digest] });
    assert.deepEqual([withdrawn.status, withdrawn.reasons[0]?.code], ["refused", "withdrawn"]);
    const damaged = await judged({ rule, candidates: [], obstacles: [mismatch] });
    assert.deepEqual([damaged.status, codes(damaged.reasons)], ["refused", ["digest-mismatch"]]);
  });

  it("lets through what a rule forbids", async () => {
    const rule = exception(`digest: ${digest}`);
    assert.equal((await judged({ require: "{never: closed}", rule })).status, "accepted");
    assert.equal((await judged({ require: "{never: closed}" })).status, "refused");
  });
});

describe("digests that were taken back", () => {
  it("are refused, whatever else holds and whatever could not be looked at", async () => {
    const judgement = await judged({ candidates: signed, withdrawn: [digest] });
    assert.deepEqual([judgement.status, codes(judgement.reasons)], ["refused", ["withdrawn"]]);
    assert.equal(judgement.because, undefined);
    const unclear = await judged({ candidates: [], obstacles: [throttled], withdrawn: [digest] });
    assert.deepEqual([unclear.status, codes(unclear.reasons)], ["refused", ["withdrawn"]]);
  });
});

describe("an index of which each platform has to meet the rule", () => {
  const ruling = async (rule = "") =>
    await rulebookOf(policyText(PEOPLE, REQUIRE, rule), { keys: { "alice.pub": alice.publicKey } }).rulingOf({
      repository: subject.repository,
      digest,
    });
  const listed = (architecture: string, judgement: Judgement) => {
    const descriptor = { ...testSubject(architecture).descriptor, platform: { os: "linux", architecture } };
    return { descriptor, judgement };
  };

  it("is refused where one is refused, and says which", async () => {
    const children = [listed("amd64", await judged({ candidates: signed })), listed("arm64", await judged())];
    const judgement = judgeEach(children, await ruling(), subject, JUDGED_AT);
    assert.equal(judgement.status, "refused");
    assert.deepEqual(
      judgement.reasons.map(({ message }) => message),
      ["linux/arm64: the signature is by another key"],
    );
  });

  it("is undetermined where none is refused and one could not be looked at", async () => {
    const children = [
      listed("amd64", await judged({ candidates: signed })),
      listed("arm64", await judged({ candidates: [], obstacles: [throttled] })),
    ];
    assert.equal(judgeEach(children, await ruling(), subject, JUDGED_AT).status, "undetermined");
  });

  it("is refused where it lists none: nothing is met by what is absent", async () => {
    const judgement = judgeEach([], await ruling(), subject, JUDGED_AT);
    assert.deepEqual([judgement.status, codes(judgement.reasons)], ["refused", ["platform-missing"]]);
  });

  it("does not claim checks where a platform was let through unmet", async () => {
    const children = [
      listed("amd64", await judged({ candidates: signed })),
      listed("arm64", await judged({ rule: WARN })),
    ];
    const judgement = judgeEach(children, await ruling(WARN), subject, JUDGED_AT);
    assert.deepEqual([judgement.status, judgement.met, codes(judgement.warnings)], ["accepted", [], ["wrong-key"]]);
  });

  it("is excepted by its own digest, and not by that of a platform alone", async () => {
    const children = [listed("amd64", await judged())];
    assert.equal(
      judgeEach(children, await ruling(exception(`digest: ${digest}`)), subject, JUDGED_AT).status,
      "accepted",
    );
    const listedDigest = children[0]?.descriptor.digest;
    const other = await ruling(exception(`digest: ${listedDigest}`));
    assert.equal(judgeEach(children, other, subject, JUDGED_AT).status, "refused");
  });
});
