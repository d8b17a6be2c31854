import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { temporaryFolder } from "../../support/temp.ts";

describe("an audit of a registry that wants credentials", () => {
  it("ends with 4, be it that an image or the list of all of them is asked for, unless it fails on nothing", async (t) => {
    const registry = await startRegistry({ authentication: { kind: "basic", users: { u: "p" } } });
    t.after(() => registry.close());
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "images.txt"), `${registry.address}/acme/web:1\n`);
    const place = { workingDirectory: folder, homeDirectory: folder, env: { COSIGN_PASSWORD: "a long password" } };
    const codeOf = (line: string): Promise<number> => run(line.split(" "), captureContext(place).context);
    assert.equal(await codeOf("key generate"), 0);
    for (const source of ["images.txt", `registry://${registry.address}`]) {
      assert.equal(await codeOf(`audit --key cosign.pub ${source}`), 4, source);
      assert.equal(await codeOf(`audit --key cosign.pub --fail-on none ${source}`), 0, source);
    }
  });
});
