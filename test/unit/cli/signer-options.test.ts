import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { applyEnvironment } from "../../../src/cli/environment.ts";
import {
  addSignerOptions,
  readSignerOptions,
  type SignerOptions,
  weakenings,
} from "../../../src/cli/signer-options.ts";
import { CLAIMS } from "../../../src/core/trust/identity.ts";
import { thrownBy } from "../../support/codes.ts";

function parse(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const command = addSignerOptions(new Command("x").exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse([...argv], { from: "user" });
  applyEnvironment(command, env, () => undefined);
  return command;
}

const read = (...argv: readonly string[]): SignerOptions => readSignerOptions(parse(argv).opts());

const WHO = ["--certificate-identity", "dev@example.com"] as const;
const ISSUER = ["--certificate-oidc-issuer", "https://issuer.example.com"] as const;

describe("identity flags", () => {
  it("name a signer and an issuer exactly", () => {
    assert.deepEqual(read(...WHO, ...ISSUER).identity, {
      kind: "named",
      subject: { kind: "exact", text: "dev@example.com" },
      issuer: { kind: "exact", text: "https://issuer.example.com" },
      claims: [],
    });
  });

  it("name either by a pattern", () => {
    const { identity } = read(
      "--certificate-identity-regexp",
      ".*@example\\.com",
      "--certificate-oidc-issuer-regexp",
      ".*",
    );
    assert.ok(identity?.kind === "named");
    assert.deepEqual(identity.subject, { kind: "pattern", text: ".*@example\\.com" });
    assert.deepEqual(identity.issuer, { kind: "pattern", text: ".*" });
  });

  it("take characters that patterns give a meaning as they are", () => {
    assert.deepEqual(read("--certificate-identity", ".*", ...ISSUER).identity?.subject, { kind: "exact", text: ".*" });
  });

  it("ask for nobody where keys are wanted", () => assert.equal(read("--key", "k").identity, undefined));

  it("stand beside keys", () => {
    const options = read("--key", "k", ...WHO, ...ISSUER);
    assert.deepEqual([options.keys, options.identity?.kind], [["k"], "named"]);
  });

  it("have cosign's names for what GitHub says of a workflow", () => {
    const flags = ["trigger", "sha", "name", "repository", "ref"].flatMap((name) => [
      `--certificate-github-workflow-${name}`,
      `the ${name}`,
    ]);
    assert.deepEqual(
      read(...WHO, ...ISSUER, ...flags).identity?.claims.map(({ name, text }) => `${name}=${text}`),
      ["trigger", "sha", "name", "repository", "ref"].map((name) => `github-workflow-${name}=the ${name}`),
    );
  });

  for (const name of Object.keys(CLAIMS)) {
    it(`take the claim ${name}, its value with further equal signs`, () => {
      const { identity } = read(...WHO, ...ISSUER, "--certificate-claim", `${name}=a=b`);
      assert.deepEqual(identity?.claims, [{ name, text: "a=b" }]);
    });
  }

  it("take the same claim twice where both say the same", () => {
    const twice = ["--certificate-github-workflow-ref", "r", "--certificate-claim", "github-workflow-ref=r"];
    assert.equal(read(...WHO, ...ISSUER, ...twice).identity?.claims.length, 1);
  });

  it("are read from the environment", () => {
    const env = {
      COUNTERSIGN_CERTIFICATE_IDENTITY: "dev@example.com",
      COUNTERSIGN_CERTIFICATE_OIDC_ISSUER: "https://issuer.example.com",
    };
    assert.equal(readSignerOptions(parse([], env).opts()).identity?.kind, "named");
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["nobody", [], /neither a key nor an identity/],
    ["a signer without an issuer", WHO, /certificate-oidc-issuer URL/],
    ["a signer's pattern without an issuer", ["--certificate-identity-regexp", ".*"], /certificate-oidc-issuer URL/],
    ["an issuer without a signer", ISSUER, /certificate-identity NAME/],
    ["half an identity beside a key", ["--key", "k", ...WHO], /certificate-oidc-issuer URL/],
    ["an empty signer", ["--certificate-identity", "", ...ISSUER], /certificate-identity is empty/],
    ["an empty pattern", ["--certificate-identity-regexp", "", ...ISSUER], /certificate-identity-regexp is empty/],
    ["an empty issuer", [...WHO, "--certificate-oidc-issuer", ""], /certificate-oidc-issuer is empty/],
    [
      "an empty issuer's pattern",
      [...WHO, "--certificate-oidc-issuer-regexp="],
      /certificate-oidc-issuer-regexp is empty/,
    ],
    ["a signer and a pattern", [...WHO, "--certificate-identity-regexp", "x", ...ISSUER], /one of them/],
    ["an issuer and a pattern", [...WHO, "--certificate-oidc-issuer-regexp", "x", ...ISSUER], /one of them/],
    ["two signers, of which one would win", [...WHO, "--certificate-identity", "x", ...ISSUER], /given twice/],
    ["claims alone", ["--certificate-claim", "build-trigger=push"], /certificate-identity NAME/],
    ["claims with a key alone", ["--key", "k", "--certificate-github-workflow-ref", "r"], /certificate-identity NAME/],
    ["an unknown claim", [...WHO, ...ISSUER, "--certificate-claim", "x=y"], /no such claim.*source-repository-uri/],
    ["a claim called constructor", [...WHO, ...ISSUER, "--certificate-claim", "constructor=y"], /no such claim/],
    ["a claim without a value", [...WHO, ...ISSUER, "--certificate-claim", "build-trigger="], /name=value/],
    ["a claim without a name", [...WHO, ...ISSUER, "--certificate-claim", "=push"], /name=value/],
    ["an empty workflow", [...WHO, ...ISSUER, "--certificate-github-workflow-ref", ""], /workflow-ref is empty/],
    [
      "one claim with two values",
      [...WHO, ...ISSUER, "--certificate-claim", "build-trigger=a", "--certificate-claim", "build-trigger=b"],
      /two values for build-trigger/,
    ],
    ["an owner and a repository", ["--owner", "acme", "--repo", "acme/app"], /one of them/],
    ["a repository and an issuer", ["--repo", "acme/app", ...ISSUER], /name the issuer themselves/],
    ["a repository without its owner", ["--repo", "app"], /owner\/name/],
    ["an empty repository", ["--repo", ""], /--repo is empty/],
    ["an empty owner", ["--owner="], /--owner is empty/],
    ["an owner that is a pattern", ["--owner", ".*"], /owner on GitHub/],
  ];
  for (const [what, argv, message] of wrong) {
    it(`refuse ${what} as wrong usage`, () => {
      const error = thrownBy(() => read(...argv), "usage");
      assert.match(`${error.message} ${error.found} ${error.wanted}`, message);
    });
  }
});

describe("gh's flags", () => {
  it("name a repository or an owner", () => {
    assert.deepEqual(read("--repo", "acme/app").identity, {
      kind: "github",
      source: { owner: "acme", repository: "app" },
      subject: undefined,
      claims: [],
    });
    assert.deepEqual(read("-R", "acme/app").identity, read("--repo", "acme/app").identity);
    assert.deepEqual(read("--owner", "acme").identity, {
      kind: "github",
      source: { owner: "acme" },
      subject: undefined,
      claims: [],
    });
  });

  it("leave it to say which workflow signs", () => {
    assert.deepEqual(read("--repo", "acme/app", ...WHO).identity?.subject, { kind: "exact", text: "dev@example.com" });
  });
});

describe("flags on what proves a signature", () => {
  it("ask for the usual unless told", () => {
    assert.deepEqual(read("--key", "k").proof, {
      ignoreLog: false,
      ignoreCertificateLog: false,
      signedTimestamps: false,
      currentTime: false,
    });
  });

  it("are printed in the verdict where they weaken it, and only then", () => {
    const all = ["--insecure-ignore-tlog", "--insecure-ignore-sct", "--insecure-use-current-time"];
    assert.deepEqual(weakenings(parse(all).opts()), all);
    assert.deepEqual(weakenings(parse(["--use-signed-timestamps"]).opts()), []);
  });

  it("refuse a time that is proven and present", () => {
    thrownBy(() => read(...WHO, ...ISSUER, "--use-signed-timestamps", "--insecure-use-current-time"), "usage");
  });

  it("refuse to ask for timestamps of nobody known", () => {
    thrownBy(() => read("--key", "k", "--use-signed-timestamps"), "usage");
    assert.ok(read("--key", "k", "--use-signed-timestamps", "--trusted-root", "r").proof.signedTimestamps);
  });
});
