import assert from "node:assert/strict";
import { test } from "node:test";
import { ambiguous } from "../../../../src/io/layout/layout-index.ts";
import { digest } from "../../../support/verdicts.ts";

function entry(fill: string, tag?: string) {
  return {
    descriptor: { mediaType: "application/json", size: 2, digest: digest(fill) },
    tag,
    reference: undefined,
    json: {},
  };
}

test("images with names of their own are told apart by tag or digest", () => {
  const error = ambiguous("several", [entry("a", "one"), entry("b", "two")]);
  assert.equal(error.found, "one, two");
  assert.match(error.next, /LOCATION:TAG or LOCATION@DIGEST/);
});

test("images that share a tag are told apart by digest alone: their tag would not help", () => {
  const error = ambiguous("several", [entry("a", "one"), entry("b", "one")]);
  assert.equal(error.found, `${digest("a")}, ${digest("b")}`);
  assert.doesNotMatch(`${error.wanted} ${error.next}`, /tag/i);
});
