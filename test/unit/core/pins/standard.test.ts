import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { standardOf } from "../../../../src/core/pins/standard.ts";
import { instant } from "../../../../src/core/time.ts";
import type { Requirement } from "../../../../src/core/verify/requirement.ts";
import { requirementOf, testSigner } from "../../../support/signatures.ts";

const [alice, bob] = [testSigner("alice.pub"), testSigner("bob.pub")];
const base = requirementOf([alice, bob]);

function digestOf(requirement: Requirement, more: { recursive?: boolean; weakened?: readonly string[] } = {}) {
  return standardOf({ requirement, recursive: false, weakened: [], ...more });
}

describe("the standard that a lock file remembers", () => {
  it("is the same whatever files are called, in whatever order and whenever it is asked for", () => {
    const turned = { ...base, keys: base.keys.toReversed().map((key) => ({ ...key, label: "other.pub" })) };
    assert.equal(digestOf({ ...turned, now: instant(1) }), digestOf(base));
  });

  for (const [what, other] of Object.entries({
    "other keys": requirementOf([alice]),
    "more of them": { ...base, threshold: 2 },
    "an annotation": { ...base, annotations: { env: "prod" } },
    "another name": { ...base, signedAs: ["docker.io/acme/app"] },
    "an age": { ...base, maxAge: 1000 },
  })) {
    it(`is another one for ${what}`, () => assert.notEqual(digestOf(other), digestOf(base)));
  }

  it("is another one where it is weakened, and where every platform is judged", () => {
    assert.notEqual(digestOf(base, { weakened: ["--insecure-ignore-tlog"] }), digestOf(base));
    assert.notEqual(digestOf(base, { recursive: true }), digestOf(base));
  });

  it("is one of its own where signed tags alone decide", () => {
    const alone = standardOf({ requirement: "signed-tag", recursive: false, weakened: [] });
    assert.notEqual(alone, digestOf(base));
    assert.notEqual(alone, standardOf({ requirement: "signed-tag", recursive: true, weakened: [] }));
  });
});
