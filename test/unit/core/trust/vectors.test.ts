import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { BundleCase } from "../../../support/bundle-case.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { ISSUER, SUBJECT } from "../../../support/sigstore/authority.ts";

/** Every folder is a case; its README says what it is about, and `case.json` with which reason it is refused. */
const VECTORS = new URL("../../../vectors/sigstore/", import.meta.url);

const CASES = readdirSync(VECTORS, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [new BundleCase(VECTORS, entry.name, { identity: SUBJECT, issuer: ISSUER })] : [],
);

describe("test vectors, sigstore", () => {
  for (const each of CASES) {
    it(each.name, async () => {
      assert.ok(each.has("README.md"));
      const { code } = each.particulars;
      if (each.isGood) return await each.verify();
      assert.ok(code !== undefined, "case.json says why it is refused");
      await rejectedBy(() => each.verify(), code);
    });
  }
});
