import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(new URL("../../conformance/sigstore", import.meta.url));
const VECTORS = fileURLToPath(new URL("../../vectors/sigstore-conformance", import.meta.url));
const ARTIFACT = join(VECTORS, "a.txt");
const BUNDLE = join(VECTORS, "happy-path-v0.3", "bundle.sigstore.json");
const ROOT = join(VECTORS, "trusted_root.json");
const IDENTITY =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

function client(...args: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(CLIENT, args, { encoding: "utf8", timeout: 60_000 });
}

function verify(change: Readonly<Record<string, string>>, artifact = ARTIFACT): ReturnType<typeof client> {
  const flags = {
    bundle: BUNDLE,
    "certificate-identity": IDENTITY,
    "certificate-oidc-issuer": ISSUER,
    "trusted-root": ROOT,
    ...change,
  };
  const spelled = Object.entries(flags).flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value]));
  return client("verify-bundle", ...spelled, artifact);
}

function assertRefused({ status, stderr }: ReturnType<typeof client>): void {
  assert.ok(status === 1 || status === 2, `status ${status}: ${stderr}`);
  assert.doesNotMatch(stderr, /^\s+at /m, "a stack trace");
  assert.match(stderr, /^countersign: /);
}

describe("the client that sigstore-conformance drives (docs/cli_protocol.md)", () => {
  it("verifies a file, and its digest where no file is called so", () => {
    const digest = createHash("sha256").update(readFileSync(ARTIFACT)).digest("hex");
    assert.equal(verify({}).status, 0);
    assert.equal(verify({}, `sha256:${digest}`).status, 0);
  });

  it("takes identities and issuers as they are, never as patterns", () => {
    assertRefused(verify({ "certificate-identity": ".*" }));
    assertRefused(verify({ "certificate-identity": IDENTITY.slice(0, -1) }));
    assertRefused(verify({ "certificate-oidc-issuer": "https://.*" }));
  });

  it("refuses another file, another digest, and what is neither", () => {
    assertRefused(verify({}, BUNDLE));
    assertRefused(verify({}, `sha256:${"ab".repeat(32)}`));
    assert.equal(verify({}, "sha256:ab").status, 3, "no such file: nothing was refused, nothing was verified");
  });

  it("refuses a trust root that lacks what a check needs, or is none", () => {
    assertRefused(verify({ "trusted-root": BUNDLE }));
    assertRefused(verify({ "trusted-root": join(VECTORS, "no-such-file") }));
  });

  it("refuses half of an identity, and a call outside the protocol", () => {
    assertRefused(verify({ "certificate-oidc-issuer": "" }));
    assertRefused(client("verify-bundle"));
    assertRefused(client("sign", ARTIFACT));
    assertRefused(client("verify-bundle", "--staging", "--bundle", BUNDLE, ARTIFACT));
  });
});
