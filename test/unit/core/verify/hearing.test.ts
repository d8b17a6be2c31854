import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { rulingFor } from "../../../../src/core/verify/criterion.ts";
import { Hearing } from "../../../../src/core/verify/hearing.ts";
import type { Judgement } from "../../../../src/core/verify/verify.ts";
import {
  attestedBy,
  believing,
  JUDGED_AT,
  judgedBy,
  policyText,
  rulebookOf,
  statementOf,
  type World,
  witnessedKey,
} from "../../../support/policies.ts";
import { bundleOf, bundleOver, legacyOf, requirementOf, testSigner, testSubject } from "../../../support/signatures.ts";
import { bundleCandidate, fakeSigstore, type SignOptions, signKeyless } from "../../../support/sigstore/sign.ts";
import { DAY, NOW } from "../../../support/sigstore/times.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const carol = testSigner("carol.pub");
const mallory = testSigner("mallory.pub");
const alice2 = testSigner("alice2.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("another image").descriptor.digest;
const SLSA = "https://slsa.dev/provenance/v1";
const TESTED = "https://in-toto.io/attestation/test-result/v0.1";
const throttled: Finding = { code: "throttled", message: "the registry throttles" };

const PEOPLE = {
  alice: "{keys: [{key: alice.pub}, {key: alice2.pub}]}",
  bob: "{key: bob.pub}",
  carol: "{key: carol.pub}",
};
const WORLD: World = {
  keys: Object.fromEntries([alice, alice2, bob, carol].map(({ publicKey }) => [publicKey.label, publicKey])),
};

async function judged(
  require: string,
  candidates: readonly UntrustedCandidate[],
  obstacles: readonly Finding[] = [],
  people: Readonly<Record<string, string>> = PEOPLE,
  world: World = WORLD,
): Promise<Judgement> {
  return await judgedBy(rulebookOf(policyText(people, require), world), { subject, candidates, obstacles });
}

function codesOf({ reasons }: Judgement): readonly string[] {
  return reasons.map(({ code }) => code);
}

function is(status: Judgement["status"], judgement: Judgement, ...codes: readonly string[]): void {
  assert.equal(judgement.status, status, JSON.stringify(judgement.reasons));
  if (codes.length > 0) assert.deepEqual(codesOf(judgement).slice(0, codes.length), codes);
}

const A = "{signature: {by: alice}}";
const B = "{signature: {by: bob}}";
const TEST_BY_BOB = "{attestation: {type: test-result, by: bob}}";
const signedBy = (...signers: readonly (typeof alice)[]) => signers.map((signer) => bundleOf(signer, digest));

describe("all", () => {
  const both = `{all: [${A}, ${TEST_BY_BOB}]}`;

  it("is accepted where every part is met", async () => {
    is("accepted", await judged(both, [bundleOf(alice, digest), attestedBy(bob, digest, TESTED)]));
  });

  it("is refused where one part is not, whichever, with what that part lacks", async () => {
    is("refused", await judged(both, [bundleOf(alice, digest)]), "unattested");
    is("refused", await judged(both, [attestedBy(bob, digest, TESTED)]), "unsigned");
    is("refused", await judged(both, []), "unattested", "unsigned");
  });

  it("is refused rather than undetermined where one part cannot be met any more", async () => {
    is("refused", await judged(`{all: [${A}, {never: closed}]}`, [], [throttled]), "forbidden");
  });

  it("is undetermined where what is missing may be what could not be looked at", async () => {
    is("undetermined", await judged(both, [bundleOf(alice, digest)], [throttled]), "throttled");
  });

  it("says of every reason where in the policy it is wanted, and of what could not be read nothing", async () => {
    const { reasons } = await judged(both, []);
    assert.ok(reasons.every(({ place }) => place === "policy.yaml:9"));
    const [reason] = (await judged(both, [], [throttled])).reasons;
    assert.equal(reason?.place, undefined);
  });
});

describe("any", () => {
  const either = `{any: [${A}, ${B}]}`;

  it("is accepted where one part is met, whatever could not be looked at", async () => {
    is("accepted", await judged(either, signedBy(bob), [throttled]));
    is("accepted", await judged(`{any: [{never: closed}, ${A}]}`, signedBy(alice)));
  });

  it("is refused where none is, with all of their reasons", async () => {
    is("refused", await judged(either, signedBy(mallory)), "wrong-key", "wrong-key");
    is("refused", await judged(`{any: [{never: closed}]}`, signedBy(alice)), "forbidden");
  });

  it("is undetermined where none is met and one could be", async () => {
    is("undetermined", await judged(`{any: [{never: closed}, ${A}]}`, [], [throttled]), "throttled");
  });
});

describe("a threshold over people", () => {
  const PAIR = "{signature: {by: [alice, bob, carol], threshold: 2}}";

  it("is met by two, and not by one who signs twice", async () => {
    is("accepted", await judged(PAIR, signedBy(alice, bob)));
    is("refused", await judged(PAIR, [...signedBy(alice, alice), legacyOf(alice, digest)]), "threshold-not-met");
  });

  it("counts the keys of one identity once", async () => {
    is("refused", await judged(PAIR, signedBy(alice, alice2)), "threshold-not-met");
    is("accepted", await judged(PAIR, signedBy(alice, alice2, carol)));
  });

  it("counts one key under two names once, also where only the key's bytes say so", async () => {
    const people = { alice: "{key: alice.pub}", again: "{key: copy.pub}", bob: "{key: bob.pub}" };
    const world = { keys: { ...WORLD.keys, "copy.pub": { ...alice.publicKey, label: "copy.pub" } } };
    const two = "{signature: {by: [alice, again, bob], threshold: 2}}";
    is("refused", await judged(two, signedBy(alice), [], people, world), "threshold-not-met");
    is("accepted", await judged(two, signedBy(alice, bob), [], people, world));
  });

  it("counts two names once that share a key with a third", async () => {
    const people = {
      one: "{keys: [{key: alice.pub}, {key: shared.pub}]}",
      two: "{keys: [{key: copy.pub}, {key: bob.pub}]}",
      carol: "{key: carol.pub}",
    };
    const shared = { ...alice2.publicKey, label: "shared.pub" };
    const world = { keys: { ...WORLD.keys, "shared.pub": shared, "copy.pub": { ...shared, label: "copy.pub" } } };
    const two = "{signature: {by: [one, two, carol], threshold: 2}}";
    is("refused", await judged(two, signedBy(alice, bob, alice2), [], people, world), "threshold-not-met");
    is("accepted", await judged(two, signedBy(alice, carol), [], people, world));
  });

  it("is undetermined as long as the second may be what could not be read", async () => {
    is("undetermined", await judged(PAIR, signedBy(alice), [throttled]), "throttled");
  });
});

describe("a threshold over requirements", () => {
  const EACH = `{threshold: {count: 2, of: [{signature: {by: [alice, bob]}}, {attestation: {type: test-result, by: [alice, bob]}}]}}`;
  const tested = (signer: typeof alice) => attestedBy(signer, digest, TESTED);

  it("is met by two people, each for another one", async () => {
    is("accepted", await judged(EACH, [bundleOf(alice, digest), tested(bob)]));
  });

  it("is not met by one person for both, with however many keys", async () => {
    is("refused", await judged(EACH, [bundleOf(alice, digest), tested(alice)]), "threshold-not-met");
    is("refused", await judged(EACH, [bundleOf(alice, digest), tested(alice2)]), "threshold-not-met");
  });

  it("does not count one signature for two of them", async () => {
    const twice = `{threshold: {count: 2, of: [{signature: {by: [alice, bob]}}, {signature: {by: [alice, carol]}}]}}`;
    is("refused", await judged(twice, signedBy(alice)), "threshold-not-met");
    is("accepted", await judged(twice, signedBy(alice, bob)));
    is("accepted", await judged(twice, signedBy(carol, bob)));
  });

  it("finds who is needed where: whoever may meet both gives way", async () => {
    const three = `{threshold: {count: 3, of: [{signature: {by: [alice, bob, carol]}}, {signature: {by: [alice, bob]}}, {signature: {by: alice}}]}}`;
    is("accepted", await judged(three, signedBy(alice, bob, carol)));
    is("accepted", await judged(three, signedBy(carol, bob, alice)));
    is("refused", await judged(three, signedBy(alice, bob)), "threshold-not-met");
  });

  it("is undetermined where all parts are met by one person and another may be what was not seen", async () => {
    is("undetermined", await judged(EACH, [bundleOf(alice, digest), tested(alice)], [throttled]), "throttled");
  });

  it("says how many different people there were", async () => {
    const { reasons } = await judged(EACH, [bundleOf(alice, digest), tested(alice)]);
    assert.match(reasons[0]?.found ?? "", /^1 of 2: alice\.pub/);
  });
});

describe("a certificate that several names stand for", () => {
  const sigstore = fakeSigstore();
  const named = `{keyless: {subject: dev@example.com, issuer: "https://issuer.example.com"}}`;
  const people = {
    dana: named,
    alias: named,
    anybody: `{keyless: {subjectPattern: ".*@example\\\\.com", issuer: "https://issuer.example.com"}}`,
  };
  const signed = (email = "dev@example.com", more: SignOptions = {}) =>
    bundleCandidate(signKeyless(sigstore, { certificate: { subject: { email } }, ...more }));
  const judge = async (require: string, candidates: readonly UntrustedCandidate[]) => {
    return await judged(require, candidates, [], people, { roots: { "": [await believing(sigstore)] } });
  };

  it("is one person under all of them", async () => {
    const each = "{threshold: {count: 2, of: [{signature: {by: dana}}, {signature: {by: [alias, anybody]}}]}}";
    is(
      "refused",
      await judge(each, [signed(), signed("dev@example.com"), signed("DEV@example.com")]),
      "threshold-not-met",
    );
    is("accepted", await judge(each, [signed(), signed("eve@example.com")]));
  });

  it("is, by a pattern, whoever it names", async () => {
    const two = "{signature: {by: anybody, threshold: 2}}";
    is("refused", await judge(two, [signed(), signed()]), "threshold-not-met");
    is("accepted", await judge(two, [signed(), signed("eve@example.com")]));
    is("refused", await judge(two, [signed("dev@example.org"), signed("eve@example.org")]), "wrong-identity");
  });

  it("is named in the report as the policy names it", async () => {
    const { signatures } = await judge("{signature: {by: dana}}", [signed()]);
    assert.equal(signatures[0]?.signedBy?.terms?.name, "dana");
  });
});

describe("times", () => {
  const sigstore = fakeSigstore();
  const key = witnessedKey(sigstore, "key.pub");
  const day = (days: number): string => new Date(JUDGED_AT + days * DAY).toISOString().replace(/\.\d+Z/, "Z");
  const judge = async (terms: string, require: string, candidates: readonly UntrustedCandidate[]) => {
    const people = { somebody: `{keys: [{key: key.pub${terms}}], trust: sigstore, proof: {logs: 0}}` };
    const roots = { sigstore: [await believing(sigstore)] };
    return await judged(require, candidates, [], people, { keys: { "key.pub": key.publicKey }, roots });
  };
  const BY = "{signature: {by: somebody}}";
  const signed = (days = 0, more: SignOptions = {}) => key.sign({ at: NOW + days * DAY, ...more });
  const untimed = () => key.sign({ logs: [], timestampAuthorities: [] });

  it("of a key that is distrusted since then: before is good, from then on is not", async () => {
    const since = `, distrustedSince: "${day(-2)}"`;
    is("accepted", await judge(since, BY, [signed(-3)]));
    is("refused", await judge(since, BY, [signed(-1)]), "signer-distrusted");
    is("refused", await judge(since, BY, [signed(-1), signed(0)]), "signer-distrusted");
    is("accepted", await judge(since, BY, [signed(-1), signed(-3)]));
  });

  it("have to be proven where a key is distrusted: a signature without a time may be of any", async () => {
    const judgement = await judge(`, distrustedSince: "${day(-2)}"`, BY, [untimed()]);
    is("refused", judgement, "timestamp-missing");
    assert.match(judgement.reasons[0]?.wanted ?? "", /proven time, before/);
  });

  it("of a key that will be distrusted some day do not matter yet", async () => {
    is("accepted", await judge(`, distrustedSince: "${day(1)}"`, BY, [untimed()]));
  });

  it("of a key that is trusted from then on: before is not good", async () => {
    const from = `, trustedFrom: "${day(-2)}"`;
    is("accepted", await judge(from, BY, [signed(-1)]));
    is("refused", await judge(from, BY, [signed(-3)]), "signer-distrusted");
    is("refused", await judge(from, BY, [untimed()]), "timestamp-missing");
    is("refused", await judge(`, trustedFrom: "${day(1)}"`, BY, [signed(2)]), "signer-distrusted");
  });

  it("are the earliest that is proven: a later timestamp makes no old signature a new one", async () => {
    const again = signed(-10, {
      logs: [sigstore.log],
      timestampAuthorities: [sigstore.timestampAuthority],
      timestamp: { at: NOW },
    });
    is("refused", await judge("", "{signature: {by: somebody, maxAge: 5d}}", [again]), "evidence-old");
  });

  it("have to be recent enough where an age is wanted", async () => {
    const young = "{signature: {by: somebody, maxAge: 5d}}";
    is("accepted", await judge("", young, [signed(-4)]));
    is("refused", await judge("", young, [signed(-6)]), "evidence-old");
    is("refused", await judge("", young, [untimed()]), "timestamp-missing");
    is("accepted", await judge("", young, [signed(-6), untimed(), signed(-1)]));
  });

  it("prove nothing without a trust root", async () => {
    const people = { somebody: `{keys: [{key: key.pub, distrustedSince: "${day(-2)}"}]}` };
    is(
      "refused",
      await judged(BY, [signed(-3)], [], people, { keys: { "key.pub": key.publicKey } }),
      "timestamp-missing",
    );
  });

  it("are those of the name that is asked for, where two names have the same key", async () => {
    const people = {
      former: `{keys: [{key: key.pub, distrustedSince: "${day(-2)}"}], trust: sigstore, proof: {logs: 0}}`,
      current: "{key: key.pub}",
    };
    const world = { keys: { "key.pub": key.publicKey }, roots: { sigstore: [await believing(sigstore)] } };
    is("refused", await judged("{signature: {by: former}}", [signed(0)], [], people, world), "signer-distrusted");
    is("accepted", await judged("{signature: {by: current}}", [signed(0)], [], people, world));
    is("accepted", await judged("{signature: {by: [former, current]}}", [signed(0)], [], people, world));
  });

  it("of a certificate's signature are held against the window of who it names", async () => {
    const people = {
      dana: `{keyless: {subject: dev@example.com, issuer: "https://issuer.example.com"}, distrustedSince: "${day(-2)}"}`,
    };
    const world = { roots: { "": [await believing(sigstore)] } };
    const at = (days: number) => bundleCandidate(signKeyless(sigstore, { at: NOW + days * DAY }));
    const require = "{signature: {by: dana}}";
    is("accepted", await judged(require, [at(-3)], [], people, world));
    is("refused", await judged(require, [at(-1)], [], people, world), "signer-distrusted");
  });
});

describe("name binding", () => {
  const bound = "{signature: {by: alice, nameBinding: true}}";
  const provenance = `{attestation: {type: slsaprovenance1, by: alice}}`;
  const named = (name: string | undefined) =>
    attestedBy(alice, digest, "https://sigstore.dev/cosign/sign/v1", {}, name);

  it("is met by a payload or a statement that names the repository, tag and digest behind it or not", async () => {
    is("accepted", await judged(bound, [legacyOf(alice, digest)]));
    is("accepted", await judged(bound, [named("registry.example.com/team/app")]));
    is("accepted", await judged(bound, [named(`registry.example.com/team/app:1.4.2@${digest}`)]));
  });

  it("is refused where another one is named, or none", async () => {
    is("refused", await judged(bound, [legacyOf(alice, digest, "registry.example.com/team/evil")]), "wrong-repository");
    is("refused", await judged(bound, [named("registry.example.com/team/app2")]), "wrong-repository");
    is("refused", await judged(bound, [named("registry.example.com/team")]), "wrong-repository");
    is("refused", await judged(bound, [bundleOf(alice, digest)]), "wrong-repository");
  });

  it("is not met by the name of another subject of the same statement", async () => {
    const two = JSON.parse(new TextDecoder().decode(statementOf(digest, "https://sigstore.dev/cosign/sign/v1"))) as {
      subject: object[];
    };
    two.subject.push({ name: "registry.example.com/team/app", digest: { sha256: other.slice("sha256:".length) } });
    const statement = new TextEncoder().encode(JSON.stringify(two));
    is("refused", await judged(bound, [bundleOver(alice, statement)]), "wrong-repository");
  });

  it("is not asked of a statement where nobody wants it", async () => {
    is("accepted", await judged(provenance, [attestedBy(alice, digest, SLSA, {}, "somewhere/else")]));
  });

  it("is met by what the image was called before it was mirrored", async () => {
    const yaml = (signedAs: string) => policyText(PEOPLE, bound, `    signedAs: ${signedAs}\n`);
    const candidates = [legacyOf(alice, digest, "docker.io/acme/team/app")];
    const judge = (signedAs: string) => judgedBy(rulebookOf(yaml(signedAs), WORLD), { subject, candidates });
    is("accepted", await judge("docker.io/acme/team/app"));
    is("accepted", await judge("{prefix: registry.example.com/, signedPrefix: docker.io/acme/}"));
    is(
      "refused",
      await judge("{prefix: registry.example.com/other/, signedPrefix: docker.io/acme/}"),
      "wrong-repository",
    );
    is("refused", await judge("docker.io/acme/team/app2"), "wrong-repository");
  });
});

describe("conditions and annotations", () => {
  it("have to hold of the statement that is verified", async () => {
    const slsa = (where: string) => `{attestation: {type: slsaprovenance1, by: alice, where: '${where}'}}`;
    const built = attestedBy(alice, digest, SLSA, { builder: "ours" });
    is("accepted", await judged(slsa(`predicate.builder == "ours"`), [built]));
    is("refused", await judged(slsa(`predicate.builder == "theirs"`), [built]), "condition-not-met");
    is("refused", await judged(slsa(`predicate.other == "ours"`), [built]), "condition-not-met");
    is("accepted", await judged(slsa(`now > timestamp("2026-01-01T00:00:00Z")`), [built]));
    is("refused", await judged(slsa(`now > timestamp("2027-01-01T00:00:00Z")`), [built]), "condition-not-met");
  });

  it("are those of the requirement that they stand in", async () => {
    const require = "{signature: {by: alice, annotations: {env: prod}}}";
    is("accepted", await judged(require, [bundleOf(alice, digest, { env: "prod" })]));
    is("refused", await judged(require, [bundleOf(alice, digest, { env: "dev" })]), "wrong-annotations");
    const both = `{all: [${require}, {signature: {by: bob}}]}`;
    is(
      "refused",
      await judged(both, [bundleOf(alice, digest), bundleOf(bob, digest, { env: "prod" })]),
      "wrong-annotations",
    );
  });
});

describe("a hearing", () => {
  const ruling = rulingFor(requirementOf([alice, bob], { threshold: 2 }));

  it("can be asked at any time, and gives the same answer in whatever parts evidence comes", () => {
    const hearing = new Hearing(ruling, subject, JUDGED_AT);
    is("refused", hearing.judgement(), "unsigned");
    hearing.add({ candidates: signedBy(alice), obstacles: [] });
    is("refused", hearing.judgement(), "threshold-not-met");
    hearing.add({ candidates: [], obstacles: [throttled] });
    is("undetermined", hearing.judgement(), "throttled");
    hearing.add({ candidates: signedBy(bob), obstacles: [] });
    is("accepted", hearing.judgement());
    assert.equal(hearing.judgement().signatures.length, 2);
  });

  it("does not accept what nothing is asked of", () => {
    for (const kind of ["all", "any"] as const) {
      const hearing = new Hearing({ ...ruling, criterion: { kind, of: [] } }, subject, JUDGED_AT);
      is("refused", hearing.judgement(), "forbidden");
    }
    const nobody = { kind: "threshold", count: 0, of: [] } as const;
    is("refused", new Hearing({ ...ruling, criterion: nobody }, subject, JUDGED_AT).judgement());
  });

  it("reports each signature once, as what it counts", async () => {
    const require = `{all: [${A}, ${TEST_BY_BOB}]}`;
    const { signatures } = await judged(require, [
      bundleOf(alice, digest),
      attestedBy(bob, digest, TESTED),
      bundleOf(mallory, digest),
    ]);
    assert.deepEqual(
      signatures.map(({ accepted, signedBy: by }) => [accepted, by?.terms?.name]),
      [
        [true, "alice"],
        [true, "bob"],
        [false, undefined],
      ],
    );
  });

  it("does not give a signature that is good for one requirement as the reason why another is not met", async () => {
    const judgement = await judged(`{all: [${A}, ${TEST_BY_BOB}]}`, signedBy(alice));
    assert.deepEqual(codesOf(judgement), ["unattested"]);
  });

  it("is as undetermined with work without end in a condition", async () => {
    const endless = `{attestation: {type: slsaprovenance1, by: alice, where: 'predicate.l.all(a, predicate.l.all(b, predicate.l.all(c, a + b + c >= 0)))'}}`;
    const l = Array.from({ length: 400 }, (_, n) => n);
    is("undetermined", await judged(endless, [attestedBy(alice, digest, SLSA, { l })]), "limit-reached");
  });

  it("tells what became of each part, in words", async () => {
    const rulebook = rulebookOf(policyText(PEOPLE, `{all: [${A}, ${TEST_BY_BOB}]}`), WORLD);
    const hearing = new Hearing(
      await rulebook.rulingOf({ repository: subject.repository, digest }),
      subject,
      JUDGED_AT,
    );
    hearing.add({ candidates: signedBy(alice), obstacles: [] });
    const { status, of } = hearing.outcome();
    assert.equal(status, "refused");
    assert.deepEqual(
      of.map((each) => [each.kind, each.status, each.metBy.length, each.place?.line]),
      [
        ["evidence", "accepted", 1, 9],
        ["evidence", "refused", 0, 9],
      ],
    );
    assert.match(of[0]?.wanted ?? "", /^signature by alice\.pub/);
    assert.match(of[1]?.wanted ?? "", /^attestation .*test-result.* by bob\.pub/);
  });
});
