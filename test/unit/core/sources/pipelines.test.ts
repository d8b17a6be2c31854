import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { readCompose } from "../../../../src/core/sources/compose.ts";
import { readGithubActions } from "../../../../src/core/sources/github-actions.ts";
import { readGitlabCi } from "../../../../src/core/sources/gitlab-ci.ts";
import type { Reading, SourceText } from "../../../../src/core/sources/mention.ts";

function told(
  read: (file: SourceText) => Reading,
  value: unknown,
): { images: readonly string[]; problems: readonly string[] } {
  const { mentions, problems } = read({ label: "a.yaml", text: JSON.stringify(value) });
  return {
    images: mentions.map(({ image }) => image),
    problems: problems.map(({ finding }) => finding.message),
  };
}

describe("a service of Compose", () => {
  it("that is built is pulled first under its name, unless it says otherwise", () => {
    const both = { image: "a:1", build: "." };
    const services = {
      a: both,
      b: { ...both, pull_policy: "build" },
      c: { ...both, pull_policy: "never" },
      d: { ...both, pull_policy: "always" },
    };
    assert.deepEqual(told(readCompose, { services }).images, ["a:1", "a:1"]);
  });

  it("is not pinned where it is built under that name", () => {
    const [mention] = readCompose({ label: "a", text: "services: {a: {image: a, build: .}}" }).mentions;
    assert.equal(mention?.slot, undefined);
    assert.match(mention?.fixed ?? "", /built under this name/);
  });

  it("says no image where its image is no text", () => {
    for (const image of [null, [], {}, ["a"]]) {
      assert.deepEqual(told(readCompose, { services: { a: { image } } }).problems, ["an image is not named"]);
    }
  });

  it("names nothing in what is no service", () => {
    const values = { "x-a": { image: "a" }, volumes: { a: { image: "a" } }, models: { a: { image: "a" } }, image: "a" };
    assert.deepEqual(told(readCompose, values), { images: [], problems: [] });
    assert.deepEqual(told(readCompose, { services: ["a"] }), { images: [], problems: [] });
    assert.deepEqual(told(readCompose, { services: { a: null, b: "x" } }), { images: [], problems: [] });
  });

  it("holds a Dockerfile of its own only so long", () => {
    const inline = (length: number) => ({
      services: { a: { build: { dockerfile_inline: "FROM a\n".padEnd(length, "#") } } },
    });
    assert.deepEqual(told(readCompose, inline(LIMITS.inlineCharacters)), { images: ["a"], problems: [] });
    assert.match(told(readCompose, inline(LIMITS.inlineCharacters + 1)).problems.join(), /too long to read/);
    const text = `x: &x {dockerfile_inline: "FROM a${" ".repeat(LIMITS.inlineCharacters / 3)}"}\nservices: {a: {build: *x}, b: {build: *x}, c: {build: *x}}`;
    const { mentions, problems } = readCompose({ label: "a", text });
    assert.deepEqual([mentions.length, problems.length], [2, 1]);
  });

  it("tells of a Dockerfile in it at its place", () => {
    const text = "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM a:1\n        FROM $$B\n";
    const { mentions, problems } = readCompose({ label: "a", text });
    assert.deepEqual(
      mentions.map(({ place }) => [place.line, place.column]),
      [[5, 14]],
    );
    assert.deepEqual(
      problems.map(({ place }) => [place.line, place.column]),
      [[6, 15]],
    );
  });
});

describe("a matrix of GitHub Actions", () => {
  const job = (matrix: unknown, container: string) => ({ jobs: { a: { strategy: { matrix }, container } } });

  const refused: readonly (readonly [title: string, matrix: unknown, container: string])[] = [
    ["it is an expression", "x", "\u0024{{ matrix.a }}"],
    ["the list is an expression", { a: "x" }, "\u0024{{ matrix.a }}"],
    ["there is no such value", { b: ["x"] }, "\u0024{{ matrix.a }}"],
    ["two values make it", { a: ["x"], b: ["y"] }, "\u0024{{ matrix.a }}:\u0024{{ matrix.b }}"],
    ["it is computed", { a: ["x"] }, "\u0024{{ matrix.a || 'b' }}"],
    ["it is found by an index", { a: ["x"] }, "\u0024{{ matrix['a'] }}"],
    ["it goes through a function", { a: ["x"] }, "\u0024{{ format('{0}', matrix.a) }}"],
  ];
  for (const [title, matrix, container] of refused) {
    it(`says no image where ${title}`, () => {
      const { images, problems } = told(readGithubActions, job(matrix, container));
      assert.deepEqual([images.length, problems.length], [0, 1]);
    });
  }

  it("has only so many values", () => {
    const values = (count: number) =>
      job({ a: Array.from({ length: count }, (_, at) => `a:${at}`) }, "\u0024{{matrix.a}}");
    assert.equal(told(readGithubActions, values(LIMITS.imageAlternatives)).images.length, LIMITS.imageAlternatives);
    assert.match(
      told(readGithubActions, values(LIMITS.imageAlternatives + 1)).problems.join(),
      /more values than are read/,
    );
  });
});

describe("a file that multiplies", () => {
  it("names only so many images", () => {
    const values = Array.from({ length: LIMITS.imageAlternatives }, (_, at) => `a:${at}`);
    const services = Object.fromEntries(
      Array.from({ length: 101 }, (_, at) => [`s${at}`, { image: "\u0024{{ matrix.a }}" }]),
    );
    const { images, problems } = told(readGithubActions, {
      jobs: { a: { strategy: { matrix: { a: values } }, services } },
    });
    assert.equal(images.length, LIMITS.fileImages);
    assert.deepEqual(problems, ["the file names more images than are read"]);
  });
});

describe("a job of GitLab", () => {
  it("does not lead in circles", () => {
    const jobs = { a: { extends: "b", image: "$X" }, b: { extends: "a", variables: { X: "x:1" } } };
    assert.deepEqual(told(readGitlabCi, jobs).images, ["x:1", "x:1"]);
    const variables = { A: "$B", B: "$C", C: "$A" };
    assert.match(told(readGitlabCi, { variables, a: { image: "$A" } }).problems.join(), /leads back to itself/);
  });

  it("has only so many combinations of values", () => {
    const names = ["A", "B", "C", "D"];
    const entry = Object.fromEntries(names.map((name) => [name, Array.from({ length: 10 }, (_, at) => `v${at}`)]));
    const image = names.map((name) => `$${name}`).join("-");
    const { images, problems } = told(readGitlabCi, { a: { parallel: { matrix: [entry] }, image } });
    assert.deepEqual([images.length, problems.length], [0, 1]);
    assert.match(problems.join(), /more values together than are read/);
  });

  it("is not told of where it hands on to another pipeline", () => {
    const file = { default: { image: "a:1" }, b: { trigger: "x/y" } };
    const { mentions } = readGitlabCi({ label: "a", text: JSON.stringify(file) });
    assert.deepEqual(
      mentions.map(({ workload }) => workload?.name),
      ["default"],
    );
  });

  it("takes its variables into what it inherits", () => {
    const file = { default: { image: "a:$T" }, variables: { T: "1" }, b: { variables: { T: "2" }, script: "x" } };
    assert.deepEqual(told(readGitlabCi, file), { images: ["a:2"], problems: [] });
  });
});
