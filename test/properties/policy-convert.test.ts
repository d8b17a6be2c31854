import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import { DIALECTS, type Dialect } from "../../src/core/policy/convert/conversion.ts";
import { detectDialect, exportPolicy, importPolicy } from "../../src/core/policy/convert/convert.ts";
import type { PolicyDocument } from "../../src/core/policy/document.ts";
import { matchRule } from "../../src/core/policy/images.ts";
import {
  containersAccepts,
  type Evidence,
  keysOf,
  kyvernoAccepts,
  policyControllerAccepts,
  policyOf,
  type Shown,
  weAccept,
} from "../support/foreign-policies.ts";
import { property } from "../support/property.ts";

const A = digestOf(encodeUtf8("a"));
const B = digestOf(encodeUtf8("b"));
const PATTERNS = [
  "registry.example/",
  "registry.example/a",
  "registry.example/a/",
  "registry.example/a/b",
  "registry.example/*/b",
  "registry.example/a:1",
  `registry.example/a@${A}`,
  "registry.example/**/b",
  "**/",
  "*.example/",
  "*.example:*/",
];
const REPOSITORIES = [
  "registry.example/a",
  "registry.example/a/b",
  "registry.example/c/b",
  "other.example/a",
  "registry.example:5000/a",
];
const NAMES = ["alice", "bob", "carol"];

const by = fc.constantFrom(...NAMES, "[alice, bob]", "[alice, bob, carol]");
const leaf = fc.oneof(
  by.map((who) => `{signature: {by: ${who}}}`),
  by.map((who) => `{attestation: {type: slsaprovenance1, by: ${who}}}`),
  fc.constant("{signature: {by: [alice, bob, carol], threshold: 2}}"),
  fc.constant("{signature: {by: alice, nameBinding: true}}"),
  fc.constant('{never: "closed"}'),
);
const { requirement } = fc.letrec<{ requirement: string }>((tie) => ({
  requirement: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom("all", "any"), fc.array(tie("requirement"), { minLength: 1, maxLength: 3 }))
      .map(([kind, of]) => `{${kind}: [${of.join(", ")}]}`),
    fc.constant(
      "{threshold: {count: 2, of: [{signature: {by: alice}}, {attestation: {type: slsaprovenance1, by: bob}}, {signature: {by: carol}}]}}",
    ),
  ),
}));
const rule = fc
  .record({
    images: fc.uniqueArray(fc.constantFrom(...PATTERNS), { minLength: 1, maxLength: 3 }),
    require: requirement,
    mode: fc.constantFrom("enforce", "enforce", "enforce", "warn"),
  })
  .map(
    ({ images, require, mode }) =>
      `  - {images: [${images.map((one) => JSON.stringify(one)).join(", ")}], mode: ${mode}, require: ${require}}`,
  );
const policy = fc.array(rule, { minLength: 1, maxLength: 4 }).map((rules) => `rules:\n${rules.join("\n")}\n`);

const evidence = fc.record<Evidence>({
  by: fc.constantFrom(...NAMES),
  kind: fc.constantFrom("signature", "slsaprovenance1"),
  form: fc.constantFrom("legacy", "bundle"),
  names: fc.constantFrom(...REPOSITORIES),
});
const shown = fc.record<Shown>({
  repository: fc.constantFrom(...REPOSITORIES),
  tag: fc.constantFrom("1", "2", undefined),
  digest: fc.constantFrom(A, B),
  evidence: fc.array(evidence, { maxLength: 6 }),
});

/** Rules between which nothing decides are no policy. */
function readPolicy(rules: string): PolicyDocument | undefined {
  try {
    return policyOf(rules);
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined;
    throw thrown;
  }
}

function written(document: PolicyDocument, dialect: Dialect): string {
  return exportPolicy({ document, keys: keysOf(document) }, dialect).files[0].content;
}

/** What we are asked for the same name: where it has a digest in it, others forget the tag. */
function byDigest(image: Shown): Shown {
  return { ...image, tag: undefined };
}

property(
  "what an exported policy.json accepts, the policy accepts: by tag and by digest",
  [policy, fc.array(shown, { minLength: 4, maxLength: 8 })],
  (rules, images) => {
    const document = readPolicy(rules);
    if (document === undefined) return;
    const content = written(document, "containers");
    for (const image of images) {
      if (image.tag !== undefined && containersAccepts(content, image, false))
        assert.ok(
          weAccept(document, image) || isSignedTwice(document, image),
          `by tag: ${JSON.stringify(image)}\n${rules}\n${content}`,
        );
      if (containersAccepts(content, image, true))
        assert.ok(
          weAccept(document, byDigest(image)) || isSignedTwice(document, image),
          `by digest: ${JSON.stringify(image)}\n${rules}\n${content}`,
        );
    }
  },
);

/**
 * The one thing that scopes cannot say, and that a loss is printed for: a repository apart from those below it. There, the
 * signer of the one has to have signed the same digest by the other name as well.
 */
function isSignedTwice(document: PolicyDocument, { repository, tag, digest, evidence: all }: Shown): boolean {
  const own = new Set(
    all
      .filter(({ form, kind, names }) => form === "legacy" && kind === "signature" && names === repository)
      .map(({ by }) => by),
  );
  const isOther = matchRule(document, { repository, tag, digest })?.pattern.text;
  return own.size > 0 && isOther !== repository;
}

property(
  "what exported ClusterImagePolicies accept, the policy accepts",
  [policy, fc.array(shown, { minLength: 4, maxLength: 8 })],
  (rules, images) => {
    const document = readPolicy(rules);
    if (document === undefined) return;
    const content = written(document, "policy-controller");
    for (const image of images) {
      if (!policyControllerAccepts(content, image)) continue;
      // A tag that was resolved, and one that was written beside a digest: they look alike.
      for (const one of [image, byDigest(image)])
        assert.ok(weAccept(document, one), `${JSON.stringify(image)}\n${rules}\n${content}`);
    }
  },
);

property(
  "what exported ImageValidatingPolicies accept, the policy accepts",
  [policy, fc.array(shown, { minLength: 4, maxLength: 8 })],
  (rules, images) => {
    const document = readPolicy(rules);
    if (document === undefined) return;
    const content = written(document, "kyverno");
    for (const image of images) {
      if (!kyvernoAccepts(content, image)) continue;
      // A tag that was resolved, and one that was written beside a digest: they look alike.
      for (const one of [image, byDigest(image)])
        assert.ok(weAccept(document, one), `${JSON.stringify(image)}\n${rules}\n${content}`);
    }
  },
);

property(
  "there and back, a policy accepts no more than it did",
  [policy, fc.constantFrom(...DIALECTS), fc.array(shown, { minLength: 4, maxLength: 8 })],
  (rules, dialect, images) => {
    const document = readPolicy(rules);
    if (document === undefined) return;
    const bytes = encodeUtf8(written(document, dialect));
    assert.equal(detectDialect(bytes, "exported"), dialect);
    const { document: again } = importPolicy(bytes, "exported", dialect);
    for (const image of images) {
      if (weAccept(again, image))
        assert.ok(
          weAccept(document, image) || (dialect === "containers" && isSignedTwice(document, image)),
          `${dialect}: ${JSON.stringify(image)}\n${rules}\n${new TextDecoder().decode(bytes)}`,
        );
    }
  },
);

property(
  "no bytes crash the readers",
  [fc.string({ unit: "binary" }), fc.constantFrom(...DIALECTS)],
  (text, dialect) => {
    try {
      importPolicy(new TextEncoder().encode(text), "junk", dialect);
    } catch (thrown) {
      assert.ok(thrown instanceof CountersignError, String(thrown));
    }
  },
);
