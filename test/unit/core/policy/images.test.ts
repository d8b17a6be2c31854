import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ImageName } from "../../../../src/core/policy/document.ts";
import { isMatchable } from "../../../../src/core/policy/image-overlap.ts";
import { covers, matchesName, parseImagePattern } from "../../../../src/core/policy/image-pattern.ts";
import { matchesImage, matchingRules, matchRule } from "../../../../src/core/policy/images.ts";
import { thrownBy } from "../../../support/codes.ts";
import { policyWith } from "../../../support/policy-sample.ts";
import { processorTime } from "../../../support/processor-time.ts";

const DIGEST = `sha256:${"a".repeat(64)}` as NonNullable<ImageName["digest"]>;

/** A policy with a rule for each of these patterns. */
function policyFor(...patterns: readonly string[]) {
  return policyWith(patterns.map((text) => `  - {images: "${text}", require: {signature: {by: alice}}}\n`).join(""));
}

function chosen(patterns: readonly string[], image: ImageName): string | undefined {
  return matchRule(policyFor(...patterns), image)?.pattern.text;
}

describe("an image pattern", () => {
  const matching: readonly (readonly [pattern: string, name: string])[] = [
    ["registry.example/acme/app", "registry.example/acme/app"],
    ["Registry.Example/acme/app", "registry.example/acme/app"],
    ["registry.example/acme/", "registry.example/acme/app"],
    ["registry.example/acme/", "registry.example/acme/app/deep"],
    ["registry.example/", "registry.example/app"],
    ["registry.example/*", "registry.example/app"],
    ["registry.example/acme/*", "registry.example/acme/app"],
    ["registry.example/*/app", "registry.example/acme/app"],
    ["registry.example/**/app", "registry.example/a/b/app"],
    ["registry.example/app*", "registry.example/app"],
    ["registry.example/**a*b**c", "registry.example/x/a-b/b-c/c"],
    ["docker.io/library/nginx", "docker.io/library/nginx"],
    ["docker.io/nginx", "docker.io/library/nginx"],
    ["index.docker.io/library/", "docker.io/library/nginx"],
    ["docker.io/acme/*", "docker.io/acme/app"],
    ["localhost:5000/app", "localhost:5000/app"],
    ["localhost:5000/", "localhost:5000/app"],
    ["*.registry.example/app", "eu.registry.example/app"],
    ["registry.example:*/app", "registry.example:8443/app"],
    ["**", "registry.example/acme/app"],
    ["**/app", "registry.example/acme/app"],
    ["[::1]:5000/a*", "[::1]:5000/app"],
  ];
  for (const [pattern, name] of matching) {
    it(`${pattern} is for ${name}`, () => assert.ok(matchesName(parseImagePattern(pattern), name)));
  }

  const others: readonly (readonly [pattern: string, name: string])[] = [
    ["registry.example/acme/app", "registry.example/acme/app2"],
    ["registry.example/acme/app", "registry.example/acme/app/x"],
    ["registry.example/acme/app", "evil.example/registry.example/acme/app"],
    ["registry.example/acme/", "registry.example/acme"],
    ["registry.example/acme/", "registry.example/acme-evil/app"],
    ["registry.example/acme/", "registry.example.evil.test/acme/app"],
    ["registry.example/*", "registry.example/acme/app"],
    ["registry.example/*/app", "registry.example/a/b/app"],
    ["registry.example/**/app", "registry.example/app"],
    ["*.registry.example/app", "evil.test/x.registry.example/app"],
    ["*.registry.example/app", "registry.example/app"],
    ["docker.io/library/*", "docker.io/acme/app"],
    ["docker.io/library/*", "evil-docker.io/library/app"],
    ["registry.example/a.b", "registry.example/axb"],
    ["registry.example/a.*", "registry.example/ab"],
    ["**/app", "registry.example/myapp"],
  ];
  for (const [pattern, name] of others) {
    it(`${pattern} is not for ${name}`, () => assert.ok(!matchesName(parseImagePattern(pattern), name)));
  }

  const refused: readonly (readonly [pattern: string, why: RegExp])[] = [
    ["", /names no registry|not a path|not an image reference/],
    ["nginx", /names no registry/],
    ["nginx:1.27", /names no registry/],
    ["acme/*", /names no registry/],
    ["*/app", /names no registry/],
    ["*", /names no registry/],
    ["registry.example", /names no registry/],
    ["registry.example*", /not a host name|names no registry/],
    ["https://registry.example/app", /scheme|host name|names no registry/],
    ["docker.io/*", /two ways/],
    ["docker.io/ngin*", /two ways/],
    ["**.example/app", /not a host name/],
    ["registry.**.example/app", /not a host name/],
    ["registry.example/***", /three stars/],
    ["registry.example/App", /upper-case/],
    ["registry.example/App*", /not a path/],
    ["registry.example/a b*", /not a path/],
    ["registry.example/a?", /not a path/],
    ["registry.example/[ab]*", /not a path/],
    ["registry.example/{a,b}*", /not a path/],
    ["registry.example/app:*", /not an exact one/],
    ["registry.example/app:v1*", /not an exact one/],
    ["registry.example/acme/:v1", /behind a slash/],
    [`registry.example/acme/@${DIGEST}`, /behind a slash/],
    ["registry.example/app@sha256:abc", /digest is not one/],
    [`registry.example/app:v1@${DIGEST}`, /a tag and a digest/],
    [`registry.example/${"a".repeat(LIMITS.imagePatternCharacters)}*`, /too long/],
    ["127.1/app", /several ways/],
    [DIGEST, /bare digest|names no registry/],
  ];
  for (const [pattern, why] of refused) {
    it(`is not ${pattern.slice(0, 40)}`, () => {
      assert.match(thrownBy(() => parseImagePattern(pattern), "reference-invalid").message, why);
    });
  }

  it("takes time in proportion, whatever it is: no way is tried twice", () => {
    const started = processorTime();
    const glob = parseImagePattern(`registry.example/${"*a".repeat(200)}**${"b*".repeat(20)}`);
    assert.ok(!matchesName(glob, `registry.example/${"a".repeat(800)}${"/ba".repeat(40)}`));
    assert.ok(processorTime() - started < 1_000);
  });
});

describe("the rule that an image falls under", () => {
  const patterns = [
    "**",
    "registry.example/",
    "registry.example/*",
    "registry.example/acme/",
    "registry.example/acme/*",
    "registry.example/acme/app*",
    "registry.example/acme/*-app",
    "registry.example/acme/app",
    "registry.example/acme/app:1.4",
    "registry.example/acme/**:1.4",
    `registry.example/**@${DIGEST}`,
  ];
  const cases: readonly (readonly [ImageName, string | undefined])[] = [
    [{ repository: "other.example/x" }, "**"],
    [{ repository: "registry.example/x" }, "registry.example/*"],
    [{ repository: "registry.example/x/y" }, "registry.example/"],
    [{ repository: "registry.example/acme/x" }, "registry.example/acme/*"],
    [{ repository: "registry.example/acme/x/y" }, "registry.example/acme/"],
    [{ repository: "registry.example/acme/apple" }, "registry.example/acme/app*"],
    [{ repository: "registry.example/acme/my-app" }, "registry.example/acme/*-app"],
    [{ repository: "registry.example/acme/app" }, "registry.example/acme/app"],
    [{ repository: "registry.example/acme/app", tag: "1.5" }, "registry.example/acme/app"],
    [{ repository: "registry.example/acme/app", tag: "1.4" }, "registry.example/acme/app:1.4"],
    [{ repository: "registry.example/acme/db", tag: "1.4" }, "registry.example/acme/**:1.4"],
    [{ repository: "registry.example/acme/app", tag: "1.4", digest: DIGEST }, `registry.example/**@${DIGEST}`],
    [{ repository: undefined }, undefined],
    [{ repository: undefined, digest: DIGEST }, undefined],
  ];
  for (const [image, pattern] of cases) {
    it(`of ${image.repository}:${image.tag} is that of ${pattern?.slice(0, 40)}, wherever in the file it is`, () => {
      assert.equal(chosen(patterns, image), pattern);
      assert.equal(chosen(patterns.toReversed(), image), pattern);
    });
  }

  it("is none where no pattern matches", () => {
    assert.equal(chosen(["registry.example/a"], { repository: "registry.example/b" }), undefined);
    assert.equal(chosen(["registry.example/a:1"], { repository: "registry.example/a" }), undefined);
    assert.equal(chosen([`registry.example/a@${DIGEST}`], { repository: "registry.example/a" }), undefined);
  });

  it("is told beside those that it beats", () => {
    const all = matchingRules(policyFor(...patterns), { repository: "registry.example/acme/app" });
    assert.deepEqual(
      all.map(({ pattern }) => pattern.text),
      ["acme/app", "acme/app*", "acme/*", "acme/", ""].map((end) => `registry.example/${end}`).concat("**"),
    );
  });

  it("is found fast among thousands", () => {
    const many = [
      ...Array.from({ length: 1500 }, (_, at) => `registry.example/*/app-${at}`),
      ...Array.from({ length: 1500 }, (_, at) => `registry.example/team-${at}/`),
      ...Array.from({ length: 1500 }, (_, at) => `registry.example/other/app-${at}`),
    ];
    const policy = policyFor(...many);
    const started = processorTime();
    for (let at = 0; at < 2_000; at += 1) {
      const found = matchRule(policy, { repository: `registry.example/team-${at % 1500}/x` });
      assert.equal(found?.pattern.text, `registry.example/team-${at % 1500}/`);
    }
    assert.ok(processorTime() - started < 2_000);
  });
});

describe("two rules between which nothing decides", () => {
  const ambiguous: readonly (readonly [string, string])[] = [
    ["registry.example/a", "registry.example/a"],
    ["docker.io/nginx", "docker.io/library/nginx"],
    ["registry.example/acme/", "registry.example/acme/**"],
    ["registry.example/*-a*", "registry.example/*b-*"],
    ["registry.example/a*bc*", "registry.example/a*cb*"],
    ["registry.example/*/a*", "registry.example/*a/*"],
    ["registry.example/**/a*", "registry.example/*a/**"],
    ["*.example/a*", "*.example/a*"],
    ["registry.example/a:1", "registry.example/a:1"],
    ["registry.example/*-a*:1", "registry.example/*b-*:1"],
    [`registry.example/a@${DIGEST}`, `registry.example/a@${DIGEST}`],
  ];
  for (const [first, second] of ambiguous) {
    it(`are refused with both places: ${first.slice(0, 40)} and ${second.slice(0, 40)}`, () => {
      const { found } = thrownBy(() => policyFor(first, second), "policy-invalid");
      assert.match(found ?? "", /^policy\.yaml:9:14: .* at policy\.yaml:8: some image matches both$/);
    });
  }

  const decided: readonly (readonly [string, string])[] = [
    ["registry.example/a", "registry.example/b"],
    ["registry.example/a:1", "registry.example/a:2"],
    ["registry.example/*-a*:1", "registry.example/*b-*:2"],
    ["registry.example/*/a", "registry.example/*/b"],
    ["registry.example/*/team1/*", "registry.example/*/team2/*"],
    ["registry.example/a-*", "registry.example/b-*"],
    ["registry.example/*-aa", "registry.example/*/aa"],
    ["registry.example/acme/*", "registry.example/acme/**"],
    ["one.example/**", "two.example/**"],
    ["*.one.example/a", "*.two.example/a"],
  ];
  for (const [first, second] of decided) {
    it(`are not ${first} and ${second}`, () => assert.equal(policyFor(first, second).rules.length, 2));
  }

  it("are no rules where they are the same one", () => {
    const images = "[registry.example/*-a*, registry.example/*b-*, registry.example/a, registry.example/a]";
    assert.equal(policyWith(`  - {images: ${images}, require: {signature: {by: alice}}}\n`).rules.length, 1);
  });

  it("are looked for among thousands in no time, and given up where that would take for ever", () => {
    const started = processorTime();
    policyFor(...Array.from({ length: 1000 }, (_, at) => `registry.example/*/team-${at + 1000}/*`));
    assert.ok(processorTime() - started < 5_000);
    const alike = Array.from({ length: 5_000 }, (_, at) => `registry.example/*/x-${at + 10_000}/**-y/*/z/**`);
    const { found } = thrownBy(() => policyFor(...alike), "policy-invalid");
    assert.match(found ?? "", /more image patterns that are alike than can be compared|some image matches both/);
  });
});

describe("a pattern that some image is called", () => {
  const cases: readonly (readonly [pattern: string, expected: boolean])[] = [
    ["r.example/a---*", true],
    ["r.example/a__*", true],
    ["r.example/*/*", true],
    ["r.example/-*", false],
    ["r.example/a..*", false],
    ["r.example/a___*", false],
    ["r.example/*-/b", false],
    ["r.example/*//b", false],
    ["r.example/*_", false],
    ["*.-example/*", true],
  ];
  for (const [pattern, expected] of cases) {
    it(`is ${expected ? "" : "not "}${pattern}`, () => assert.equal(isMatchable(parseImagePattern(pattern)), expected));
  }
});

describe("what one pattern has of another", () => {
  it("is all of it, or not", () => {
    const within: readonly (readonly [string, string, boolean])[] = [
      ["registry.example/", "registry.example/a", true],
      ["registry.example/", "registry.example/*", true],
      ["registry.example/*", "registry.example/", false],
      ["registry.example/*", "registry.example/a*b", true],
      ["registry.example/a*", "registry.example/*a", false],
      ["registry.example/a", "registry.example/a:1", true],
      ["registry.example/a:1", "registry.example/a", false],
      ["**", "registry.example/a/**", true],
    ];
    for (const [wide, narrow, expected] of within) {
      assert.equal(covers(parseImagePattern(wide), parseImagePattern(narrow)), expected, `${wide} ${narrow}`);
    }
  });

  it("decides for which images an exception is", () => {
    const place = { label: "", line: 1, column: 1 };
    const patterns = [{ text: "registry.example/a:1", place }];
    assert.ok(matchesImage(patterns, { repository: "registry.example/a", tag: "1" }));
    assert.ok(!matchesImage(patterns, { repository: "registry.example/a", tag: "2" }));
    assert.ok(!matchesImage(patterns, { repository: "registry.example/b", tag: "1" }));
    assert.ok(!matchesImage([], { repository: "registry.example/a" }));
  });
});
