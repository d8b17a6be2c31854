import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { run } from "../../../src/cli/main.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

/** `verify` asks for its image while keys are read. */
async function scene(t: TestContext) {
  const folder = await temporaryFolder(t);
  const registry = await startRegistry();
  t.after(() => registry.close());
  const image = `${registry.address}/acme/app:1`;
  await pushImage(image, "asked ahead\n");
  const countersign = async (...argv: readonly string[]) => {
    const place = { workingDirectory: folder, homeDirectory: folder, env: { COSIGN_PASSWORD: "" } };
    const { context, stdout, stderr } = captureContext(place);
    registry.restart();
    return { code: await run(argv, context), stdout, stderr };
  };
  await countersign("key", "generate", "--output-key-prefix", "k");
  return { folder, registry, image, countersign };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("verify, which asks ahead", () => {
  it("asks once for each image", async (t) => {
    const { registry, image, countersign } = await scene(t);
    await countersign("sign", "-y", "--key", "k.key", image);
    const { code } = await countersign("verify", "--key", "k.pub", image, image);
    assert.equal(code, 0);
    const asked = registry.requests.filter(({ path }) => path.endsWith("/manifests/1"));
    assert.equal(asked.length, 2);
  });

  it("ends with the error in its flags, and waits for no registry then", async (t) => {
    const { folder, registry, image, countersign } = await scene(t);
    await writeFile(join(folder, "none.pub"), "no key\n");
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    for (const fault of [{ kind: "stall" }, { kind: "status", status: 503, retryAfter: "60" }] as const) {
      registry.faults.clear();
      registry.faults.when(() => true, fault);
      const before = timers();
      const { code, stderr } = await countersign("verify", "--key", "none.pub", image);
      assert.equal(code, 2, stderr());
      assert.match(stderr(), /none\.pub/);
      assert.doesNotMatch(stderr(), /registry|503/);
      assert.ok(timers() <= before);
    }
  });

  // Less than a credential helper is given by itself.
  it("leaves nothing running that looks for credentials", { timeout: LIMITS.helperMs - 5000 }, async (t) => {
    const folder = await temporaryFolder(t);
    const registry = await startRegistry({ authentication: { kind: "basic", users: {} } });
    t.after(() => registry.close());
    const key = join(folder, "key.pub");
    execFileSync("mkfifo", [key]);
    const helper = join(folder, "docker-credential-slow");
    await writeFile(helper, `#!/bin/sh\necho $$ > "${folder}/pid"\necho no key > "${key}"\nexec sleep 60\n`, {
      mode: 0o755,
    });
    await mkdir(join(folder, ".docker"));
    await writeFile(join(folder, ".docker", "config.json"), '{"credsStore":"slow"}');
    const env = { PATH: `${folder}:${process.env["PATH"]}` };
    const { context, stderr } = captureContext({ workingDirectory: folder, homeDirectory: folder, env });
    assert.equal(await run(["verify", "--key", key, `${registry.address}/acme/app:1`], context), 2, stderr());
    const pid = Number(await readFile(join(folder, "pid"), "utf8"));
    while (isAlive(pid)) await setImmediate();
  });

  it("asks nobody where a flag or the environment demands a signed tag of which no root is pinned", async (t) => {
    const { registry, image, countersign } = await scene(t);
    const { code } = await countersign("verify", "--key", "k.pub", "--signed-tag", "required", image);
    assert.equal(code, 2);
    assert.deepEqual(registry.requests, []);
  });
});
