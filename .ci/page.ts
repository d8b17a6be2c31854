import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "./bundle.ts";

/** The script and the style of the audit's page, which `src` holds as data: `UPDATE_GOLDEN=1 npm test` writes them. */
export const PAGE = "src/report/audit/html/page.json";
const SOURCES = join(ROOT, "src/report/audit/html/page");

/** Browsers that know `light-dark()`, which the style rests on. */
const BROWSERS = ["chrome123", "firefox120", "safari17.5"];

/** Readable as it is: whoever is sent such a page may look into it. Lines, so that a change shows as one. */
export async function buildPage(): Promise<string> {
  const [script, style] = [await bundled("main.js"), await bundled("page.css")];
  const page = {
    scriptHash: sourceHash(script),
    styleHash: sourceHash(style),
    script: script.split("\n"),
    style: style.split("\n"),
  };
  return `${JSON.stringify(page, undefined, 2)}\n`;
}

async function bundled(name: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: SOURCES,
    stdin: {
      contents: readFileSync(join(SOURCES, name), "utf8"),
      resolveDir: SOURCES,
      loader: name.endsWith("css") ? "css" : "js",
    },
    bundle: true,
    format: "iife",
    target: BROWSERS,
    // Names of files in comments would be the only thing that this leaves out beside comments.
    minifyWhitespace: false,
    legalComments: "none",
    write: false,
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`nothing came of ${name}`);
  return file.text.trim();
}

/** As a Content-Security-Policy names what it allows: `sha256-…`. */
function sourceHash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
