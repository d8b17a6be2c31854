import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GITHUB_ISSUER } from "../../../src/core/trust/identity.ts";
import { believing, judgedBy, policyText, rulebookOf } from "../../support/policies.ts";
import { testSubject } from "../../support/signatures.ts";
import type { IssueOptions } from "../../support/sigstore/authority.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";

/** Who may push a branch and no tag, and wants to be taken for the workflow that runs for tags. */

const subject = testSubject();
const sigstore = fakeSigstore();
const believed = await believing(sigstore);
const PATH = "https://github.com/acme/app/.github/workflows";
const ACME = {
  "source-repository-uri": "https://github.com/acme/app",
  "source-repository-owner-uri": "https://github.com/acme",
};

/** `uri` is the workflow that signs, `ref` what it ran for. */
function ran(uri: string, ref: string | undefined): Pick<IssueOptions, "subject" | "issuer" | "claims"> {
  const claims = { ...ACME, ...(ref !== undefined && { "source-repository-ref": ref }) };
  return { subject: { uri }, issuer: GITHUB_ISSUER, claims };
}

async function judge(github: string, uri: string, ref?: string): Promise<string> {
  const yaml = policyText({ release: `{github: {${github}}}` }, "{signature: {by: release}}");
  const candidates = [bundleCandidate(signKeyless(sigstore, { certificate: ran(uri, ref) }))];
  const judgement = await judgedBy(rulebookOf(yaml, { roots: { "": [believed] } }), { subject, candidates });
  return [judgement.status, ...judgement.reasons.map(({ code }) => code)].join(" ");
}

describe("a branch that is called like a tag behind an @", () => {
  const BRANCH = "refs/heads/x@refs/tags/v1";
  for (const github of [
    "repository: acme/app, ref: refs/tags/*",
    "repository: acme/app, ref: refs/tags/v1",
    "owner: acme, ref: refs/tags/*",
    "owner: acme, ref: refs/tags/v1",
    "repository: acme/app, workflow: ci.yml, ref: refs/tags/*",
  ]) {
    it(`is none to {${github}}`, async () => {
      assert.equal(await judge(github, `${PATH}/ci.yml@${BRANCH}`, BRANCH), "refused wrong-identity");
      assert.equal(await judge(github, `${PATH}/ci.yml@refs/tags/v1`, "refs/tags/v1"), "accepted");
    });
  }
});

describe("a workflow that is called at a tag from a branch", () => {
  const AT_TAG = `${PATH}/release.yml@refs/tags/v1`;
  for (const workflow of ["", ", workflow: release.yml"]) {
    for (const ref of ["refs/tags/*", "refs/tags/v1", "refs/tags/**"]) {
      it(`did not run for ${ref} of the repository${workflow}`, async () => {
        const github = `repository: acme/app${workflow}, ref: '${ref}'`;
        assert.equal(await judge(github, AT_TAG, "refs/heads/x"), "refused wrong-identity");
        assert.equal(await judge(github, AT_TAG), "refused wrong-identity", "nobody says what it ran for");
        assert.equal(await judge(github, AT_TAG, "refs/tags/v1"), "accepted");
      });
    }
  }

  it("may run for what the policy says instead, and for whatever where an owner's workflows are shared", async () => {
    const named = "repository: acme/app, ref: refs/tags/v1, claims: {source-repository-ref: refs/heads/main}";
    assert.equal(await judge(named, AT_TAG, "refs/heads/main"), "accepted");
    assert.equal(await judge(named, AT_TAG, "refs/tags/v1"), "refused wrong-identity");
    assert.equal(
      await judge("owner: acme, workflow: release.yml, ref: refs/tags/*", AT_TAG, "refs/heads/x"),
      "accepted",
    );
  });
});
