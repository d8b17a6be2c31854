import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

describe("an audit that is interrupted while it waits to ask again", () => {
  it("reports nothing of what it has, and ends with 130", async (t) => {
    const registry = await startRegistry();
    t.after(() => registry.close());
    const folder = await temporaryFolder(t);
    await pushImage(`${registry.address}/acme/web:1`, "web");
    const place = { workingDirectory: folder, homeDirectory: folder, env: { COSIGN_PASSWORD: "a long password" } };
    assert.equal(await run("key generate".split(" "), captureContext(place).context), 0);
    // Nobody listens on port 1: the audit tries again after a second.
    await writeFile(join(folder, "images.txt"), `127.0.0.1:1/acme/web:1\n${registry.address}/acme/web:1\n`);
    const stop = new AbortController();
    const { context, stdout } = captureContext({ ...place, signal: stop.signal });
    const line = "audit --key cosign.pub --journal journal --store audits.db --output-file report.txt images.txt";
    const ended = run(line.split(" "), context);
    await untilItSays(join(folder, "journal"), "unsigned");
    stop.abort(new CountersignError("interrupted", "interrupted"));
    assert.equal(await ended, 130);
    assert.equal(stdout(), "");
    const left = await readdir(folder);
    assert.equal(left.includes("report.txt"), false);
    assert.ok((await readFile(join(folder, "journal"), "utf8")).includes('"verdict":"refused"'));
  });
});

async function untilItSays(file: string, word: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.includes(word)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${file} never says ${word}`);
}
