import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { readDockerfile } from "../../../../src/core/sources/dockerfile.ts";
import type { Reading } from "../../../../src/core/sources/mention.ts";
import { processorTime } from "../../../support/processor-time.ts";

function read(...lines: readonly string[]): Reading {
  return readDockerfile({ label: "Dockerfile", text: lines.join("\n") });
}

function images(reading: Reading): readonly string[] {
  return reading.mentions.map(({ image }) => image);
}

function problems(reading: Reading): readonly string[] {
  return reading.problems.map(({ finding }) => finding.message);
}

describe("a Dockerfile that cannot be told", () => {
  const cases: readonly (readonly [title: string, lines: readonly string[], says: RegExp])[] = [
    ["has no FROM", ["# nothing"], /no image is built/],
    ["is empty", [""], /no image is built/],
    ["asks for a build argument that nobody declared", ["FROM $BASE"], /BASE has no value/],
    ["asks for a build argument without a default", ["ARG BASE", `FROM \${BASE}`], /BASE has no value/],
    ["demands a build argument", [`FROM \${BASE:?no}`], /BASE has no value/],
    ["asks for the builder's platform", ["FROM a:$TARGETARCH"], /TARGETARCH is set by the builder/],
    ["asks for it through an argument", ["ARG A=x-$BUILDOS", "FROM $A"], /BUILDOS is set by the builder/],
    ["cuts a value", ["ARG A=v1", `FROM a:\${A#v}`], /pattern in \$\{A#…\} is not followed/],
    ["replaces in a value", ["ARG A=v1", `FROM a:\${A//v/w}`], /pattern/],
    ["has an open brace", ["ARG A=1", `FROM a:\${A`], /not closed/],
    ["has an open quote", ['FROM "a'], /quote is not closed/],
    ["has an empty name in braces", [`FROM \${}`], /has no name/],
    ["names the directive escape wrongly", ["# escape=x", "FROM a"], /directive escape/],
    ["names a directive twice", ["# syntax=a:1", "# syntax=b:1", "FROM a"], /twice/],
    ["copies from a variable", ["FROM a", "COPY --from=$B / /"], /variables have no value in COPY --from/],
    ["never ends a document", ["FROM a", "RUN <<E", "x"], /does not end/],
  ];
  for (const [title, lines, says] of cases) {
    it(`is a problem with its line where it ${title}`, () => {
      const reading = read(...lines);
      assert.match(problems(reading).join("\n"), says);
      for (const { place, finding } of reading.problems) {
        assert.equal(finding.code, "source-invalid");
        assert.ok((place.line ?? 0) > 0);
      }
    });
  }

  it("tells of everything else all the same", () => {
    const reading = read("FROM $NOBODY", "FROM b:1", "BOGUS", "COPY --from=c:1 / /");
    assert.deepEqual(images(reading), ["b:1", "c:1"]);
    assert.equal(reading.problems.length, 2);
    assert.deepEqual(
      reading.problems.map(({ place }) => place.line),
      [1, 3],
    );
  });

  it("is no memory bomb: values that double with every line come to an end", () => {
    const lines = ["ARG A0=xxxxxxxxxx"];
    for (let at = 1; at < 60; at += 1) lines.push(`ARG A${at}=$A${at - 1}$A${at - 1}`);
    assert.match(problems(read(...lines, "FROM $A59")).join(""), /too long/);
    const empty = lines.map((line) => line.replace("xxxxxxxxxx", ""));
    assert.match(problems(read(...empty, "FROM a$A59")).join(""), /too long/);
  });

  it("is read in time where every line is nasty", () => {
    const started = processorTime();
    const size = 20_000;
    read("FROM a", `RUN ${"<<".repeat(size)}`);
    read("FROM a", `RUN ${"\\".repeat(size)}`);
    read("FROM a", `RUN ${"--mount=from=x,".repeat(size / 10)}`);
    read("FROM a", ...Array.from({ length: size }, () => "RUN a \\"));
    read(`FROM ${"$".repeat(size)}`);
    read(`FROM ${`\${`.repeat(size)}`);
    read(`FROM ${'"'.repeat(size)}`);
    read("FROM a", `COPY ${" ".repeat(size)}x`, ` ${" ".repeat(size)}\\`);
    assert.ok(processorTime() - started < 3_000);
  });

  it("is read only up to a length", () => {
    const padded = (length: number): string => "FROM a\n".padEnd(length, "#");
    assert.deepEqual(images(read(padded(LIMITS.dockerfileCharacters))), ["a"]);
    assert.match(problems(read(padded(LIMITS.dockerfileCharacters + 1))).join(), /too long/);
  });

  it("follows defaults inside each other only so far", () => {
    const depth = LIMITS.variableDepth + 2;
    assert.match(problems(read(`FROM ${`\${A:-`.repeat(depth)}x${"}".repeat(depth)}`)).join(""), /nests too deeply/);
  });
});

describe("what is no image in a Dockerfile", () => {
  const cases: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ["scratch", ["FROM scratch"]],
    ["a stage before", ["FROM scratch AS a", "FROM a"]],
    ["a stage in other letters, where it is copied from", ["FROM scratch AS Build", "COPY --from=BUILD / /"]],
    ["a stage by its number", ["FROM scratch", "FROM scratch", "COPY --from=0 / /"]],
    ["a later stage that is copied from", ["FROM scratch", "COPY --from=b / /", "FROM scratch AS b"]],
    ["what is in a document", ["FROM scratch", "RUN <<E", "FROM x", "E"]],
    ["what is in a document behind ONBUILD", ["FROM scratch", "ONBUILD RUN <<E", "FROM x", "E"]],
    ["a comment", ["FROM scratch", "# FROM x"]],
    ["a comment between lines of one instruction", ["FROM scratch", "RUN a \\", "# FROM x", "  b"]],
    ["a line that goes on", ["FROM scratch", "RUN a \\", "FROM x"]],
    ["a flag of ADD", ["FROM scratch", "ADD --from=x / /"]],
    ["what follows the flags", ["FROM scratch", "COPY a --from=x /"]],
    ["what follows --", ["FROM scratch", "COPY -- --from=x /"]],
    ["a mount of the build context", ["FROM scratch", "RUN --mount=type=cache,target=/x true"]],
    ["a stage that the builder chooses", ["FROM scratch AS a-arm64", `FROM a-\${TARGETARCH}`]],
    ["syntax behind another comment", ["# a", "# syntax=x", "FROM scratch"]],
    ["syntax behind an instruction", ["FROM scratch", "# syntax=x"]],
    ["a stage in an argument", ["ARG B=a", "FROM scratch AS a", "FROM $B"]],
  ];
  for (const [title, lines] of cases) {
    it(`is ${title}`, () => {
      const reading = read(...lines);
      assert.deepEqual(images(reading), []);
      assert.deepEqual(problems(reading), []);
    });
  }
});

describe("images of a Dockerfile", () => {
  it("are those of stages in other letters: FROM names stages exactly", () => {
    assert.match(problems(read("FROM scratch AS build", "FROM Build")).join(""), /upper-case/);
  });

  it("are stages that only follow: FROM knows those before it", () => {
    assert.deepEqual(images(read("FROM later", "FROM scratch AS later")), ["later"]);
  });

  it("have the value that an argument has by then", () => {
    assert.deepEqual(images(read("ARG A=a:1", "ARG B=$A", "ARG A=a:2", "FROM $B", "FROM $A")), ["a:1", "a:2"]);
  });

  it("take no argument of a stage", () => {
    assert.match(problems(read("FROM scratch", "ARG A=a:1", "FROM $A")).join(""), /A has no value/);
  });

  it("are pinned in an argument that serves for them alone", () => {
    const [mention] = read("ARG TAG=1.27", "FROM nginx:$TAG").mentions;
    assert.deepEqual(mention?.slot, { start: 12, end: 12, before: "@", after: "" });
  });

  const shared: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ["two images", ["ARG T=1", "FROM a:$T", "FROM b:$T"]],
    ["a stage's own use", ["ARG T=1", "FROM a:$T", "ARG T", "RUN echo $T"]],
    ["a stage's use through another", ["ARG T=1", "ARG V=v$T", "FROM a:$T", "ARG V"]],
    ["a platform", ["ARG T=1", "FROM --platform=$T a:$T"]],
  ];
  for (const [title, lines] of shared) {
    it(`are not pinned in an argument that serves for ${title}`, () => {
      const [mention] = read(...lines).mentions;
      assert.equal(mention?.slot, undefined);
      assert.match(mention?.fixed ?? "", /argument T serves for something else/);
    });
  }

  it("are pinned once where two stages are built on the same", () => {
    const { mentions } = read("ARG A=a:1", "FROM $A", "FROM $A");
    assert.deepEqual(
      mentions.map(({ slot }) => slot?.start),
      [9, 9],
    );
  });

  it("are for a platform where it stands there, and for none where the builder's is meant", () => {
    const platforms = read("FROM --platform=linux/arm64 a", "FROM --platform=$TARGETPLATFORM b").mentions;
    assert.deepEqual(
      platforms.map(({ platform }) => platform),
      ["linux/arm64", undefined],
    );
  });
});
