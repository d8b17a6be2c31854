import assert from "node:assert/strict";
import fc from "fast-check";
import type { PolicyDocument, Rule } from "../../src/core/policy/document.ts";
import { isMatchable, overlap } from "../../src/core/policy/image-overlap.ts";
import {
  compareSpecificity,
  covers,
  type ImageGlob,
  matchesName,
  parseImagePattern,
  specificityOf,
} from "../../src/core/policy/image-pattern.ts";
import { findAmbiguity, matchRule, patternsOf } from "../../src/core/policy/images.ts";
import { property } from "../support/property.ts";

const REGISTRY = "r.example/";
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/** Every name of up to six characters of an alphabet that is as odd as needed. */
const NAMES: readonly string[] = namesUpTo(6).map((path) => `${REGISTRY}${path}`);

function namesUpTo(length: number): readonly string[] {
  let texts: readonly string[] = [""];
  const names: string[] = [];
  for (let at = 0; at < length; at += 1) {
    texts = texts.flatMap((text) => ["a", "b", "/", "-"].map((letter) => `${text}${letter}`));
    names.push(...texts.filter((text) => text.split("/").every((part) => COMPONENT.test(part))));
  }
  return names;
}

const tokens = fc.array(fc.constantFrom("a", "b", "/", "-", "*", "**"), { minLength: 1, maxLength: 4 });
const glob: fc.Arbitrary<ImageGlob> = tokens
  .map((list) => `${REGISTRY}${list.join("")}`)
  .filter((text) => !text.includes("***") && text.includes("*"))
  .map(parseImagePattern);

/** The same by a regular expression, which is right and slow. */
function matchesSlowly({ name }: ImageGlob, text: string): boolean {
  const source = name.replaceAll(/\*\*|\*|[^a-z0-9]/g, (token) => {
    if (token === "**") return "[^]*";
    return token === "*" ? "[^/]*" : `\\${token}`;
  });
  return new RegExp(`^${source}$`).test(text);
}

property(
  "a glob matches what the regular expression matches that says the same",
  [glob, fc.constantFrom(...NAMES)],
  (one, name) => {
    assert.equal(matchesName(one, name), matchesSlowly(one, name));
  },
);

property("two globs overlap exactly where some name matches both", [glob, glob], (one, other) => {
  const found = NAMES.some((name) => matchesName(one, name) && matchesName(other, name));
  const said = overlap(one, other, () => undefined);
  assert.equal(
    said,
    overlap(other, one, () => undefined),
  );
  if (found) assert.ok(said);
  // Longer than six characters is only what both together have more to say than that.
  if (said && one.name.length + other.name.length - 2 * REGISTRY.length <= 5)
    assert.ok(found, `${one.name} ${other.name}`);
});

property("a glob is for some name or is none", [glob], (one) => {
  const found = NAMES.some((name) => matchesName(one, name));
  if (found) assert.ok(isMatchable(one));
  if (!found) assert.ok(!isMatchable(one), one.name);
});

property("what is said to have all of another has it", [glob, glob], (one, other) => {
  if (!covers(one, other)) return;
  for (const name of NAMES) if (matchesName(other, name)) assert.ok(matchesName(one, name));
});

const PLACE = { label: "p", line: 1, column: 1 };

function policyOf(texts: readonly string[]): PolicyDocument {
  const rules = texts.map((text): Rule => {
    const require = { kind: "never", why: "x", place: PLACE } as const;
    return {
      images: [{ text, place: PLACE }],
      require,
      mode: "enforce",
      platforms: "index",
      signedAs: [],
      exceptions: [],
      place: PLACE,
    };
  });
  const digest = `sha256:${"0".repeat(64)}` as PolicyDocument["digest"];
  return { label: "p", digest, identities: new Map(), roles: new Map(), trust: new Map(), withdrawn: [], rules };
}

const texts = fc.array(
  tokens.map((list) => `${REGISTRY}${list.join("")}`).filter((text) => !text.includes("***") && isPattern(text)),
  { maxLength: 8 },
);

function isPattern(text: string): boolean {
  try {
    return isMatchable(parseImagePattern(text));
  } catch {
    return false;
  }
}

property(
  "every name has one most specific rule, in whatever order they are, unless two are told to be alike",
  [texts],
  (list) => {
    const policy = policyOf(list);
    const patterns = patternsOf(policy.rules);
    const isAmbiguous = findAmbiguity(patterns) !== undefined;
    let isDecided = true;
    for (const name of NAMES) {
      const matching = patterns
        .filter(({ glob: one }) => matchesName(one, name))
        .toSorted((a, b) => compareSpecificity(a.specificity, b.specificity));
      const [first, second] = matching;
      if (first !== undefined && second !== undefined) {
        isDecided &&= compareSpecificity(specificityOf(first.glob), specificityOf(second.glob)) !== 0;
      }
      if (isAmbiguous) continue;
      assert.equal(matchRule(policy, { repository: name })?.pattern, first?.pattern);
      const turned = matchRule(policyOf(list.toReversed()), { repository: name });
      assert.equal(turned?.pattern.text, first?.pattern.text);
    }
    if (!isDecided) assert.ok(isAmbiguous, list.join(" "));
  },
);
