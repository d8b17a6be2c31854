import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReference, repositoryName } from "../../../src/core/oci/reference.ts";
import { matchRule } from "../../../src/core/policy/images.ts";
import { parsePolicy } from "../../../src/core/policy/parse.ts";
import { rejectedBy } from "../../support/codes.ts";

/** Names that are written otherwise to fall under another rule, and patterns that look as if they meant them. */

function policyFor(...patterns: readonly string[]) {
  const rules = patterns.map((pattern) => `  - {images: ${JSON.stringify(pattern)}, require: {never: closed}}\n`);
  return parsePolicy(new TextEncoder().encode(`apiVersion: countersign/v1\nrules:\n${rules.join("")}`), "policy.yaml");
}

/** The pattern that decides for an image as it is written on a command line. */
function ruleFor(image: string, ...patterns: readonly string[]): string | undefined {
  const reference = parseReference(image);
  const named = { repository: repositoryName(reference), tag: reference.tag, digest: reference.digest };
  return matchRule(policyFor(...patterns), named)?.pattern.text;
}

describe("an image's name that is written otherwise", () => {
  const SAME: readonly (readonly [written: string, pattern: string])[] = [
    ["nginx", "docker.io/library/nginx"],
    ["nginx", "index.docker.io/nginx"],
    ["INDEX.docker.io/nginx", "docker.io/"],
    ["registry-1.docker.io/library/nginx", "docker.io/library/"],
    ["Registry.Example/acme/app", "registry.example/acme/app"],
    ["registry.example/acme/app:latest", "registry.example/acme/app:latest"],
    ["registry.example/acme/app", "registry.example/acme/app:latest"],
    ["[FE80::1]:5000/acme/app", "[fe80::1]:5000/acme/"],
  ];
  for (const [written, pattern] of SAME) {
    it(`${written} falls under ${pattern} and not under what is for everything`, () => {
      assert.equal(ruleFor(written, pattern, "**/"), pattern);
    });
  }

  const OTHERS: readonly (readonly [written: string, pattern: string])[] = [
    ["registry.example/acme/app-evil", "registry.example/acme/app"],
    ["registry.example.evil.test/acme/app", "registry.example/acme/"],
    ["registry.example:8443/acme/app", "registry.example/acme/"],
    ["evil.test/registry.example/acme/app", "registry.example/acme/"],
    ["evil.test/x/docker.io/library/nginx", "docker.io/"],
    ["evil-docker.io/library/nginx", "docker.io/"],
    ["evil.test/acme/x", "*.test/acme/*/x"],
    ["registry.example/acme/deep/app", "registry.example/acme/*"],
    [`registry.example/acme/app@sha256:${"0".repeat(64)}`, "registry.example/acme/app:latest"],
  ];
  for (const [written, pattern] of OTHERS) {
    it(`${written} is not what ${pattern} means`, () => {
      assert.equal(ruleFor(written, pattern), undefined);
    });
  }
});

describe("a name with more than one spelling", () => {
  for (const image of [
    "[0:0:0:0:0:0:0:1]:5000/acme/app",
    "[::0001]:5000/acme/app",
    "[2001:DB8:0:0::1]/acme/app",
    "127.1/acme/app",
    "0x7f.1/acme/app",
    "registry.example./acme/app",
    "registry.example:0443/acme/app",
    "r\u0435gistry.example/acme/app",
    "registry.example/\uff41cme/app",
    "registry.example/acme//app",
    "registry.example/acme/../app",
    "https://registry.example/acme/app",
  ]) {
    it(`${image} is none of an image, nor a pattern that would never be met`, async () => {
      await rejectedBy(async () => parseReference(image), "reference-invalid");
      await rejectedBy(async () => policyFor(image), "policy-invalid");
      const prefix = image.replace(/app$/, "");
      await rejectedBy(async () => policyFor(prefix), "policy-invalid");
    });
  }
});
