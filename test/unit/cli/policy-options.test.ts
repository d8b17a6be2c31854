import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { applyEnvironment } from "../../../src/cli/environment.ts";
import { refuseRenaming } from "../../../src/cli/policy-options.ts";
import { addVerifyOptions, readVerifyOptions, type VerifyOptions } from "../../../src/cli/verify-options.ts";
import { thrownBy } from "../../support/codes.ts";

function parse(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = addVerifyOptions(new Command("x").exitOverride().configureOutput({ writeErr: () => {} }));
  command.parse([...argv], { from: "user" });
  const warnings: string[] = [];
  applyEnvironment(command, env, (line) => void warnings.push(line));
  return { raw: command.opts(), warnings };
}

const read = (...argv: readonly string[]): VerifyOptions => readVerifyOptions(parse(argv).raw);
const BY_POLICY = ["--policy", "policy.yaml"] as const;

describe("--policy", () => {
  it("says who must have signed what, and leaves whom to believe, and how to look, to other flags", () => {
    const looking = [
      "--trusted-root",
      "r.json",
      "--config",
      "c",
      "--offline",
      "-r",
      "--bundle",
      "b",
      "--exit-codes",
      "cosign",
    ];
    const { policy, signers, recursive, bundles, exitCodes } = read(...BY_POLICY, ...looking);
    assert.deepEqual([policy?.file, policy?.as], ["policy.yaml", undefined]);
    assert.deepEqual(signers.trust, { trustedRoot: "r.json", instance: undefined, offline: true, config: "c" });
    assert.deepEqual([signers.keys, signers.identity], [[], undefined]);
    assert.deepEqual([recursive, bundles, exitCodes], [true, ["b"], "cosign"]);
  });

  it("says whose attestations are asked for at GitHub's API, and of which type", () => {
    assert.deepEqual(read(...BY_POLICY, "--github-api", "https://api.github.com").github, {
      api: new URL("https://api.github.com"),
    });
  });

  const replaced: readonly (readonly string[])[] = [
    ["--key", "k"],
    ["--certificate-identity", "a@example.com"],
    ["--certificate-identity-regexp", ".*"],
    ["--certificate-oidc-issuer", "https://i.example"],
    ["--certificate-oidc-issuer-regexp", ".*"],
    ["--certificate-github-workflow-ref", "refs/heads/main"],
    ["--certificate-claim", "build-trigger=push"],
    ["--owner", "acme"],
    ["--repo", "acme/app"],
    ["--threshold", "2"],
    ["--annotations", "env=prod"],
    ["--type", "vuln"],
    ["--where", "true"],
    ["--signed-as", "registry.example/app"],
    ["--use-signed-timestamps"],
    ["--insecure-ignore-tlog"],
    ["--insecure-ignore-sct"],
    ["--insecure-use-current-time"],
  ];
  for (const flags of replaced) {
    it(`is not given beside ${flags[0]}`, () => {
      const { found } = thrownBy(() => read(...BY_POLICY, ...flags), "usage");
      assert.equal(found, `--policy and ${flags[0]}`);
    });
  }

  it("is one, and is not given twice", () => {
    thrownBy(() => read(...BY_POLICY, "--policy", "other.yaml"), "usage");
  });

  it("is the first thing that is asked for where nothing says what is wanted", () => {
    const { wanted } = thrownBy(() => read(), "usage");
    assert.match(wanted ?? "", /^--policy FILE, --key KEY/);
  });

  it("on the command line goes before a key of the environment, and the other way round", () => {
    const policy = parse(BY_POLICY, { COUNTERSIGN_KEY: "k", COUNTERSIGN_THRESHOLD: "2" });
    assert.equal(readVerifyOptions(policy.raw).policy?.file, "policy.yaml");
    assert.equal(policy.warnings.length, 2);
    const key = parse(["--key", "k"], { COUNTERSIGN_POLICY: "policy.yaml", COUNTERSIGN_AS: "registry.example/app" });
    assert.equal(readVerifyOptions(key.raw).policy, undefined);
    assert.equal(key.warnings.length, 2);
  });

  it("of the environment does not give way to what says nothing of who must have signed", () => {
    for (const flag of [["--threshold", "2"], ["--insecure-ignore-tlog"], ["-a", "env=prod"]]) {
      const { raw } = parse(flag, { COUNTERSIGN_POLICY: "policy.yaml" });
      thrownBy(() => readVerifyOptions(raw), "usage");
    }
    const { raw } = parse([], { COUNTERSIGN_POLICY: "policy.yaml", COUNTERSIGN_KEY: "k" });
    thrownBy(() => readVerifyOptions(raw), "usage");
  });
});

describe("--as", () => {
  it("names an image that has no name of its own", () => {
    assert.deepEqual(read(...BY_POLICY, "--as", "acme/app:1").policy?.as, {
      repository: "docker.io/acme/app",
      tag: "1",
    });
    assert.deepEqual(read(...BY_POLICY, "--as", "registry.example:5000/app").policy?.as, {
      repository: "registry.example:5000/app",
      tag: undefined,
    });
  });

  const wrong: readonly (readonly string[])[] = [
    ["--as", "registry.example/app", "--key", "k"],
    [...BY_POLICY, "--as", "oci:folder"],
    [...BY_POLICY, "--as", `registry.example/app@sha256:${"0".repeat(64)}`],
    [...BY_POLICY, "--as", "registry.example/a", "--as", "registry.example/b"],
  ];
  for (const argv of wrong) {
    it(`is refused: ${argv.join(" ").slice(0, 60)}`, () => void thrownBy(() => read(...argv), "usage"));
  }

  it("is refused where no image could have use of it", () => {
    const as = { repository: "registry.example/app" };
    thrownBy(() => refuseRenaming({ as }, ["registry.example/other:1"]), "usage");
    refuseRenaming({ as }, ["registry.example/other:1", "oci:folder"]);
    refuseRenaming({ as: undefined }, ["registry.example/other:1"]);
  });
});
