import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { build, type Metafile } from "esbuild";
import { type ImportEdge, importsOf, impurities, refusalOf, target } from "./import-rules.ts";
import { filesBelow, ROOT } from "./source-files.ts";

const ENTRIES = ["src/cli/main.ts", "src/index.ts"];
const sources = filesBelow("src");
const edges = sources.flatMap(({ path, text }) => importsOf(path, text));
const metafile = await bundleGraph();

async function bundleGraph(): Promise<Metafile> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: "dist",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    write: false,
  });
  return result.metafile;
}

/** The imports that remain at run time, as the bundler sees them. */
function runtimeEdges(): readonly ImportEdge[] {
  return Object.entries(metafile.inputs).flatMap(([from, { imports }]) =>
    imports.map(({ path, kind, external }) => ({
      from,
      to: external === true ? target(from, path) : path,
      dynamic: kind === "dynamic-import",
    })),
  );
}

/** Everything that loading `entry` loads, following the edges given. */
function closure(entry: string, graph: readonly ImportEdge[]): ReadonlySet<string> {
  const seen = new Set([entry]);
  for (const file of seen) {
    for (const edge of graph) if (edge.from === file) seen.add(edge.to);
  }
  return seen;
}

describe("imports point inwards", () => {
  it("in the text of every source file, type-only imports included", () => {
    assert.deepEqual(edges.map(refusalOf).filter(Boolean), []);
  });

  it("in what the bundler sees at run time", () => {
    assert.deepEqual(runtimeEdges().map(refusalOf).filter(Boolean), []);
  });

  it("and the text names every import that the bundler sees", () => {
    const named = new Set(edges.map(({ from, to }) => `${from} → ${to}`));
    const missed = runtimeEdges().filter(({ from, to }) => from.startsWith("src/") && !named.has(`${from} → ${to}`));
    assert.deepEqual(missed, []);
  });

  it("only io/http imports undici, and only cli imports commander", () => {
    const importers = (name: string) => new Set(edges.filter(({ to }) => to === name).map(({ from }) => from));
    assert.deepEqual(
      [...importers("undici")].filter((file) => !file.startsWith("src/io/http/")),
      [],
    );
    assert.deepEqual(
      [...importers("commander")].filter((file) => !file.startsWith("src/cli/")),
      [],
    );
  });

  it("nothing imports cli, and only cli and index.ts import wire.ts", () => {
    const outside = edges.filter(({ from }) => !from.startsWith("src/cli/"));
    assert.deepEqual(
      outside.filter(({ to }) => to.startsWith("src/cli/")),
      [],
    );
    assert.deepEqual(
      outside.filter(({ from, to }) => to === "src/wire.ts" && from !== "src/index.ts"),
      [],
    );
  });

  it("every source file is reached from the command or the library", () => {
    const reached = new Set(ENTRIES.flatMap((entry) => [...closure(entry, edges)]));
    assert.deepEqual(
      sources.map(({ path }) => path).filter((path) => !reached.has(path)),
      [],
    );
  });
});

describe("what is measured", () => {
  it("is all of core: no file is left out of the coverage because no test loads it", () => {
    // The tests of the launcher hold programs in strings, and load nothing of core.
    const tests = ["test/unit", "test/properties", "test/contracts"]
      .flatMap((folder) => filesBelow(folder))
      .filter(({ path }) => !path.startsWith("test/unit/bin/"));
    const all = [...edges, ...tests.flatMap(({ path, text }) => importsOf(path, text))];
    const loaded = new Set(tests.flatMap(({ path }) => [...closure(path, all)]));
    const core = sources.filter(({ path }) => path.startsWith("src/core/"));
    assert.deepEqual(
      core.map(({ path }) => path).filter((path) => !loaded.has(path)),
      [],
    );
  });
});

describe("core is pure", () => {
  for (const { path, text } of sources.filter((source) => source.path.startsWith("src/core/"))) {
    it(`${path} reaches for no clock, process, timer, chance or network`, () => {
      assert.deepEqual(impurities(text), []);
    });
  }
});

describe("what is not used is not loaded", () => {
  const atStart = runtimeEdges().filter(({ dynamic }) => !dynamic);
  const packagesOf = (entry: string) => [...closure(entry, atStart)].filter((file) => !/^(?:src\/|node:)/.test(file));

  it("the command starts without a single package", () => {
    assert.deepEqual(packagesOf("src/cli/main.ts"), []);
  });

  it("the command tree is built without the registry client, the layouts and the testbed", () => {
    const loaded = [...closure("src/cli/program.ts", atStart)];
    assert.deepEqual(
      loaded.filter((file) => /^(?:src\/(?:io|ops|testbed|wire)|undici|tar-stream|@noble)/.test(file)),
      [],
    );
  });
});

describe("the checker itself refuses", () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ["core that opens files", "src/core/made-up.ts", 'import { readFile } from "node:fs/promises";'],
    ["core that only takes a type from an adapter", "src/core/made-up.ts", 'import type { A } from "../io/disk/a.ts";'],
    ["core/oci that looks to its right", "src/core/oci/made-up.ts", 'import { a } from "../verify/verify.ts";'],
    ["core/formats that re-exports the judge", "src/core/formats/a.ts", 'export { a } from "../verify/verify.ts";'],
    ["core that loads a package on demand", "src/core/made-up.ts", 'const a = await import("undici");'],
    ["a second importer of undici", "src/io/registry/made-up.ts", 'import { request } from "undici";'],
    ["an adapter that uses another", "src/io/layout/made-up.ts", 'import { a } from "../registry/store.ts";'],
    ["an adapter that uses a verb", "src/io/registry/made-up.ts", 'import { a } from "../../ops/verify.ts";'],
    ["a verb that makes its own adapter", "src/ops/made-up.ts", 'import { a } from "../io/registry/store.ts";'],
    ["a verb that opens files", "src/ops/made-up.ts", 'import { open } from "node:fs/promises";'],
    ["a report that reads the disk", "src/report/made-up.ts", 'import { a } from "../io/disk/atomic.ts";'],
    [
      "a testbed that shares the client's code",
      "src/testbed/made-up.ts",
      'import { a } from "../io/registry/auth.ts";',
    ],
    ["anyone who imports cli", "src/ops/made-up.ts", 'import { a } from "../cli/output.ts";'],
    ["a library that imports cli", "src/index.ts", 'export { a } from "./cli/output.ts";'],
    ["a verb that wires itself", "src/ops/made-up.ts", 'import { wire } from "../wire.ts";'],
    ["a file in no room", "src/made-up.ts", 'import { a } from "./core/json.ts";'],
    ["an import spread over lines", "src/core/a.ts", 'import {\n  type A,\n  b,\n} from "../io/disk/a.ts";'],
    ["an import for its side effects", "src/core/made-up.ts", 'import "node:fs";'],
    ["a type in an expression", "src/core/made-up.ts", 'type A = import("../cli/context.ts").Context;'],
    ["a path that climbs out of its room", "src/core/oci/a.ts", 'import { a } from "../oci/../../io/disk/a.ts";'],
  ];
  for (const [what, path, text] of refused) {
    it(what, () => {
      assert.notDeepEqual(importsOf(path, text).map(refusalOf).filter(Boolean), []);
    });
  }

  for (const text of [
    "await import(name);",
    "await import(`./a.ts`);",
    'createRequire(url)("undici");',
    "require(name);",
  ]) {
    it(`an import that cannot be read: ${text}`, () => {
      assert.throws(() => importsOf("src/cli/made-up.ts", text), /imports something computed/);
    });
  }

  for (const text of [
    "const now = Date.now();",
    "const now = new Date();",
    "const home = process.env.HOME;",
    "const { env } = process;",
    "setTimeout(run, 1);",
    "const id = Math.random();",
    "const seed = randomBytes(8);",
    "await fetch(url);",
  ]) {
    it(`impure code: ${text}`, () => assert.notDeepEqual(impurities(text), []));
  }

  it("and lets pass what is pure", () => {
    assert.deepEqual(
      impurities('/** process.env */ const a = new Date(at); // Date.now()\nconst b = "process.env";'),
      [],
    );
    const [edge] = importsOf("src/core/oci/a.ts", 'import { a } from "../json.ts";');
    assert.equal(edge && refusalOf(edge), undefined);
  });
});
