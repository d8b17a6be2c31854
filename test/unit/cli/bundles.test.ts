import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readBundles } from "../../../src/cli/bundles.ts";
import { LIMITS } from "../../../src/core/limits.ts";

const workingDirectory = mkdtempSync(join(tmpdir(), "bundles-"));
after(() => rmSync(workingDirectory, { recursive: true, force: true }));
const read = (...files: readonly string[]) => readBundles({ workingDirectory }, files);

describe("files of --bundle", () => {
  it("are none where none was given, so that what is stored is looked at", async () => {
    assert.equal(await read(), undefined);
  });

  it("are read as they are, in their order, through links and up to the limit", async () => {
    const largest = Buffer.alloc(LIMITS.signatureBytes, "x");
    writeFileSync(join(workingDirectory, "a"), largest);
    writeFileSync(join(workingDirectory, "b"), "{}");
    symlinkSync("b", join(workingDirectory, "link"));
    const [a, b] = (await read("a", "link")) ?? [];
    assert.ok(largest.equals(a ?? new Uint8Array()));
    assert.equal(Buffer.from(b ?? []).toString(), "{}");
  });

  it("are refused when they are one byte larger than a bundle may be", async () => {
    writeFileSync(join(workingDirectory, "large"), Buffer.alloc(LIMITS.signatureBytes + 1));
    await assert.rejects(read("b", "large"), { code: "limit-reached", found: "large" });
  });

  it("are read no further than the limit where they have no end", { skip: process.platform === "win32" }, async () => {
    await assert.rejects(read("/dev/zero"), { code: "limit-reached" });
  });

  for (const [what, file, found] of [
    ["missing", "missing", "missing: there is no such file"],
    ["a folder", ".", ".: it is a folder"],
  ] as const) {
    it(`cannot be used when one is ${what}`, async () => {
      await assert.rejects(read(file), { code: "configuration-invalid", found });
    });
  }
});
