import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import {
  addPublishedOptions,
  type PublishedOptions,
  readPublishedOptions,
} from "../../../src/cli/published-options.ts";
import { addSigningOptions } from "../../../src/cli/sign-options.ts";
import type { VerifyOptions } from "../../../src/cli/verify-options.ts";
import { thrownBy } from "../../support/codes.ts";

function publishing(...argv: readonly string[]): PublishedOptions {
  const command = addPublishedOptions(addSigningOptions(new Command("push"))).exitOverride();
  return readPublishedOptions(command.parse([...argv], { from: "user" }).opts());
}

function read(...argv: readonly string[]): VerifyOptions | undefined {
  return publishing(...argv).judged;
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

  it("may be a policy, by which what is signed here is judged, or what was signed before", () => {
    const signed = publishing("--policy", "p.yaml", "--key", "k", "-a", "env=prod", "--trusted-root", "r");
    assert.deepEqual(
      [signed.isSigned, signed.judged?.policy?.file, signed.judged?.signers.trust.trustedRoot],
      [false, "p.yaml", "r"],
    );
    assert.deepEqual([signed.judged?.annotations, signed.judged?.signers.keys], [{}, []]);
    const before = publishing("--policy", "p.yaml", "--already-signed", "-r");
    assert.deepEqual([before.isSigned, before.judged?.policy?.file, before.judged?.recursive], [true, "p.yaml", true]);
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["a key to sign with", ["--key", "k", ...WHO], /--key and --certificate-identity/],
    ["a token to sign with", ["--identity-token", "t", ...WHO], /--identity-token and/],
    ["services to sign with", ["--signing-config", "c", "--verify-key", "k"], /--signing-config and --verify-key/],
    ["a format to sign in", ["--format", "bundle", "--verify-key", "k"], /--format and/],
    ["verifiers to sign for", ["--for", "podman", "--verify-key", "k"], /--for and/],
    [
      "a weakening of what is not verified",
      ["--key", "k", "--insecure-ignore-tlog"],
      /--key and --insecure-ignore-tlog/,
    ],
    ["half an identity", ["--certificate-identity", "dev@example.com"], /certificate-oidc-issuer/],
    ["a threshold of nobody", ["--threshold", "2"], /--verify-key KEY/],
    ["a policy and a key to verify by", ["--policy", "p", "--verify-key", "k"], /--policy and --verify-key/],
    ["a policy and an identity", ["--policy", "p", ...WHO], /--policy and --certificate-identity/],
    ["a policy and a threshold", ["--policy", "p", "--threshold", "2"], /--policy and --threshold/],
    ["a policy and a weakening", ["--policy", "p", "--insecure-ignore-sct"], /--policy and --insecure-ignore-sct/],
    [
      "signing by a policy what is signed already",
      ["--policy", "p", "--already-signed", "--key", "k"],
      /--key and --already/,
    ],
    ["annotations for no signature", ["--policy", "p", "--already-signed", "-a", "a=b"], /--annotations and --already/],
    ["what is signed already, by nobody", ["--already-signed"], /--already-signed alone --policy FILE/],
    ["a weakening of nobody's signature", ["--insecure-ignore-tlog"], /--verify-key KEY/],
  ];
  for (const [what, argv, message] of wrong) {
    it(`refuse ${what} as wrong usage`, () => {
      const { found, wanted } = thrownBy(() => read(...argv), "usage");
      assert.match(`${found} ${wanted}`, message);
    });
  }
});
