import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { addPublishedOptions, readPublishedOptions } from "../../../src/cli/published-options.ts";
import { addSigningOptions } from "../../../src/cli/sign-options.ts";
import type { VerifyOptions } from "../../../src/cli/verify-options.ts";
import { thrownBy } from "../../support/codes.ts";

function read(...argv: readonly string[]): VerifyOptions | undefined {
  const command = addPublishedOptions(addSigningOptions(new Command("push"))).exitOverride();
  return readPublishedOptions(command.parse([...argv], { from: "user" }).opts());
}

const WHO = ["--certificate-identity", "dev@example.com", "--certificate-oidc-issuer", "https://i.example"] as const;

describe("flags of push on signatures that are there already", () => {
  it("are not given where an image is to be signed, whatever is said of the signature", () => {
    for (const argv of [
      [],
      ["--key", "k"],
      ["-a", "x=1", "-r", "-y"],
      ["--identity-token", "t"],
      ["--trusted-root", "r"],
    ]) {
      assert.equal(read(...argv), undefined);
    }
  });

  it("name keys and identities as verify does", () => {
    assert.deepEqual(read("--verify-key", "a.pub", "--verify-key", "b.pub")?.signers.keys, ["a.pub", "b.pub"]);
    assert.equal(read(...WHO)?.signers.identity?.kind, "named");
    assert.equal(read("--repo", "acme/app")?.signers.identity?.kind, "github");
  });

  it("share with signing what a signature carries and where it is", () => {
    const flags = read(...WHO, "-a", "env=prod", "-r", "--sign-container-identity", "acme/app", "--trusted-root", "r");
    assert.deepEqual(flags?.annotations, { env: "prod" });
    assert.deepEqual(
      [flags.recursive, flags.signedAs, flags.signers.trust.trustedRoot],
      [true, ["docker.io/acme/app"], "r"],
    );
  });

  it("have their weakenings named", () => {
    assert.deepEqual(read(...WHO, "--insecure-ignore-sct")?.weakened, ["--insecure-ignore-sct"]);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["a key to sign with", ["--key", "k", ...WHO], /--key and --certificate-identity/],
    ["a token to sign with", ["--identity-token", "t", ...WHO], /--identity-token and/],
    ["services to sign with", ["--signing-config", "c", "--verify-key", "k"], /--signing-config and --verify-key/],
    ["a format to sign in", ["--format", "bundle", "--verify-key", "k"], /--format and/],
    [
      "a weakening of what is not verified",
      ["--key", "k", "--insecure-ignore-tlog"],
      /--key and --insecure-ignore-tlog/,
    ],
    ["half an identity", ["--certificate-identity", "dev@example.com"], /certificate-oidc-issuer/],
    ["a threshold of nobody", ["--threshold", "2"], /--verify-key KEY/],
    ["a weakening of nobody's signature", ["--insecure-ignore-tlog"], /--verify-key KEY/],
  ];
  for (const [what, argv, message] of wrong) {
    it(`refuse ${what} as wrong usage`, () => {
      const { found, wanted } = thrownBy(() => read(...argv), "usage");
      assert.match(`${found} ${wanted}`, message);
    });
  }
});
