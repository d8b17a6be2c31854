import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import { parsePolicy } from "../../../src/core/policy/parse.ts";
import { publishedDocument, publishedText } from "../../../src/report/policy-publish.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { digest } from "../../support/verdicts.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../docs/schemas/policy-publish.json", import.meta.url), "utf8"),
);

const document = parsePolicy(encodeUtf8("apiVersion: countersign/v1\nrules: []\n"), "policy.yaml");
const published = {
  place: "oci://registry.example/policies/prod:1",
  repository: "registry.example/policies/prod",
  digest: digest("9f"),
  document,
  inside: ["alice.pub", "keys/bob\u001b[2J.pub"],
  signedBy: [{ kind: "key", label: "policy.key", fingerprint: `SHA256:${"ab".repeat(32)}` }],
} as const;

describe("a policy that was published", () => {
  it("is told with what names exactly it, who signed it, and what is in it", () => {
    assert.equal(
      publishedText(published),
      `published     oci://registry.example/policies/prod:1@${digest("9f")}
  policy        0 rules, 0 identities (${document.digest})
  keys inside   alice.pub, keys/bob\\x1b[2J.pub
  signed by     policy.key (SHA256:abababababababab…)
  pinned        --policy oci://registry.example/policies/prod@${digest("9f")}
`,
    );
    assert.doesNotMatch(publishedText({ ...published, inside: [] }), /keys inside/);
  });

  it("as JSON fits docs/schemas/policy-publish.json", () => {
    assert.deepEqual(violations(JSON.parse(publishedDocument(published)), SCHEMA), []);
  });
});
