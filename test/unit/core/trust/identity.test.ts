import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { githubWorkflow, parseGithubOwner, parseGithubRepository } from "../../../../src/core/trust/github-identity.ts";
import {
  type CertificateIdentity,
  exactly,
  GITHUB_ISSUER,
  type IdentityCondition,
  inAnyCase,
} from "../../../../src/core/trust/identity.ts";
import { describeCondition, describeIdentity, identityMismatch } from "../../../../src/core/trust/identity-mismatch.ts";
import { pattern } from "../../../../src/core/trust/pattern.ts";
import { thrownBy } from "../../../support/codes.ts";

const RELEASE = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

const release: CertificateIdentity = {
  subject: RELEASE,
  subjectKind: "uri",
  issuer: GITHUB_ISSUER,
  claims: {
    "source-repository-uri": "https://github.com/acme/app",
    "source-repository-owner-uri": "https://github.com/acme",
    "build-trigger": "push",
  },
};

const wanted: IdentityCondition = { subject: exactly(RELEASE), issuer: exactly(GITHUB_ISSUER), claims: [] };
const person: IdentityCondition = {
  subject: exactly("dev@example.com"),
  issuer: exactly("https://issuer.example.com"),
  claims: [],
};
const dev: CertificateIdentity = {
  subject: "dev@example.com",
  subjectKind: "email",
  issuer: "https://issuer.example.com",
  claims: {},
};

function mismatch(identity: CertificateIdentity, condition: IdentityCondition): string {
  const found = identityMismatch(identity, condition);
  assert.ok(found !== undefined, "the identity was taken for the wanted one");
  return `${found.message} | ${found.found} | ${found.wanted}`;
}

describe("an identity", () => {
  it("is the wanted one where subject and issuer are", () => {
    assert.equal(identityMismatch(release, wanted), undefined);
    assert.equal(identityMismatch(dev, person), undefined);
  });

  it("is the wanted one where the claims are, whatever others it has", () => {
    const claims = [{ name: "build-trigger", condition: exactly("push") }] as const;
    assert.equal(identityMismatch(release, { ...wanted, claims }), undefined);
  });

  const others: readonly (readonly [string, Partial<CertificateIdentity>])[] = [
    ["another subject", { subject: "mallory@example.com" }],
    ["a subject that contains the wanted one", { subject: "not-dev@example.com.evil.example" }],
    ["a subject that begins like it", { subject: "dev@example.community" }],
    ["a subject that ends like it", { subject: "x-dev@example.com" }],
    ["a part of the wanted subject", { subject: "dev@example.co" }],
    ["another case", { subject: "Dev@example.com" }],
    ["letters that look alike", { subject: "dеv@example.com" }],
    ["white space around it", { subject: "dev@example.com " }],
    ["no subject", { subject: "" }],
    ["another issuer", { issuer: "https://evil.example.com" }],
    ["an issuer that begins like it", { issuer: "https://issuer.example.com.evil.example" }],
    ["an issuer with a slash more", { issuer: "https://issuer.example.com/" }],
    ["a part of the issuer", { issuer: "https://issuer.example" }],
    ["no issuer", { issuer: "" }],
  ];
  for (const [what, change] of others) it(`is not: ${what}`, () => void mismatch({ ...dev, ...change }, person));

  it("is not where a claim is absent", () => {
    const claims = [{ name: "deployment-environment", condition: exactly("production") }] as const;
    assert.match(mismatch(release, { ...wanted, claims }), /differs in deployment-environment .*absent .*production/);
  });

  it("is not where a claim is absent, even if anything would do", async () => {
    const claims = [{ name: "deployment-environment", condition: await pattern(".*") }] as const;
    mismatch(release, { ...wanted, claims });
  });

  it("is not where a claim differs, though others do not", () => {
    const claims = [
      { name: "source-repository-uri", condition: exactly("https://github.com/acme/app") },
      { name: "build-trigger", condition: exactly("workflow_dispatch") },
    ] as const;
    assert.match(mismatch(release, { ...wanted, claims }), /build-trigger push \| .*build-trigger workflow_dispatch/);
  });

  it("has no claim that is only a word of objects", () => {
    const claims = [{ name: "constructor", condition: { ...exactly("x"), matches: () => true } }];
    mismatch(release, { ...wanted, claims: claims as unknown as IdentityCondition["claims"] });
  });
});

describe("nobody in particular", () => {
  it("cannot be asked for: an empty text would mean anybody elsewhere (CVE-2026-48815's family)", () => {
    thrownBy(() => exactly(""), "usage");
    thrownBy(() => inAnyCase(""), "usage");
  });
});

describe("a text in any case", () => {
  const text = inAnyCase("https://github.com/acme/app");

  it("is the same in capitals", () => assert.ok(text.matches("https://GitHub.com/Acme/App")));

  for (const value of ["https://github.com/acme/app2", "https://github.com/acme", "https://github.com/aсme/app"]) {
    it(`is not ${value}`, () => assert.ok(!text.matches(value)));
  }

  it("does not fold what is not ASCII: the Kelvin sign is no k, the long s no s", () => {
    assert.ok(!inAnyCase("k").matches("\u212a"));
    assert.ok(!inAnyCase("s").matches("\u017f"));
  });
});

describe("what a mismatch says", () => {
  it("is found and wanted in the same words", () => {
    const build = { ...release, subject: RELEASE.replace("release.yml@refs/tags/v1", "build.yml@refs/heads/main") };
    assert.equal(
      mismatch(build, wanted),
      "the signature is by another identity" +
        " | build.yml of acme/app at refs/heads/main (GitHub Actions) | release.yml of acme/app at refs/tags/v1 (GitHub Actions)",
    );
  });

  it("is both spelled out where a pattern is wanted, to be held against it", async () => {
    const subject = await pattern("^https://github\\.com/acme/app/");
    assert.equal(
      mismatch(release, { ...wanted, subject }),
      "the signature is by another identity: the pattern matches a part of it, and has to match the whole" +
        ` | ${RELEASE}, issuer ${GITHUB_ISSUER} | pattern ^https://github\\.com/acme/app/, issuer ${GITHUB_ISSUER}`,
    );
  });

  it("is that only the case differs", () => {
    assert.match(mismatch({ ...dev, subject: "Dev@example.com" }, person), /only upper and lower case differ/);
  });

  it("is that a letter only looks alike", () => {
    assert.match(mismatch({ ...dev, subject: "dеv@example.com" }, person), /not plain ASCII \(U\+0435\)/);
  });

  it("is that there is no issuer", () => {
    assert.match(mismatch({ ...dev, issuer: "" }, person), /another issuer \| dev@example\.com, no issuer/);
  });
});

describe("an identity in words", () => {
  it("is the workflow, its repository and ref", () => {
    assert.equal(describeIdentity(release), "release.yml of acme/app at refs/tags/v1 (GitHub Actions)");
  });

  it("is the workflow and who vouched for it, where that is not GitHub", () => {
    assert.equal(
      describeIdentity({ ...release, issuer: "https://evil.example.com" }),
      "release.yml of acme/app at refs/tags/v1 (https://evil.example.com)",
    );
  });

  const asTheyAre = [
    "dev@example.com",
    "https://github.com.evil.example/acme/app/.github/workflows/release.yml@refs/tags/v1",
    "http://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1",
    "https://github.com/acme/app/x/.github/workflows/release.yml@refs/tags/v1",
    "https://github.com/acme/app@x/.github/workflows/release.yml@refs/tags/v1",
    "https://github.com/acme/app/.github/workflows/release.yml",
  ];
  for (const subject of asTheyAre) {
    it(`is ${subject} as it is: nothing that looks like a workflow is called one`, () => {
      assert.equal(describeIdentity({ ...release, subject }), `${subject} (GitHub Actions)`);
    });
  }
});

describe("gh's --owner and --repo", () => {
  const claims: IdentityCondition["claims"] = [];
  const byRepository = async (name: string) => githubWorkflow(parseGithubRepository(name), { claims });

  it("accept the workflows of a repository, and of all of an owner's", async () => {
    assert.equal(identityMismatch(release, await byRepository("acme/app")), undefined);
    assert.equal(identityMismatch(release, await githubWorkflow(parseGithubOwner("acme"), { claims })), undefined);
  });

  it("ignore case, as GitHub does", async () => {
    assert.equal(identityMismatch(release, await byRepository("Acme/APP")), undefined);
  });

  it("are printed as what they mean", async () => {
    assert.equal(describeCondition(await byRepository("acme/app")), "a workflow of acme/app (GitHub Actions)");
    const condition = await githubWorkflow(parseGithubOwner("acme"), {
      claims: [{ name: "build-trigger", condition: exactly("push") }],
    });
    assert.equal(describeCondition(condition), "a workflow of acme (GitHub Actions), build-trigger push");
  });

  const others: readonly (readonly [string, Partial<CertificateIdentity>])[] = [
    ["another issuer", { issuer: "https://issuer.example.com" }],
    ["no claim of the repository", { claims: {} }],
    ["the claim of another repository", claimed("https://github.com/evil/app")],
    ["the claim of a repository that begins like it", claimed("https://github.com/acme/app-x")],
    ["a workflow of another repository", { subject: RELEASE.replace("acme/app", "evil/app") }],
    ["a workflow of a repository that begins like it", { subject: RELEASE.replace("acme/app", "acme/app-x") }],
    ["a workflow of another host", { subject: RELEASE.replace("github.com", "github.com.evil.example") }],
    ["a workflow of a host that looks alike", { subject: RELEASE.replace("github.com", "githubxcom") }],
    ["something that is not a workflow", { subject: "https://github.com/acme/app" }],
    ["a path above the repository", { subject: "https://github.com/acme/app/../../evil/x/.github/workflows/a@b" }],
  ];
  for (const [what, change] of others) {
    it(`refuse ${what}`, async () => void mismatch({ ...release, ...change }, await byRepository("acme/app")));
  }

  it("take a dot in a name as a dot", async () => {
    const condition = await byRepository("acme/a.p");
    mismatch({ ...release, ...claimed("https://github.com/acme/a.p") }, condition);
  });

  it("leave the workflow to a condition of its own, and still ask for the repository", async () => {
    const subject = exactly("https://github.com/shared/flows/.github/workflows/release.yml@refs/heads/main");
    const condition = await githubWorkflow(parseGithubRepository("acme/app"), { subject, claims });
    assert.equal(identityMismatch({ ...release, subject: subject.text }, condition), undefined);
    mismatch(release, condition);
    mismatch({ ...release, subject: subject.text, ...claimed("https://github.com/evil/app") }, condition);
  });

  for (const name of [
    "acme",
    "acme/app/x",
    "/app",
    "acme/",
    "a b/c",
    "acme/..",
    "acme/app@v1",
    "аcme/app",
    "https://x",
  ]) {
    it(`are no names: ${name}`, () => void thrownBy(() => parseGithubRepository(name), "usage"));
  }
  for (const name of ["", "acme/app", ".*", "..", "a|b"]) {
    it(`are no owners: ${JSON.stringify(name)}`, () => void thrownBy(() => parseGithubOwner(name), "usage"));
  }

  function claimed(uri: string): Pick<CertificateIdentity, "claims"> {
    return { claims: { ...release.claims, "source-repository-uri": uri } };
  }
});
