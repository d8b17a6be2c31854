import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { BundleCase } from "../../../support/bundle-case.ts";

/** The public cases for bundles (MANIFEST.md there): a folder a case, refused where its name ends in `_fail`. */
const VECTORS = new URL("../../../vectors/sigstore-conformance/", import.meta.url);

const BEACON = "sigstore-conformance/extremely-dangerous-public-oidc-beacon";
const DEFAULTS = {
  identity: `https://github.com/${BEACON}/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main`,
  issuer: "https://token.actions.githubusercontent.com",
};

const CASES = readdirSync(VECTORS, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [new BundleCase(VECTORS, entry.name, DEFAULTS)] : [],
);

/** `NAME: reason`, one a line. */
const XFAILS: ReadonlySet<string> = new Set(
  readFileSync(new URL("xfails", VECTORS), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":")[0] ?? ""),
);

async function isVerified(each: BundleCase): Promise<boolean> {
  try {
    await each.verify();
    return true;
  } catch (error) {
    // Anything else is a defect, not a refusal.
    if (error instanceof CountersignError && error.code !== "internal") return false;
    throw error;
  }
}

describe("the public conformance cases for bundles", () => {
  it("are all there", () => assert.equal(CASES.length, 70));

  for (const each of CASES) {
    it(each.name, async () => {
      const isRight = (await isVerified(each)) === each.isGood;
      assert.equal(isRight, !XFAILS.has(each.name), isRight ? "is right, and in the list xfails" : "is wrong");
    });
  }
});
