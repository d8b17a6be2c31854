import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { excluding } from "../../../../src/io/sources/exclude.ts";
import { decodeSource, readSourceFile } from "../../../../src/io/sources/file.ts";
import { filesBelow } from "../../../../src/io/sources/folder.ts";
import { FileOwners } from "../../../../src/io/sources/owners.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

async function makeTree(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporaryFolder(context);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

async function labelsBelow(root: string, label = "", exclude: readonly string[] = []): Promise<readonly string[]> {
  const { files, problems } = await filesBelow(root, label, excluding(exclude));
  return [
    ...files.map((file) => file.label),
    ...problems.map(({ place, finding }) => `! ${place.source}: ${finding.message}`),
  ];
}

describe("the files of a folder", () => {
  it("come in the order of their paths, and only those that may be sources", async (context) => {
    const files = {
      "b.yaml": "",
      "a/z.yml": "",
      "a/Dockerfile": "",
      "c.go": "",
      "B.json": "",
      "README.md": "",
      ".github/workflows/x.yml": "",
    };
    const root = await makeTree(context, files);
    assert.deepEqual(await labelsBelow(root), [
      ".github/workflows/x.yml",
      "B.json",
      "a/Dockerfile",
      "a/z.yml",
      "b.yaml",
    ]);
    assert.deepEqual((await labelsBelow(root, "x/y"))[0], "x/y/.github/workflows/x.yml");
    assert.deepEqual((await labelsBelow(root, "/"))[0], "/.github/workflows/x.yml");
  });

  it("are not those of tools, nor what is left out", async (context) => {
    const root = await makeTree(context, {
      ".git/a.yaml": "",
      "node_modules/x/a.yaml": "",
      "a/node_modules/b.yaml": "",
      "vendor/a.yaml": "",
      "deploy/test/a.yaml": "",
      "deploy/a.test.yaml": "",
      "deploy/keep.yaml": "",
    });
    const kept = await labelsBelow(root, "", ["vendor", "deploy/**/test", "*.test.yaml"]);
    assert.deepEqual(kept, ["deploy/keep.yaml"]);
    assert.deepEqual(await labelsBelow(root, "", ["vendor/", "/deploy/"]), []);
  });

  it("are read below a link that was named, but no link leads out of it", async (context) => {
    const outside = await makeTree(context, { "a.yaml": "", "x.txt": "" });
    const root = await makeTree(context, { "in/b.yaml": "" });
    await symlink(outside, join(root, "folder"));
    await symlink(join(outside, "a.yaml"), join(root, "file.yaml"));
    await symlink(join(outside, "x.txt"), join(root, "none-of-ours.txt"));
    await symlink(join(root, "in/b.yaml"), join(root, "same.yaml"));
    await symlink(root, join(root, "in/circle"));
    await symlink(join(root, "nowhere"), join(root, "nothing.yaml"));
    const says = "a link leads out of the folder and was not followed";
    assert.deepEqual(await labelsBelow(root), ["in/b.yaml", `! file.yaml: ${says}`, `! folder: ${says}`]);
  });

  it("are told of once where they are a chart's templates", async (context) => {
    const root = await makeTree(context, {
      "shop/Chart.yaml": "",
      "shop/values.yaml": "",
      "shop/templates/a.yaml": "",
      "shop/templates/b.yaml": "",
      "shop/crds/c.yaml": "",
      "templates/d.yaml": "",
    });
    assert.deepEqual(await labelsBelow(root), [
      "shop/Chart.yaml",
      "shop/crds/c.yaml",
      "shop/values.yaml",
      "templates/d.yaml",
      "! shop/templates: the templates of a Helm chart name no images before they are rendered",
    ]);
  });

  it("are looked for only so deep", async (context) => {
    const deep = (levels: number): string => `${"a/".repeat(levels)}x.yaml`;
    const root = await makeTree(context, { [deep(LIMITS.sourceFolderDepth)]: "" });
    assert.deepEqual(await labelsBelow(root), [deep(LIMITS.sourceFolderDepth)]);
    await mkdir(join(root, "a/".repeat(LIMITS.sourceFolderDepth + 1)), { recursive: true });
    assert.match((await labelsBelow(root)).join(), /! .*there is more in the folder than is looked through/);
  });

  it("are a problem where the folder cannot be read", async (context) => {
    const root = await temporaryFolder(context);
    const { files, problems } = await filesBelow(join(root, "gone"), "gone", excluding([]));
    assert.deepEqual(files, []);
    assert.deepEqual(
      problems.map(({ place, finding }) => [place.source, finding.code]),
      [["gone", "disk-error"]],
    );
  });

  it("are no longer looked for when the command is stopped", async (context) => {
    const root = await makeTree(context, { "a.yaml": "" });
    const stopped = AbortSignal.abort();
    await rejectedBy(() => filesBelow(root, "", excluding([]), stopped), "interrupted");
  });
});

describe("a file as a source", () => {
  it("is text, and not more than can be read", () => {
    assert.equal(decodeSource(Buffer.from("a\u{feff}é")), "a\u{feff}é");
    for (const bytes of [
      Buffer.from([0x61, 0]),
      Buffer.from([0xff, 0xfe]),
      Buffer.from([0xc3]),
      Buffer.from("aé", "utf16le"),
    ]) {
      assert.throws(() => decodeSource(bytes), { code: "source-invalid" });
    }
    assert.equal(decodeSource(Buffer.alloc(LIMITS.sourceFileBytes, "a")).length, LIMITS.sourceFileBytes);
    assert.throws(() => decodeSource(Buffer.alloc(LIMITS.sourceFileBytes + 1, "a")), { code: "limit-reached" });
  });

  it("is no link and no folder, and is there", async (context) => {
    const root = await makeTree(context, { "a.yaml": "é" });
    await symlink(join(root, "a.yaml"), join(root, "link.yaml"));
    for (const name of ["link.yaml", "nothing.yaml", "."]) {
      await rejectedBy(() => readSourceFile(join(root, name), name), "source-invalid");
    }
    const { text, bytes, label } = await readSourceFile(join(root, "a.yaml"), "x");
    assert.deepEqual([text, bytes.byteLength, label], ["é", 2, "x"]);
  });
});

describe("who answers for a file", () => {
  it("is nobody outside of a repository, and without CODEOWNERS", async (context) => {
    const root = await makeTree(context, { CODEOWNERS: "* @a", "x/.git/HEAD": "", "x/a.yaml": "" });
    const owners = new FileOwners();
    assert.equal(await owners.ownerOf(join(root, "x/a.yaml")), undefined);
  });

  it("is said by the repository that it is in, by the first file that is there", async (context) => {
    const root = await makeTree(context, {
      ".git/HEAD": "",
      ".github/CODEOWNERS": "/deploy/ @a",
      CODEOWNERS: "* @b",
      "deploy/a.yaml": "",
      "module/.git": "gitdir: elsewhere",
      "module/docs/CODEOWNERS": "a.yaml @c",
      "module/deploy/a.yaml": "",
    });
    const owners = new FileOwners();
    assert.equal(await owners.ownerOf(join(root, "deploy/a.yaml")), "@a");
    assert.equal(await owners.ownerOf(join(root, "a.yaml")), undefined);
    assert.equal(await owners.ownerOf(join(root, "module/deploy/a.yaml")), "@c");
  });

  it("is told by the next place where one cannot be read", async (context) => {
    const root = await makeTree(context, { ".git/HEAD": "", CODEOWNERS: "\0", "docs/CODEOWNERS": "* @d" });
    assert.equal(await new FileOwners().ownerOf(join(root, "a")), "@d");
  });
});
