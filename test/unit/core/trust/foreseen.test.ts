import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "../../../../src/core/json.ts";
import { foreseenIdentities, isOfPrivateRepository } from "../../../../src/core/trust/foreseen.ts";
import { parseIdentityToken } from "../../../../src/core/trust/token.ts";
import { ISSUER } from "../../../support/sigstore/authority.ts";
import { githubClaims, type TokenOptions, token } from "../../../support/sigstore/oidc.ts";

function foreseen(options: TokenOptions): readonly (readonly [string, string])[] {
  return foreseenIdentities(parseIdentityToken(token(options))).map(({ subject, issuer, claims }) => {
    assert.deepEqual([subject.kind, issuer.kind, claims], ["exact", "exact", []]);
    return [subject.text, issuer.text];
  });
}

describe("whom a certificate will name", () => {
  it("is the address that the issuer verified", () => {
    assert.deepEqual(foreseen({ email: "a@b.example" }), [["a@b.example", ISSUER]]);
  });

  it("is that address by whom its user logged in with, where the issuer passes that on", () => {
    const claims = { federated_claims: { connector_id: "https://accounts.example.com", user_id: "1" } };
    assert.deepEqual(foreseen({ email: "a@b.example", claims }), [
      ["a@b.example", "https://accounts.example.com"],
      ["a@b.example", ISSUER],
    ]);
  });

  it("is the workflow that GitHub names, the called one, and GitLab's pipeline", () => {
    const called = "acme/shared/.github/workflows/build.yml@refs/tags/v2";
    const github = { email: null, claims: { ...githubClaims(), job_workflow_ref: called } };
    assert.deepEqual(foreseen(github), [[`https://github.com/${called}`, ISSUER]]);
    const pipeline = "gitlab.example.com/acme/app//.gitlab-ci.yml@refs/heads/main";
    const gitlab = { email: null, claims: { ci_config_ref_uri: pipeline } };
    assert.deepEqual(foreseen(gitlab), [[`https://${pipeline}`, ISSUER]]);
  });

  const unknown: readonly (readonly [string, TokenOptions])[] = [
    ["an address that nobody verified", { emailVerified: false }],
    ["a subject alone", { email: null }],
    ["claims of other types", { email: null, claims: { job_workflow_ref: 7, ci_config_ref_uri: {} } }],
  ];
  for (const [title, options] of unknown) {
    it(`is not known of ${title}`, () => assert.deepEqual(foreseen(options), []));
  }
});

describe("a private repository", () => {
  const isPrivate = (claims: JsonObject) => isOfPrivateRepository(parseIdentityToken(token({ email: null, claims })));

  it("is one that GitHub or GitLab calls so, and one for its organisation alone", () => {
    for (const claims of [
      { repository_visibility: "private" },
      { repository_visibility: "internal" },
      { project_visibility: "private" },
    ]) {
      assert.equal(isPrivate(claims), true);
    }
    for (const claims of [{ repository_visibility: "public" }, {}, { repository_visibility: true }]) {
      assert.equal(isPrivate(claims), false);
    }
  });
});
