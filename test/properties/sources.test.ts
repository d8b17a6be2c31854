import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { readCodeowners } from "../../src/core/sources/codeowners.ts";
import { readCompose } from "../../src/core/sources/compose.ts";
import { readDockerfile } from "../../src/core/sources/dockerfile.ts";
import { readGithubActions } from "../../src/core/sources/github-actions.ts";
import { readGitlabCi } from "../../src/core/sources/gitlab-ci.ts";
import { readList } from "../../src/core/sources/list.ts";
import type { Reading, SourceText } from "../../src/core/sources/mention.ts";
import { readSource } from "../../src/core/sources/read.ts";
import { edited, textEdits } from "../support/edited-text.ts";
import { property } from "../support/property.ts";
import { checkAgain } from "../support/source-golden.ts";
import { applySlots, slotsOf } from "../support/source-slots.ts";

const ROOT = fileURLToPath(new URL("../golden/sources/", import.meta.url));
const READERS = {
  compose: readCompose,
  dockerfile: readDockerfile,
  "github-actions": readGithubActions,
  "gitlab-ci": readGitlabCi,
  list: readList,
} as const;

interface Sample {
  readonly read: (file: SourceText) => Reading;
  readonly text: string;
}

const samples: readonly Sample[] = Object.entries(READERS).flatMap(([kind, read]) =>
  readdirSync(join(ROOT, kind)).flatMap((name) =>
    readdirSync(join(ROOT, kind, name))
      .filter((file) => file !== "found.txt")
      .map((file) => ({ read, text: readFileSync(join(ROOT, kind, name, file), "utf8") })),
  ),
);

/** What files are made of, and what breaks them. */
const pieces = [
  ..."\n\r\t #:-[]{}$@%\"'\\`<>=,*&!|~\u{feff}",
  ..."aZ1.",
  "\\\n",
  "`\n",
  "\r\n",
  "FROM ",
  " AS a\n",
  "ARG A=b\n",
  "COPY --from=",
  "RUN --mount=from=",
  "ONBUILD ",
  "<<EOF\n",
  "EOF\n",
  "$A",
  "\u0024{A:-b}",
  "\u0024{A",
  "\u0024{{ matrix.image }}",
  "image: ",
  "build: .\n",
  "variables: { A: b }\n",
  "extends: .hidden\n",
  "<<: *base\n",
  "docker://",
  "@sha256:",
  "---\n",
];

const edits = textEdits(pieces);

/** Read twice it is the same; slots lie apart and are in the text; filled, they change what they are about and nothing else. */
function checkReading({ read, text }: Sample): void {
  const file = { label: "a", text };
  const reading = read(file);
  assert.deepEqual(read(file), reading);
  let end = 0;
  for (const slot of slotsOf(reading.mentions)) {
    assert.ok(slot.start >= end && slot.end >= slot.start && slot.end <= text.length, JSON.stringify(slot));
    end = slot.end;
  }
  const bySlot = new Map<number, string>();
  for (const { slot, fixed, image, place } of reading.mentions) {
    assert.equal(slot === undefined, fixed !== undefined);
    assert.ok((place.line ?? 0) > 0 && (place.column ?? 0) > 0);
    if (slot !== undefined) assert.equal(bySlot.get(slot.start) ?? image, image, "one slot, one image");
    if (slot !== undefined) bySlot.set(slot.start, image);
  }
  for (const { finding } of reading.problems)
    assert.ok(finding.code === "source-invalid" && finding.wanted !== undefined);
  const pinned = applySlots(text, reading.mentions);
  const again = read({ label: "a", text: pinned });
  checkAgain(reading, again);
  assert.equal(applySlots(pinned, again.mentions), pinned);
}

describe("sources of people and pipelines", () => {
  property(
    "pinned, they say the same with digests, whatever happened to them",
    [fc.constantFrom(...samples), edits],
    (sample, changes) => checkReading({ ...sample, text: edited(sample.text, changes) }),
  );

  property(
    "junk is read without a failure",
    [fc.constantFrom(...Object.values(READERS)), fc.array(fc.constantFrom(...pieces), { maxLength: 40 })],
    (read, parts) => checkReading({ read, text: parts.join("") }),
  );

  property(
    "whatever a file is called, it is read as something or told of",
    [
      fc.constantFrom(
        "Dockerfile",
        "a.yaml",
        "compose.yml",
        ".gitlab-ci.yml",
        "values.yaml",
        "a.json",
        "x",
        "images.txt",
      ),
      fc.constantFrom(...samples),
      edits,
      fc.boolean(),
    ],
    (label, { text }, changes, isNamed) => {
      const { mentions, problems } = readSource({ label, text: edited(text, changes) }, { isNamed });
      assert.ok(
        mentions.every(({ place }) => place.source === label) && problems.every(({ place }) => place.source === label),
      );
    },
  );
});

describe("CODEOWNERS", () => {
  const names = fc.array(fc.constantFrom("a", "b", "ab", "c.md", ".x"), { minLength: 1, maxLength: 5 });
  const parts = fc.array(fc.constantFrom("a", "b", "*", "**", "?", "a*", "*.md", ""), { minLength: 1, maxLength: 5 });

  property("say the same of a path and a pattern as a regular expression", [parts, names], (pattern, path) => {
    const text = pattern.join("/");
    const expected = gitlabExpression(text).test(path.join("/"));
    assert.equal(readCodeowners(`${text} @o`, true)(path.join("/")) !== undefined, text !== "" && expected, text);
  });
});

/** GitLab's pattern as a regular expression: slow, and plainly right. */
function gitlabExpression(pattern: string): RegExp {
  const segments = pattern.replace(/^\//, "").split("/");
  if (!pattern.startsWith("/")) segments.unshift("**");
  const isOpen = segments.at(-1) === "";
  if (isOpen) segments.splice(-1, 1, "*", "**");
  const source = segments
    .map((segment) =>
      segment === "**"
        ? "(?:[^/]+/)*"
        : `${segment.replace(/[.]/g, "\\.").replace(/[*]/g, "[^/]*").replace(/[?]/g, "[^/]")}/`,
    )
    .join("");
  return { test: (path: string) => new RegExp(`^${source}$`).test(`${path}/`) } as RegExp;
}
