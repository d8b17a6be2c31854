import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { type Addition, extendPolicy } from "../../../../src/core/policy/extend.ts";
import { formatPolicy } from "../../../../src/core/policy/format.ts";
import { parsePolicy } from "../../../../src/core/policy/parse.ts";
import { refusal } from "../../../support/scans.ts";

const ADDED = parsePolicy(
  encodeUtf8(`apiVersion: countersign/v1
identities:
  erin:
    keyless: {subject: erin@example.com, issuer: "https://login.example.com"}
    trust: acme
trust:
  acme: {trustedRoot: acme.json}
rules:
  - images: registry.example.com/acme/app
    require: {signature: {by: erin}}
`),
  "added",
);
const ADDITION: Addition = ADDED;

function extended(text: string) {
  const bytes = encodeUtf8(text);
  const document = parsePolicy(bytes, "policy.yaml");
  const result = extendPolicy(bytes, document, ADDITION);
  const read = parsePolicy(encodeUtf8(result.text), "policy.yaml");
  // Whatever way it took: all that was there, and all that was added.
  assert.deepEqual([...read.identities.keys()], [...document.identities.keys(), "erin"]);
  assert.deepEqual([...read.trust.keys()], [...document.trust.keys(), "acme"]);
  assert.equal(read.rules.length, document.rules.length + 1);
  const identities = new Map([...read.identities].filter(([name]) => name !== "erin"));
  const trust = new Map([...read.trust].filter(([name]) => name !== "acme"));
  assert.equal(formatPolicy({ ...read, identities, trust, rules: read.rules.slice(0, -1) }), formatPolicy(document));
  return result;
}

/** Every line of the old text is in the new one, in the old order. */
function keepsLines(before: string, after: string): boolean {
  const lines = after.split("\n");
  let at = 0;
  return before
    .split("\n")
    .filter((line) => line !== "")
    .every((line) => {
      at = lines.indexOf(line, at) + 1;
      return at > 0;
    });
}

const COMMENTED = `# ours
apiVersion: countersign/v1   # the language

identities:
  # the maintainer
  alice: {key: alice.pub}

# what holds for which images
rules:
  - name: tools
    images: registry.example.com/tools/   # all of them
    require:
      signature: {by: alice}

# the end
`;

describe("a policy that is added to", () => {
  it("keeps every line that was there, comments too", () => {
    const { text, isRewritten } = extended(COMMENTED);
    assert.equal(isRewritten, false);
    assert.ok(keepsLines(COMMENTED, text), text);
  });

  it("is added to in whatever way it is indented", () => {
    const wide = COMMENTED.replace(
      /rules:[\s\S]*/,
      "rules:\n      -   images: registry.example.com/tools/\n          require: {signature: {by: alice}}\n",
    );
    const flush = COMMENTED.replace(
      /rules:[\s\S]*/,
      "rules:\n- images: registry.example.com/tools/\n  require: {signature: {by: alice}}\n",
    );
    for (const text of [wide, flush]) {
      const result = extended(text);
      assert.equal(result.isRewritten, false, result.text);
      assert.ok(keepsLines(text, result.text), result.text);
    }
  });

  it("may have no rules, no identities, no line break at its end, or lines of another system", () => {
    const texts = [
      "apiVersion: countersign/v1\nrules: []\n",
      "apiVersion: countersign/v1\nrules: [] # none yet\n",
      "apiVersion: countersign/v1\nidentities: {}\nrules:\n  - images: registry.example.com/x\n    require: {never: no}",
      COMMENTED.trimEnd(),
      COMMENTED.replaceAll("\n", "\r\n"),
    ];
    for (const text of texts) assert.equal(extended(text).isRewritten, false, text);
  });

  it("is written anew where it is written in braces, and that is said", () => {
    const text =
      "apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\nrules: [{images: registry.example.com/x, require: {signature: {by: alice}}}]\n";
    assert.equal(extended(text).isRewritten, true);
  });

  it("is refused where the rule is there already: nothing would decide between the two", () => {
    const bytes = encodeUtf8(COMMENTED.replace("registry.example.com/tools/ ", "registry.example.com/acme/app "));
    const error = refusal(() => extendPolicy(bytes, parsePolicy(bytes, "policy.yaml"), ADDITION));
    assert.equal(error.code, "policy-invalid");
  });

  it("is a whole new one where there is none", () => {
    const empty = parsePolicy(encodeUtf8("apiVersion: countersign/v1\nrules: []\n"), "policy.yaml");
    const { text } = extendPolicy(undefined, empty, ADDITION);
    assert.equal(formatPolicy(parsePolicy(encodeUtf8(text), "policy.yaml")), formatPolicy(ADDED));
  });
});
