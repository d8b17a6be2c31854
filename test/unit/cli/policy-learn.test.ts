import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { lstat, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { newKey, writePrivateKey } from "../../support/programs.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

const OLD = "apiVersion: countersign/v1\nkind: Policy\nrules: []\n";

/** A signed image that the policy, a file that a link leads to, says nothing of. */
async function scene(t: TestContext) {
  const folder = await temporaryFolder(t);
  const path = join(folder, "kept.yaml");
  let onRequest = (): void => undefined;
  const registry = await startRegistry({ onRequest: () => onRequest() });
  t.after(() => registry.close());
  const countersign = async (line: string) => {
    const { context, stderr } = captureContext({ workingDirectory: folder, homeDirectory: folder });
    return { code: await run(line.split(" "), context), stderr: stderr() };
  };
  const key = newKey("ecdsa-p256");
  await writePrivateKey(join(folder, "a.key"), key);
  await writeFile(join(folder, "a.pub"), createPublicKey(key).export({ type: "spki", format: "pem" }));
  const image = `${registry.address}/acme/app:1`;
  await pushImage(image, "one");
  assert.equal((await countersign(`sign -q -y --key a.key --trusted-root= ${image}`)).code, 0);
  await writeFile(path, OLD);
  await symlink("kept.yaml", join(folder, "policy.yaml"));
  return {
    folder,
    path,
    learn: () => countersign(`policy learn --policy policy.yaml --write --key a.pub ${image}`),
    meanwhile: (action: () => void) => {
      onRequest = action;
    },
  };
}

describe("policy learn --write", () => {
  it("adds to the file that a link leads to, and leaves nothing beside it", async (t) => {
    const { folder, path, learn } = await scene(t);
    const { code, stderr } = await learn();
    assert.equal(code, 0, stderr);
    assert.match(await readFile(path, "utf8"), /acme\/app/);
    assert.ok((await lstat(join(folder, "policy.yaml"))).isSymbolicLink());
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.includes("countersign")),
      [],
    );
  });

  it("takes nothing out of a policy that somebody else has put there while the registry was asked", async (t) => {
    const { path, learn, meanwhile } = await scene(t);
    const theirs = `${OLD}# theirs\n`;
    meanwhile(() => writeFileSync(path, theirs));
    const { code, stderr } = await learn();
    assert.equal(code, 3, stderr);
    assert.match(stderr, /\[write-conflict\]/);
    assert.equal(await readFile(path, "utf8"), theirs);
  });
});
