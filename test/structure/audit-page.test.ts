import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { buildPage, PAGE } from "../../.ci/page.ts";
import { ROOT } from "./source-files.ts";

const SOURCES = "src/report/audit/html/page";

describe("the script and the style of the audit's page", () => {
  it(`in ${PAGE} are what ${SOURCES} makes`, async () => {
    const built = await buildPage();
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(join(ROOT, PAGE), built);
    assert.equal(readFileSync(join(ROOT, PAGE), "utf8"), built, "UPDATE_GOLDEN=1 writes it");
  });

  it("have no error of types: they are JavaScript, with types in comments", () => {
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", join(ROOT, SOURCES)], { encoding: "utf8" });
    assert.deepEqual([status, stdout], [0, ""]);
  });

  it("parse nothing as HTML, fetch nothing, and make no code of text", () => {
    const { script } = JSON.parse(readFileSync(join(ROOT, PAGE), "utf8")) as { readonly script: readonly string[] };
    const forbidden =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|\bFunction\(|\bfetch\b|XMLHttpRequest|WebSocket|sendBeacon|EventSource|\bimport\(/;
    assert.deepEqual(
      script.filter((line) => forbidden.test(line)),
      [],
    );
  });

  it("load nothing by style", () => {
    const { style } = JSON.parse(readFileSync(join(ROOT, PAGE), "utf8")) as { readonly style: readonly string[] };
    assert.deepEqual(
      style.filter((line) => /url\(|@import|@font-face/.test(line)),
      [],
    );
  });
});

describe("the page in a build", () => {
  it("is ASCII, as which the launcher reads scripts: the text of a tagged template cannot be escaped", async () => {
    const { outputFiles } = await build({
      absWorkingDir: ROOT,
      entryPoints: ["src/report/audit/html.ts"],
      bundle: true,
      platform: "node",
      write: false,
    });
    const lines = outputFiles.flatMap(({ text }) => text.split("\n"));
    assert.ok(lines.length > 1_000);
    assert.deepEqual(
      lines.filter((line) => /[^\x00-\x7f]/.test(line)),
      [],
    );
  });
});
