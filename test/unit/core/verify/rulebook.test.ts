import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import { parsePolicy } from "../../../../src/core/policy/parse.ts";
import type { Rulebook } from "../../../../src/core/verify/criterion.ts";
import { openRulebook, type PolicyMaterial } from "../../../../src/core/verify/rulebook.ts";
import type { Judgement } from "../../../../src/core/verify/verify.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  believing,
  JUDGED_AT,
  judgedBy,
  materialOf,
  policyText,
  rulebookOf,
  type World,
} from "../../../support/policies.ts";
import { bundleOf, testSigner, testSubject } from "../../../support/signatures.ts";
import type { IssueOptions } from "../../../support/sigstore/authority.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../../../support/sigstore/sign.ts";

const alice = testSigner("alice.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const KEYS = { "alice.pub": alice.publicKey };
const ALICE = { alice: "{key: alice.pub}" };
const REQUIRE = "{signature: {by: alice}}";

async function refusedWith(code: string, judging: Promise<Judgement>): Promise<void> {
  const { status, reasons } = await judging;
  assert.deepEqual([status, reasons[0]?.code], ["refused", code], JSON.stringify(reasons));
}

/** Counts what is asked for. */
function watched(world: World): { readonly material: PolicyMaterial; readonly asked: readonly string[] } {
  const asked: string[] = [];
  const inner = materialOf(world);
  const material: PolicyMaterial = {
    keysOf: (identity) => {
      asked.push(`keys ${identity.name}`);
      return inner.keysOf(identity);
    },
    trustFor: (reference, isGithub) => {
      const name = typeof reference === "object" ? `named ${reference.name}` : (reference ?? "usual");
      asked.push(`trust ${name}${isGithub === true ? " for GitHub" : ""}`);
      return inner.trustFor(reference, isGithub);
    },
    withdrawnBy: (list, signers) => {
      asked.push(`list ${list.source.kind} ${signers.keys.length} ${signers.identities.length}`);
      return inner.withdrawnBy(list, signers);
    },
  };
  return { material, asked };
}

function opened(yaml: string, material: PolicyMaterial): Rulebook {
  return openRulebook(parsePolicy(new TextEncoder().encode(yaml), "policy.yaml"), material, JUDGED_AT);
}

describe("an image that no rule matches", () => {
  it("is refused, also with the best of signatures", async () => {
    const elsewhere = { ...subject, repository: "elsewhere.example.com/team/app" };
    const rulebook = rulebookOf(policyText(ALICE, REQUIRE), { keys: KEYS });
    await refusedWith("no-policy", judgedBy(rulebook, { subject: elsewhere, candidates: [bundleOf(alice, digest)] }));
  });

  it("is refused where it has no name, with how to give it one", async () => {
    const rulebook = rulebookOf(policyText(ALICE, REQUIRE), { keys: KEYS });
    const judgement = await judgedBy(rulebook, { subject: { ...subject, repository: undefined }, candidates: [] });
    assert.equal(judgement.reasons[0]?.code, "no-policy");
    assert.match(judgement.reasons[0]?.next ?? "", /--as/);
    assert.equal(judgement.policy?.rule, undefined);
  });

  it("is every one by a policy without rules", async () => {
    const rulebook = rulebookOf("apiVersion: countersign/v1\nrules: []\n", {});
    await refusedWith("no-policy", judgedBy(rulebook, { subject, candidates: [bundleOf(alice, digest)] }));
  });
});

describe("what a policy names", () => {
  const RULES =
    "rules:\n  - images: registry.example.com/team/\n    require: {signature: {by: alice}}\n" +
    "  - images: registry.example.com/other/\n    require: {signature: {by: [broken, dana]}}\n";
  const yaml = (more = "") =>
    `apiVersion: countersign/v1\nidentities:\n  alice: {key: alice.pub}\n  broken: {key: none.pub}\n` +
    `  dana: {keyless: {subject: a@example.com, issuer: "https://issuer.example.com"}}\n${more}${RULES}`;

  it("is read for the rule that matches alone, and once however many images fall under it", async () => {
    const { material, asked } = watched({ keys: KEYS });
    const rulebook = opened(yaml(), material);
    assert.deepEqual(asked, []);
    for (let n = 0; n < 3; n += 1) await rulebook.rulingOf({ repository: "registry.example.com/team/app", digest });
    assert.deepEqual(asked, ["keys alice"]);
  });

  it("is not to be had: the rule that needs it cannot be used, each time anew, and the others can", async () => {
    const { material, asked } = watched({ keys: KEYS });
    const rulebook = opened(yaml(), material);
    const image = { repository: "registry.example.com/other/app", digest };
    await rejectedBy(() => rulebook.rulingOf(image), "policy-invalid");
    await rejectedBy(() => rulebook.rulingOf(image), "policy-invalid");
    assert.equal(asked.filter((each) => each === "keys broken").length, 2);
    await rulebook.rulingOf({ repository: "registry.example.com/team/app" });
  });

  it("includes lists of what was taken back: one that cannot be had lets no image through", async () => {
    const list = "withdrawn: [{file: withdrawn.json, by: [alice]}]\n";
    const { material, asked } = watched({ keys: KEYS });
    const ruling = await opened(yaml(list), material).rulingOf({ repository: "registry.example.com/team/app" });
    assert.equal(ruling.withdrawn.size, 0);
    assert.deepEqual(
      asked.filter((each) => each.startsWith("list")),
      ["list file 1 0"],
    );
    const failing = {
      ...material,
      withdrawnBy: async () => {
        throw new Error("no such file");
      },
    };
    await assert.rejects(opened(yaml(list), failing).rulingOf({ repository: "registry.example.com/team/app" }));
  });
});

describe("the rule for an image", () => {
  it("is that of the most specific pattern, and the stamp says which", async () => {
    const yaml =
      "apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\nrules:\n" +
      "  - images: registry.example.com/\n    require: {signature: {by: alice}}\n" +
      "  - images: [registry.example.com/team/app, 'registry.example.com/*/db']\n    require: {never: closed}\n";
    const rulebook = rulebookOf(yaml, { keys: KEYS });
    const patternOf = async (repository: string) => (await rulebook.rulingOf({ repository })).policy?.rule?.pattern;
    assert.equal(await patternOf("registry.example.com/team/app"), "registry.example.com/team/app");
    assert.equal(await patternOf("registry.example.com/team/db"), "registry.example.com/*/db");
    assert.equal(await patternOf("registry.example.com/team/app2"), "registry.example.com/");
    await refusedWith("forbidden", judgedBy(rulebook, { subject, candidates: [bundleOf(alice, digest)] }));
  });

  it("says why nothing is accepted where it accepts nothing", async () => {
    const rulebook = rulebookOf(policyText({}, '{never: "this registry was closed"}'), {});
    const { reasons } = await judgedBy(rulebook, { subject, candidates: [] });
    assert.deepEqual([reasons[0]?.message, reasons[0]?.place], ["this registry was closed", "policy.yaml:5"]);
  });
});

describe("what is wrong with a policy only once it is used", () => {
  const identity = `{keyless: {subjectPattern: "(", issuer: "https://issuer.example.com"}}`;
  const usual = async (): Promise<World> => ({ keys: KEYS, roots: { "": [await believing(fakeSigstore())] } });

  it("is a pattern that is none, or a condition that is none, at its place", async () => {
    const where = `{attestation: {type: slsaprovenance1, by: alice, where: "predicate.(" }}`;
    for (const yaml of [() => policyText({ alice: identity }, REQUIRE), () => policyText(ALICE, where)]) {
      const use = async () => {
        const rulebook = rulebookOf(yaml(), await usual());
        await rulebook.rulingOf({ repository: subject.repository });
      };
      await rejectedBy(use, "policy-invalid");
    }
  });
});

describe("a workflow of GitHub that a policy names", () => {
  const sigstore = fakeSigstore();
  const own = fakeSigstore();
  const roots = async () => ({ "": [await believing(sigstore), await believing(own, "own root")] });
  const SOURCE = "https://github.com/acme/app";
  const signed = (subjectUri: string, more: Partial<IssueOptions> = {}, by = sigstore): UntrustedCandidate =>
    bundleCandidate(
      signKeyless(by, {
        certificate: {
          subject: { uri: subjectUri },
          issuer: "https://token.actions.githubusercontent.com",
          claims: {
            "source-repository-uri": SOURCE,
            "source-repository-owner-uri": "https://github.com/acme",
            "source-repository-ref": subjectUri.replace(/^[^@]*@/, ""),
          },
          ...more,
        },
      }),
    );
  const workflow = (file: string, ref: string, repository = "acme/app") =>
    `https://github.com/${repository}/.github/workflows/${file}@${ref}`;
  const judge = async (github: string, ...candidates: readonly UntrustedCandidate[]) => {
    const yaml = policyText({ release: `{github: {${github}}}` }, "{signature: {by: release}}");
    return await judgedBy(rulebookOf(yaml, { roots: await roots() }), { subject, candidates });
  };
  const EXACT = "repository: acme/app, workflow: release.yml, ref: refs/heads/main";
  const TAGS = "repository: acme/app, workflow: release.yml, ref: refs/tags/*";

  it("is that one at that ref, whichever of GitHub's instances vouches for it", async () => {
    for (const by of [sigstore, own]) {
      const judgement = await judge(EXACT, signed(workflow("release.yml", "refs/heads/main"), {}, by));
      assert.equal(judgement.status, "accepted", JSON.stringify(judgement.reasons));
      assert.equal(judgement.trust?.[0], by === own ? "own root" : "root");
    }
  });

  const REFUSED: readonly (readonly [string, string, string])[] = [
    ["another branch", EXACT, workflow("release.yml", "refs/heads/dev")],
    ["a branch that begins like it", EXACT, workflow("release.yml", "refs/heads/main2")],
    ["another workflow", EXACT, workflow("build.yml", "refs/heads/main")],
    ["another repository", EXACT, workflow("release.yml", "refs/heads/main", "acme/app2")],
    ["a branch instead of a tag", TAGS, workflow("release.yml", "refs/heads/main")],
    ["a tag with a slash, where one part is wanted", TAGS, workflow("release.yml", "refs/tags/a/b")],
    ["no tag", TAGS, workflow("release.yml", "refs/tags/")],
    ["a name for which a dot stands", TAGS, workflow("releasexyml", "refs/tags/v1")],
    ["a workflow in a folder that is called like it", TAGS, workflow("x/release.yml", "refs/tags/v1")],
    ["another owner's", "owner: acme, workflow: release.yml", workflow("release.yml", "refs/tags/v1", "acme2/app")],
  ];
  for (const [what, github, uri] of REFUSED) {
    it(`is not met by ${what}`, async () => await refusedWith("wrong-identity", judge(github, signed(uri))));
  }

  it("is met by any ref and workflow where none is named", async () => {
    const any = await judge("repository: acme/app", signed(workflow("x.yml", "refs/heads/dev")));
    assert.equal(any.status, "accepted");
    const deep = await judge(
      "repository: acme/app, workflow: x.yml, ref: refs/**",
      signed(workflow("x.yml", "refs/heads/a/b")),
    );
    assert.equal(deep.status, "accepted");
    assert.equal(
      (await judge("owner: acme, workflow: x.yml", signed(workflow("x.yml", "refs/tags/v1")))).status,
      "accepted",
    );
  });

  it("has to have run for that repository: a workflow that others may call signs for them too", async () => {
    const called = signed(workflow("release.yml", "refs/heads/main"), {
      claims: {
        "source-repository-uri": "https://github.com/evil/app",
        "source-repository-owner-uri": "https://github.com/evil",
        "source-repository-ref": "refs/heads/main",
      },
    });
    await refusedWith("wrong-identity", judge(EXACT, called));
    await refusedWith("wrong-identity", judge("owner: acme", called));
  });

  it("has to be GitHub's word", async () => {
    const uri = workflow("release.yml", "refs/heads/main");
    await refusedWith("wrong-identity", judge(EXACT, signed(uri, { issuer: "https://issuer.example.com" })));
  });

  it("is one signer, for however many tags it ran", async () => {
    const yaml = policyText({ release: `{github: {${TAGS}}}` }, "{signature: {by: release, threshold: 2}}");
    const candidates = ["v1", "v2"].map((tag) => signed(workflow("release.yml", `refs/tags/${tag}`)));
    const rulebook = rulebookOf(yaml, { roots: await roots() });
    await refusedWith("threshold-not-met", judgedBy(rulebook, { subject, candidates }));
  });

  it("is asked of both of GitHub's instances unless a trust root is named", async () => {
    const askedFor = async (identity: string, more = ""): Promise<readonly string[]> => {
      const { material, asked } = watched({ roots: { ...(await roots()), acme: [await believing(sigstore)] } });
      const yaml = policyText({ release: identity }, "{signature: {by: release}}", "", more);
      await opened(yaml, material).rulingOf({ repository: subject.repository });
      return asked;
    };
    assert.deepEqual(await askedFor(`{github: {${EXACT}}}`), ["trust usual for GitHub"]);
    const trust = "trust: {acme: {trustedRoot: acme.json}}\n";
    assert.deepEqual(await askedFor(`{github: {${EXACT}}, trust: acme}`, trust), ["trust named acme for GitHub"]);
  });
});

describe("what has to lie beside a signature", () => {
  const sigstore = fakeSigstore();
  const NAMED = 'subject: dev@example.com, issuer: "https://issuer.example.com"';
  const judge = async (identity: string, candidate: UntrustedCandidate) => {
    const world = { roots: { "": [await believing(sigstore)], sigstore: [await believing(sigstore)] } };
    return await judgedBy(rulebookOf(policyText({ dana: identity }, "{signature: {by: dana}}"), world), {
      subject,
      candidates: [candidate],
    });
  };
  const unlogged = bundleCandidate(signKeyless(sigstore, { logs: [] }));

  it("is what the trust root's signatures usually bring, where the policy says nothing", async () => {
    await refusedWith("log-entry-missing", judge(`{keyless: {${NAMED}}}`, unlogged));
  });

  it("is what the identity says", async () => {
    assert.equal((await judge(`{keyless: {${NAMED}}, proof: {logs: 0}}`, unlogged)).status, "accepted");
    const demanding = judge(`{keyless: {${NAMED}}, proof: {timestamps: 1}}`, bundleCandidate(signKeyless(sigstore)));
    await refusedWith("timestamp-missing", demanding);
  });
});
