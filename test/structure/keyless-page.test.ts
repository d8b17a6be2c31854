import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { parseDocument } from "yaml";
import { buildProgram } from "../../src/cli/program.ts";
import { VARIABLES } from "../../src/cli/variables.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { PROVIDERS } from "../../src/io/identity/ambient.ts";
import { captureContext } from "../support/session.ts";
import { blocksOf, withoutBlocks } from "./readme-text.ts";
import { ROOT } from "./source-files.ts";

const text = readFileSync(join(ROOT, "docs/keyless.md"), "utf8");
const blocks = blocksOf(text);
const program = await buildProgram(captureContext().context);

function linesWith(name: string): readonly string[] {
  return blocks.flatMap(({ lines }) => lines).filter((line) => line.includes(`${name} `));
}

/** The flags on a line that no command of that name has. */
function unknownFlags(line: string): readonly string[] {
  const [, name = "", rest = ""] = /\bcountersign ([a-z-]+)(.*)$/.exec(line) ?? [];
  const command: Command | undefined = program.commands.find((one) => one.name() === name);
  if (command === undefined) return [name];
  const flags = rest.match(/(?<=\s)-{1,2}[a-z][a-z-]*/g) ?? [];
  return flags.filter((flag) => !command.options.some((option) => option.long === flag || option.short === flag));
}

describe("docs/keyless.md", () => {
  it("has YAML that is read as it is meant", () => {
    const yaml = blocks.filter(({ language }) => language === "yaml");
    assert.ok(yaml.length >= 5);
    for (const { lines } of yaml) {
      const document = parseDocument(lines.join("\n"), { strict: true, uniqueKeys: true });
      assert.deepEqual([...document.errors, ...document.warnings], []);
    }
  });

  it("calls commands that there are, with flags that they have", () => {
    const lines = linesWith("countersign");
    assert.ok(lines.length >= 7);
    for (const line of lines) assert.deepEqual(unknownFlags(line), [], line);
  });

  it("would notice a flag that there is not", () => {
    assert.deepEqual(unknownFlags("countersign sign -y --identity IMAGE"), ["--identity"]);
    assert.deepEqual(unknownFlags("countersign singe IMAGE"), ["singe"]);
  });

  it("lists where an identity comes from, in the order in which it is looked for", () => {
    const rows = [...text.matchAll(/^\| [0-9] \| `?([^`|]+?)`? \|/gm)].map(([, name]) => name);
    assert.deepEqual(
      rows.slice(1, -1),
      PROVIDERS.map(({ name }) => name),
    );
  });

  it("names variables that are read", () => {
    const known = new Set(VARIABLES.map(({ name }) => name));
    const named = [...withoutBlocks(text).matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name);
    assert.ok(named.length > 5);
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
  });

  it("says how long a person may take", () => {
    assert.equal(LIMITS.signInMs, 120_000);
    assert.equal(LIMITS.deviceSignInMs, 900_000);
    assert.match(text, /for two minutes/);
    assert.match(text, /a\s+quarter of an hour at most/);
  });
});
