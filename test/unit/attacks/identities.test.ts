import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { githubWorkflow } from "../../../src/core/trust/github-identity.ts";
import { exactly, GITHUB_ISSUER, type IdentityCondition, inAnyCase } from "../../../src/core/trust/identity.ts";
import { pattern } from "../../../src/core/trust/pattern.ts";
import { accepted, refused, sigstore } from "../../support/attacks.ts";
import { rejectedBy } from "../../support/codes.ts";
import { ISSUER, type IssueOptions } from "../../support/sigstore/authority.ts";
import { signKeyless } from "../../support/sigstore/sign.ts";

/** Patterns as careless people write them, and names that are made to meet them. */

describe("a pattern that looks as if it meant one name", () => {
  const NOT_MET: readonly (readonly [written: string, value: string])[] = [
    ["acme/app", "evil/acme/app-x"],
    ["^acme/app", "acme/app-x"],
    ["acme/app$", "evil/acme/app"],
    ["^acme/app$", "acme/app\n"],
    ["^acme/app$", "\nacme/app"],
    ["(?m)^acme/app$", "evil\nacme/app"],
    ["(?m)^acme/app$", "acme/app\nevil"],
    ["(?s)acme.app", "acme/app\n"],
    ["acme.app", "acme\napp"],
    ["\\Aacme/app\\z", "acme/app\n"],
    ["acme/app|", "acme/app-x"],
    ["|acme/app", "evil"],
    ["a|acme/app", "acme"],
    ["a||b", "c"],
    ["(a|ab)(c|bcd)", "abcde"],
    ["(?:acme/app)?", "evil"],
    ["acme/app*", "acme/ap-x"],
    ["[^@]+@example[.]com", "eve@evil@example.com"],
    ["[^@]+@example[.]com", "eve@example.com.evil.example"],
    ["[^@]+@example[.]com", "eve@exampleXcom"],
    ["(?i)dev@example[.]com", "dev@ex\u0430mple.com"],
    ["\\Qdev@example.com\\E", "dev@exampleXcom"],
    ["\\Qdev@example.com", "dev@exampleXcom"],
    ["\\w+", "d\u00e9v"],
    ["\\d+", "\u0661"],
    ["[[:alpha:]]+", "\u03b1"],
    ["\\bdev\\b", "dev dev"],
    ["[a-z]+", "dev\0"],
    [".", "\ud83d\ude00x"],
    ["..", "\ud83d\ude00"],
  ];
  for (const [written, value] of NOT_MET) {
    it(`${JSON.stringify(written)} is not met by ${JSON.stringify(value)}`, async () => {
      assert.equal((await pattern(written)).matches(value), false);
    });
  }

  const MET: readonly (readonly [written: string, value: string])[] = [
    ["^acme/app$", "acme/app"],
    ["\\Qdev@example.com\\E", "dev@example.com"],
    ["a|ab", "ab"],
    ["(a|ab)(c|bcd)", "abcd"],
    [".", "\ud83d\ude00"],
    ["(?i)k", "\u212a"],
    ["(?i)s", "\u017f"],
  ];
  for (const [written, value] of MET) {
    it(`${JSON.stringify(written)} is met by ${JSON.stringify(value)}`, async () => {
      assert.equal((await pattern(written)).matches(value), true);
    });
  }

  it("is none where RE2 has none: bytes, looking around, going back", async () => {
    for (const written of [
      "\\C+",
      "(?=a)a",
      "(?<!a)b",
      "(a)\\1",
      "a{1001}",
      "(?x)a b",
      "(?>a)",
      "a++",
      "(*UTF8)a",
      "\\Ka",
    ]) {
      await rejectedBy(() => pattern(written), "usage");
    }
  });
});

describe("a name in any case", () => {
  const FOLDED: readonly (readonly [string, string])[] = [
    ["k", "\u212a"],
    ["s", "\u017f"],
    ["i", "\u0130"],
    ["i", "\u0131"],
    ["I", "\u0131"],
    ["ss", "\u00df"],
    ["a", "\u00e5"],
    ["\u00e5", "\u212b"],
    ["ff", "\ufb00"],
    ["a", "\uff41"],
    ["-", "\u2010"],
  ];
  for (const [wanted, value] of FOLDED) {
    it(`does not take U+${value.codePointAt(0)?.toString(16)} for ${wanted}`, () => {
      assert.equal(inAnyCase(wanted).matches(value), false);
      assert.equal(inAnyCase(value).matches(wanted), false);
    });
  }
});

describe("a workflow of a repository at GitHub", () => {
  const repository = "https://github.com/kisk/app";
  const workflow = `${repository}/.github/workflows/release.yml@refs/tags/v1`;
  const claims = {
    "source-repository-uri": repository,
    "source-repository-owner-uri": "https://github.com/kisk",
  } as const;
  const GOOD: Partial<IssueOptions> = { subject: { uri: workflow }, issuer: GITHUB_ISSUER, claims };
  const sign = (certificate: Partial<IssueOptions>) => signKeyless(sigstore, { certificate });
  const wanted = async (): Promise<IdentityCondition> =>
    await githubWorkflow({ owner: "kisk", repository: "app" }, { claims: [] });

  it("is the wanted one, in whatever case", async () => {
    accepted(sign(GOOD), { condition: await wanted() });
    const capital = {
      ...claims,
      "source-repository-uri": repository.toUpperCase().replace("HTTPS://GITHUB.COM", "https://github.com"),
    };
    accepted(sign({ ...GOOD, claims: capital }), { condition: await wanted() });
  });

  const uri = (text: string): Partial<IssueOptions> => ({ ...GOOD, subject: { uri: text } });
  const OTHERS: Readonly<Record<string, Partial<IssueOptions>>> = {
    "of a repository that begins so": uri(workflow.replace("kisk/app", "kisk/app-x")),
    "of a repository that ends so": uri(workflow.replace("kisk/app", "evil/kisk/app")),
    "of another owner": uri(workflow.replace("kisk", "evil")),
    "of another host": uri(workflow.replace("github.com", "github.com.evil.example")),
    "of another host by a dot": uri(workflow.replace("github.com", "githubXcom")),
    "of a path before it": uri(`https://evil.example/${workflow}`),
    "in another folder": uri(workflow.replace(".github/workflows", "workflows")),
    "in a folder by a dot": uri(workflow.replace(".github", "xgithub")),
    "of no ref": uri(workflow.replace(/@.*/, "")),
    "of an empty ref": uri(workflow.replace(/@.*/, "@")),
    "over http": uri(workflow.replace("https", "http")),
    "with letters that fold elsewhere": {
      ...GOOD,
      subject: { otherName: workflow.replace("kisk", "\u212ai\u017f\u212a") },
      claims: { ...claims, "source-repository-uri": repository.replace("kisk", "\u212ai\u017f\u212a") },
    },
    "with such letters in the claim alone": {
      ...GOOD,
      claims: { ...claims, "source-repository-uri": repository.replace("k", "\u212a") },
    },
    "of another repository by its claim": {
      ...GOOD,
      claims: { ...claims, "source-repository-uri": `${repository}-x` },
    },
    "with a slash behind the claim": { ...GOOD, claims: { ...claims, "source-repository-uri": `${repository}/` } },
    "without the claim": { ...GOOD, claims: {} },
    "with the claim of the owner alone": { ...GOOD, claims: { "source-repository-owner-uri": repository } },
    "with the old claim alone": { ...GOOD, claims: { "github-workflow-repository": "kisk/app" } },
    "of another issuer": { ...GOOD, issuer: ISSUER },
    "of an issuer with a slash": { ...GOOD, issuer: `${GITHUB_ISSUER}/` },
    "of an issuer in capitals": { ...GOOD, issuer: GITHUB_ISSUER.toUpperCase() },
    "of an enterprise's issuer": { ...GOOD, issuer: `${GITHUB_ISSUER}/enterprise` },
  };
  for (const [name, options] of Object.entries(OTHERS)) {
    it(`is not one ${name}`, async () => {
      refused(sign(options), "wrong-identity", { condition: await wanted() });
    });
  }
});

describe("conditions that would be met by anybody", () => {
  it("cannot be written: empty names, empty patterns", async () => {
    for (const make of [exactly, inAnyCase, pattern]) {
      await rejectedBy(async () => await make(""), "usage");
    }
  });

  it("have to be spelled out, and do not reach over a line's end", async () => {
    assert.equal((await pattern(".*")).matches("a\nb"), false);
    assert.equal((await pattern("(?s).*")).matches("a\nb"), true);
  });
});
