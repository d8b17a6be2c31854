import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { filesBelow, ROOT, readSource, type SourceFile } from "./source-files.ts";

const TEXTS = [".ts", ".js", ".mjs", ".md", ".json", ".sh", ".txt", ".yaml", ".yml", "run"];
const FOLDERS = ["src", "bin", "test", "bench", "deploy", "docs", "keys-example", ".ci"];
/** This file has to name what it forbids. */
const SELF = "test/structure/house.test.ts";

function everything(): readonly SourceFile[] {
  const below = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    filesBelow(folder, TEXTS),
  );
  const atRoot = readdirSync(ROOT).filter((name) => name !== "LICENSE" && statSync(join(ROOT, name)).isFile());
  return [...below, ...atRoot.map(readSource)].filter(({ path }) => path !== SELF && !path.startsWith("test/vectors/"));
}

interface Rule {
  readonly name: string;
  readonly forbidden: RegExp;
  readonly where: RegExp;
  readonly example: string;
}

const CODE = /\.(?:ts|js|mjs|sh)$|^\.ci\/run$/;
const RULES: readonly Rule[] = [
  {
    name: "no notes to finish something later",
    forbidden: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    where: /./,
    example: "// TODO: check this",
  },
  {
    name: "no test that is skipped or runs alone (the interop suite counts what it lacks)",
    forbidden: /\b(?:it|test|describe|suite|t)\.(?:skip|only|todo)\b|\bskip: ?(?:true|")|\b(?:only|todo): ?true/,
    where: /^test\/(?!interop\/|support\/)/,
    example: 'it.skip("works")',
  },
  {
    name: "no switched-off check of the compiler or the linter",
    forbidden: /biome-ignore|eslint-disable|@ts-(?:ignore|nocheck)/,
    where: CODE,
    example: "// biome-ignore lint: not now",
  },
  {
    name: "no expected compiler error outside the tests of types",
    forbidden: /@ts-expect-error/,
    where: /^(?!test\/types\/).*\.ts$/,
    example: "// @ts-expect-error",
  },
  {
    name: "nothing that Node 22 cannot parse or does not have (explicit resource management)",
    forbidden: /\bawait using\b|\bSuppressedError\b|^\s*using \w+ =/m,
    where: /^(?:src|bin)\//,
    example: "await using registry = await startRegistry();",
  },
  {
    name: "no any",
    forbidden: /(?:[:<,|&(]\s*|\bas )any\b(?=\s*[;,)>=\]|&[{]|$)/m,
    where: /\.ts$/,
    example: "const a = b as any;",
  },
  {
    name: "no path of one machine",
    forbidden: /(?<![\w.~$}:])\/(?:work|root|tmp|home|Users)\/[\w.]/,
    where: /./,
    example: 'open("/tmp/a")',
  },
  {
    name: "no host of a package registry",
    forbidden: /registry\.npmjs\.org|proxy\.golang\.org|npmmirror|pypi\.org/,
    where: /./,
    example: '"resolved": "https://registry.npmjs.org/a"',
  },
];

function offences(rule: Rule, files: readonly SourceFile[]): readonly string[] {
  return files
    .filter(({ path }) => rule.where.test(path))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => (rule.forbidden.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
    );
}

describe("house rules", () => {
  const files = everything();
  for (const rule of RULES) {
    it(rule.name, () => assert.deepEqual(offences(rule, files), []));

    it(`${rule.name}: the rule finds an offence`, () => {
      const path = ["test/unit/made-up.ts", "src/made-up.ts"].find((candidate) => rule.where.test(candidate)) ?? "";
      assert.equal(offences(rule, [{ path, text: rule.example }]).length, 1);
    });
  }

  it("every test file is named so that the runner finds it", () => {
    const tests = filesBelow("test").filter(
      ({ text }) => /from "node:test"/.test(text) && /^(?:it|test|describe)\(/m.test(text),
    );
    assert.deepEqual(
      tests.map(({ path }) => path).filter((path) => !path.endsWith(".test.ts") && path !== SELF),
      [],
    );
  });
});
