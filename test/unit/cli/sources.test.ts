import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "../../../src/cli/context.ts";
import { readSourceOptions, type SourceOptions } from "../../../src/cli/source-options.ts";
import { type Catalogs, readSources, type Sources } from "../../../src/cli/sources.ts";
import { placeName, type Reading } from "../../../src/core/sources/mention.ts";
import { instant } from "../../../src/core/time.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { temporaryFolder } from "../../support/temp.ts";

const NONE = readSourceOptions({});

interface Room {
  readonly root: string;
  read(sources: readonly string[], options?: Partial<SourceOptions>, catalogs?: Catalogs): Promise<Sources>;
}

async function roomWith(scope: TestContext, files: Readonly<Record<string, string>>, stdin = ""): Promise<Room> {
  const root = await temporaryFolder(scope);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const stream = { stream: process.stderr, isTerminal: false };
  const context: Context = {
    env: {},
    workingDirectory: root,
    homeDirectory: root,
    stdin: Readable.from([stdin]),
    stdout: stream,
    stderr: stream,
    referenceTime: instant(0),
    signal: new AbortController().signal,
    exitCode: 0,
  };
  return {
    root,
    read: (sources, options = {}, catalogs) => readSources(context, sources, { ...NONE, ...options }, catalogs),
  };
}

function told({ mentions, problems }: Reading): readonly string[] {
  return [
    ...mentions.map(({ place, image }) => `${placeName(place)} ${image}`),
    ...problems.map(({ place, finding }) => `! ${placeName(place)} ${finding.code}`),
  ];
}

const POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: pod:1}]}\n";

describe("sources of a command line", () => {
  it("that are not there are wrong usage", async (context) => {
    const { read } = await roomWith(context, {});
    for (const source of ["nothing.yaml", "", "nginx:1.27", "nothing/"]) {
      const { found } = await rejectedBy(() => read([source]), "usage");
      assert.equal(found, source === "" ? "an empty name" : source);
    }
  });

  it("may name standard input once", async (context) => {
    const { read } = await roomWith(context, {}, "nginx\n");
    await rejectedBy(() => read(["-", "-"]), "usage");
    assert.deepEqual(told(await read(["-"])), ["-:1:1 nginx"]);
  });

  it("are problems where nobody can tell what they are, and the rest is read", async (context) => {
    const { read } = await roomWith(context, {
      "a.bin": "\0",
      "b.txt": "what is this",
      "c.txt": "nginx",
      "d.yaml": "a: [\n",
      "e.yaml": POD,
    });
    assert.deepEqual(told(await read(["a.bin", "b.txt", "c.txt", "d.yaml", "e.yaml"])), [
      "c.txt:1:1 nginx",
      "e.yaml:4:38 pod:1",
      "! a.bin source-invalid",
      "! b.txt:1:1 source-invalid",
      "! d.yaml:1:1 source-invalid",
    ]);
  });

  it("are read once, whatever way they are named", async (context) => {
    const { root, read } = await roomWith(context, { "a/b.yaml": POD });
    await symlink(join(root, "a/b.yaml"), join(root, "link.yaml"));
    const { mentions, files } = await read(["a/b.yaml", "link.yaml", "a", "./a/b.yaml", "."]);
    assert.equal(mentions.length, 1);
    assert.deepEqual(
      files.map(({ label, path }) => [label, path]),
      [["a/b.yaml", join(root, "a/b.yaml")]],
    );
  });

  it("have labels as they were named, and files where they really are", async (context) => {
    const { root, read } = await roomWith(context, { "a/b.yaml": POD, "c.yaml": POD });
    await symlink(join(root, "a"), join(root, "link"));
    const { files } = await read(["./a//", "link/", `../${root.split("/").at(-1)}/c.yaml`]);
    assert.deepEqual(
      files.map(({ label }) => label),
      ["./a/b.yaml", `../${root.split("/").at(-1)}/c.yaml`],
    );
    assert.equal(files[0]?.path, join(root, "a/b.yaml"));
    assert.deepEqual(told(await read(["."])), ["a/b.yaml:4:38 pod:1", "c.yaml:4:38 pod:1"]);
  });

  it("are read again by the same rules", async (context) => {
    const { read } = await roomWith(context, { images: "nginx" });
    const { read: again, files } = await read(["images"], { kind: "list" });
    const [file] = files;
    assert.ok(file);
    assert.deepEqual(told(again({ ...file, text: "redis" })), ["images:1:1 redis"]);
  });

  it("that say no image leave no file behind", async (context) => {
    const { read } = await roomWith(context, { "a.yaml": "a: b\n", "b.json": "{}" });
    assert.deepEqual(await read(["."]).then(({ files }) => files), []);
  });

  it("are told whose they are, where labels do not", async (context) => {
    const owned = POD.replace("{name: a}", "{name: a, labels: {team: shop}}");
    const files = {
      ".git/HEAD": "",
      CODEOWNERS: "/deploy/ @acme/platform",
      "deploy/a.yaml": POD,
      "deploy/b.yaml": owned,
      "c.yaml": POD,
    };
    const { read } = await roomWith(context, files);
    const { mentions } = await read(["."]);
    assert.deepEqual(
      mentions.map(({ workload }) => workload?.owner),
      [undefined, "@acme/platform", "shop"],
    );
  });

  it("are what the flags say", async (context) => {
    const { read } = await roomWith(context, {
      "a/x.yaml": POD,
      "a/compose.yaml": "services: {a: {image: web}}",
      "b/x.yaml": POD,
    });
    assert.deepEqual(told(await read(["a"], { kind: "compose" })), ["a/compose.yaml:1:23 web"]);
    assert.deepEqual(told(await read(["."], { exclude: ["a"] })), ["b/x.yaml:4:38 pod:1"]);
    assert.deepEqual(told(await read(["."], { exclude: ["/a/x.yaml", "b"] })), ["a/compose.yaml:1:23 web"]);
  });
});

describe("registries and clusters as sources", () => {
  const page = (image: string): Reading => ({
    mentions: [{ image, kind: "registry", place: { source: "registry://r.example" } }],
    problems: [{ place: { source: "registry://r.example" }, finding: { code: "denied", message: image } }],
  });
  const asked: string[] = [];
  const catalogs: Catalogs = {
    async *listRegistry(source) {
      asked.push(source);
      yield page("a");
      yield page("b");
    },
    async *readCluster(source) {
      asked.push(source);
      yield page("c");
    },
  };

  it("are wrong usage where only files can be read", async (context) => {
    const { read } = await roomWith(context, {});
    for (const source of ["registry://r.example", "cluster://"]) await rejectedBy(() => read([source]), "usage");
  });

  it("are asked page by page", async (context) => {
    const { read } = await roomWith(context, {});
    const { mentions, problems, files } = await read(["registry://r.example/x", "cluster://"], {}, catalogs);
    assert.deepEqual(asked, ["registry://r.example/x", "cluster://"]);
    assert.deepEqual(
      mentions.map(({ image }) => image),
      ["a", "b", "c"],
    );
    assert.deepEqual([problems.length, files.length], [3, 0]);
  });
});

describe("flags of sources", () => {
  it("that say no path of images are wrong usage", () => {
    thrownBy(() => readSourceOptions({ imagePath: ["spec.image"] }), "usage");
  });

  it("are what was given", () => {
    const options = readSourceOptions({ sourceKind: "list", exclude: ["a"], ownerLabel: ["x"], imagePath: ["A=.b"] });
    assert.deepEqual(
      [options.kind, options.exclude, options.ownerLabels, options.customPaths.length],
      ["list", ["a"], ["x"], 1],
    );
    assert.equal(readSourceOptions({}).ownerLabels, undefined);
  });
});
