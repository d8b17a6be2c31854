import assert from "node:assert/strict";
import { formatPolicy } from "../../src/core/policy/format.ts";
import { parsePolicy } from "../../src/core/policy/parse.ts";
import { withoutPlaces } from "../support/policy-sample.ts";
import { policyTrees } from "../support/policy-trees.ts";
import { property } from "../support/property.ts";

property("a policy that is written reads back to the same, and is written the same again", [policyTrees()], (tree) => {
  const document = parsePolicy(Buffer.from(JSON.stringify(tree)), "policy.json");
  const text = formatPolicy(document);
  const again = parsePolicy(Buffer.from(text), "policy.yaml");
  assert.deepEqual(withoutPlaces(again), withoutPlaces(document), text);
  assert.equal(formatPolicy(again), text);
});
