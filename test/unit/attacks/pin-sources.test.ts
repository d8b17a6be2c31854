import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readSource } from "../../../src/core/sources/read.ts";
import { excluding } from "../../../src/io/sources/exclude.ts";
import { filesBelow } from "../../../src/io/sources/folder.ts";
import { temporaryFolder } from "../../support/temp.ts";

const POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: nginx:1.27\n";
const FLOW = '{apiVersion: v1, kind: Pod, spec: {containers: [{image: "nginx:1.27"}]}}\n';
const JSON_TEXT = '{"spec":{"containers":[{"image":"nginx:1.27"}]},"kind":"Pod","apiVersion":"v1"}\n';

/** What kubectl applies, and no pattern about the beginnings of lines finds. */
const WRITTEN: Readonly<Record<string, string>> = {
  "behind a byte order mark": `\u{feff}${POD}`,
  "in braces": FLOW,
  "in braces behind dashes": `--- ${FLOW}`,
  indented: POD.replace(/^/gm, "  "),
  "as JSON below a comment": `# rendered\n${JSON_TEXT}`,
  "as JSON with a comma too many": JSON_TEXT.replace("}]", "},]"),
  "behind another document": `a: 1\n--- ${FLOW}`,
};

describe("an object that is written so that nobody should find its image", () => {
  for (const [how, text] of Object.entries(WRITTEN)) {
    for (const label of ["pod.yaml", "values.yaml", "pod.json"]) {
      it(`is found ${how} in ${label}`, () => {
        const { mentions } = readSource({ label, text });
        assert.deepEqual(
          mentions.map(({ image }) => image),
          ["nginx:1.27"],
        );
      });
    }
  }

  it("is found in services whose name has quotes", () => {
    const { mentions } = readSource({ label: "stack.yml", text: '"services":\n  web:\n    image: nginx:1.27\n' });
    assert.deepEqual(
      mentions.map(({ image }) => image),
      ["nginx:1.27"],
    );
  });

  it("is none where the words stand somewhere inside of something else", () => {
    for (const label of ["x.yaml", "x.json"]) {
      const text = '{"a":{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"nginx:1.27"}]}}}';
      assert.deepEqual(readSource({ label, text }), { mentions: [], problems: [] });
    }
  });
});

describe("a link in a folder that leads to what is not looked at by its own name", () => {
  it("is read, be it called otherwise or left out", async (context) => {
    const root = await temporaryFolder(context);
    for (const folder of ["node_modules", "left", "kept"]) await mkdir(join(root, folder));
    for (const file of ["pod.v1", "node_modules/a.yaml", "left/b.yaml", "kept/c.yaml"]) {
      await writeFile(join(root, file), POD);
    }
    await symlink("pod.v1", join(root, "1.yaml"));
    await symlink("node_modules/a.yaml", join(root, "2.yaml"));
    await symlink("left/b.yaml", join(root, "3.yaml"));
    await symlink("kept/c.yaml", join(root, "4.yaml"));
    await symlink("pod.v1", join(root, "5.txt"));
    const { files, problems } = await filesBelow(root, "", excluding(["left"]));
    assert.deepEqual(
      files.map(({ label }) => label),
      ["1.yaml", "2.yaml", "3.yaml", "kept/c.yaml"],
    );
    assert.deepEqual(problems, []);
  });

  it("is said where it is a folder", async (context) => {
    const root = await temporaryFolder(context);
    await mkdir(join(root, "node_modules"));
    await writeFile(join(root, "node_modules/a.yaml"), POD);
    await symlink("node_modules", join(root, "deploy"));
    const { files, problems } = await filesBelow(root, "", excluding([]));
    assert.deepEqual(files, []);
    assert.deepEqual(
      problems.map(({ place }) => place.source),
      ["deploy"],
    );
  });
});
