import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../../../src/cli/main.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

describe("an audit that is interrupted while it waits to ask again", () => {
  it("reports nothing of what it has, and ends with 130", async (t) => {
    const [registry, busy] = [await startRegistry(), await startRegistry()];
    t.after(() => Promise.all([registry.close(), busy.close()]));
    const folder = await temporaryFolder(t);
    await pushImage(`${registry.address}/acme/web:1`, "web");
    const place = { workingDirectory: folder, homeDirectory: folder, env: { COSIGN_PASSWORD: "a long password" } };
    assert.equal(await run("key generate".split(" "), captureContext(place).context), 0);
    // Longer than a request waits, less than an audit does.
    busy.faults.when(() => true, { kind: "status", status: 429, retryAfter: "200" });
    await writeFile(join(folder, "images.txt"), `${busy.address}/acme/web:1\n${registry.address}/acme/web:1\n`);
    const stop = new AbortController();
    const { context, stdout } = captureContext({ ...place, signal: stop.signal });
    const line = "audit --key cosign.pub --journal journal --store audits.db --output-file report.txt images.txt";
    let isOver = false;
    const ended = run(line.split(" "), context).finally(() => {
      isOver = true;
    });
    const journal = (): Promise<string> => readFile(join(folder, "journal"), "utf8").catch(() => "");
    while (!isOver && !(await journal()).includes("unsigned")) await sleep(10);
    stop.abort(new CountersignError("interrupted", "interrupted"));
    assert.equal(await ended, 130);
    assert.equal(stdout(), "");
    const left = await readdir(folder);
    assert.equal(left.includes("report.txt"), false);
    assert.ok((await journal()).includes('"verdict":"refused"'));
  });
});
