import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { concludeAudit } from "../../../src/cli/audit-report.ts";
import { askStore, checkStore, keepAudit } from "../../../src/cli/audit-store.ts";
import { openOutput } from "../../../src/cli/output.ts";
import type { Audit } from "../../../src/core/audit/audit.ts";
import { rejectedBy } from "../../support/codes.ts";
import { imageOf, politeAudit } from "../../support/sample-audit.ts";
import { captureContext } from "../../support/session.ts";
import { temporaryFolder } from "../../support/temp.ts";

const GOOD = politeAudit({ images: [imageOf("registry.example/a:1")], problems: [] });
const OPTIONS = { outputFile: undefined, quiet: false, debug: false, progress: false };

async function conclude(workingDirectory: string, audit: Audit) {
  const captured = captureContext({ workingDirectory });
  const { context } = captured;
  const options = { failOn: ["refused"], store: "audits.db", filesUrl: undefined } as const;
  await concludeAudit(context, openOutput(context, { ...OPTIONS, format: "json" }), audit, options);
  return captured;
}

describe("the store of a command", () => {
  it("is in the folder that the command runs in, and has what was concluded", async (t) => {
    const folder = await temporaryFolder(t);
    const { context } = await conclude(folder, GOOD);
    assert.equal(context.exitCode, 0);
    assert.equal(await askStore({ workingDirectory: folder }, "audits.db", (store) => store.latestRuns().length), 1);
  });

  it("takes nothing from the report where it cannot be written: one document, the reason, and exit code 2", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "audits.db"), "something else\n".repeat(50));
    const { context, stdout, stderr } = await conclude(folder, GOOD);
    assert.equal(JSON.parse(stdout()).images.length, 1);
    assert.match(stderr(), /audits\.db is no store of countersign.*\[record-invalid\]/);
    assert.equal(context.exitCode, 2);
  });

  it("does not hide by its own trouble that an image was refused", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "audits.db"), "something else\n".repeat(50));
    const { context, stderr } = await conclude(folder, politeAudit());
    assert.match(stderr(), /record-invalid/);
    assert.equal(context.exitCode, 1);
  });

  it("is tried before anything is looked at", async (t) => {
    const place = { workingDirectory: await temporaryFolder(t) };
    await checkStore(place, "audits.db");
    assert.equal(await keepAudit(place, "audits.db", GOOD), true);
    await checkStore(place, "audits.db");
    assert.equal(await keepAudit(place, "audits.db", GOOD), false);
    await rejectedBy(() => checkStore(place, "missing/audits.db"), "disk-error");
    await rm(join(place.workingDirectory, "audits.db"));
    await rejectedBy(() => askStore(place, "audits.db", () => undefined), "record-invalid");
  });
});
