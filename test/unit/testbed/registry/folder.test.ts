import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Digest, digestHex } from "../../../../src/core/oci/digest.ts";
import { startRegistry } from "../../../../src/testbed/registry.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { call, manifestOf, ok, pushBlob, pushImage } from "../client.ts";

const REGISTRY = new URL("../../../../src/testbed/registry.ts", import.meta.url).href;
const SERVE = `import { startRegistry } from ${JSON.stringify(REGISTRY)};
console.log((await startRegistry({ root: process.argv[1] })).address);`;

/** A registry in a process of its own, to be killed. */
async function serveElsewhere(root: string): Promise<{ address: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", SERVE, root], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { address: String(line).trim(), child };
}

describe("a registry on a folder", () => {
  it("shows the same after a restart: blobs, manifests, tags, referrers and their order", async (t) => {
    const root = await temporaryFolder(t);
    const look = async (address: string, subject: Digest): Promise<readonly string[]> => {
      const paths = ["tags/list", `referrers/${subject}`, "manifests/1", "manifests/gone", "manifests/2"];
      return await Promise.all(paths.map(async (path) => String((await call(address, "GET", `/v2/app/${path}`)).body)));
    };
    const first = await startRegistry({ root });
    const image = await pushImage(first.address, "app", "1");
    for (const n of ["3", "1", "2"]) {
      await pushImage(first.address, "app", undefined, { subject: image, artifactType: "a/x", annotations: { n } });
    }
    await pushImage(first.address, "app", "gone", { layers: ["gone"] });
    await ok(call(first.address, "DELETE", "/v2/app/manifests/gone"), 202);
    await pushImage(first.address, "app", "2", { layers: ["two"] });
    const before = await look(first.address, image.digest);
    await first.close();
    await using second = await startRegistry({ root });
    assert.deepEqual(await look(second.address, image.digest), before);
  });

  it("loses nothing it confirmed when it is killed, and clears away what was half there", async (t) => {
    const root = await temporaryFolder(t);
    const { address, child } = await serveElsewhere(root);
    const image = await pushImage(address, "app", "1");
    const session = await ok(call(address, "POST", "/v2/app/blobs/uploads/"), 202);
    await ok(call(address, "PATCH", session.headers.location ?? "", { body: "half" }), 202);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await writeFile(join(root, "blobs", "sha256", "0".repeat(64)), "renamed, not yet written down");
    assert.equal((await readdir(join(root, "staging"))).length, 1);
    await using registry = await startRegistry({ root });
    await ok(call(registry.address, "GET", `/v2/app/manifests/${image.digest}`), 200);
    await ok(call(registry.address, "GET", session.headers.location ?? ""), 404);
    assert.deepEqual(await readdir(join(root, "staging")), []);
    assert.equal((await readdir(join(root, "blobs", "sha256"))).length, 3);
  });

  it("is served by one process at a time", async (t) => {
    const root = await temporaryFolder(t);
    const { child } = await serveElsewhere(root);
    try {
      const error = await rejectedBy(() => startRegistry({ root }), "usage");
      assert.match(error.message, /another process/);
      assert.match(error.found ?? "", new RegExp(`process ${child.pid}`));
    } finally {
      const ended = once(child, "exit");
      child.kill();
      await ended;
    }
  });

  it("never touches a folder that holds something else", async (t) => {
    const root = await temporaryFolder(t);
    await mkdir(join(root, "blobs", "sha256"), { recursive: true });
    await writeFile(join(root, "blobs", "sha256", "0".repeat(64)), "somebody's blob");
    const error = await rejectedBy(() => startRegistry({ root }), "destination-exists");
    assert.match(error.found ?? "", /blobs/);
    assert.deepEqual(await readdir(root), ["blobs"]);
    assert.equal(await readFile(join(root, "blobs", "sha256", "0".repeat(64)), "utf8"), "somebody's blob");
  });

  it("a folder that cannot be made is a disk error", async (t) => {
    const root = await temporaryFolder(t);
    await writeFile(join(root, "file"), "");
    await rejectedBy(() => startRegistry({ root: join(root, "file", "below") }), "disk-error");
  });

  it("forgets half a line at the journal's end, and refuses a journal that is damaged before that", async (t) => {
    const root = await temporaryFolder(t);
    const journal = join(root, "journal.ndjson");
    const first = await startRegistry({ root });
    await pushImage(first.address, "app", "1");
    await first.close();
    await appendFile(journal, '{"op":"delete-tag","repository":"app","ta');
    const second = await startRegistry({ root });
    await ok(call(second.address, "GET", "/v2/app/manifests/1"), 200);
    await second.close();
    const sound = await readFile(journal, "utf8");
    for (const damaged of [sound.replace('"op"', '"op'), sound.replace(/^.*\n/, ""), "", "\n"]) {
      await writeFile(journal, damaged);
      const error = await rejectedBy(() => startRegistry({ root }), "disk-error");
      assert.match(error.message, /journal is damaged/);
      assert.deepEqual((await readdir(root)).sort(), ["blobs", "journal.ndjson", "staging"]);
    }
  });

  it("forgets a last line that was cut in the middle of a character, and refuses one that is no text", async (t) => {
    const root = await temporaryFolder(t);
    const journal = join(root, "journal.ndjson");
    const first = await startRegistry({ root });
    await pushImage(first.address, "app", "1", { annotations: { name: "é" } });
    await first.close();
    await appendFile(journal, Buffer.from('{"op":"put-manifest","annotations":{"name":"é').subarray(0, -1));
    const second = await startRegistry({ root });
    await ok(call(second.address, "GET", "/v2/app/manifests/1"), 200);
    await second.close();
    const sound = await readFile(journal);
    sound[sound.indexOf("é")] = 0xff;
    await writeFile(journal, sound);
    assert.match((await rejectedBy(() => startRegistry({ root }), "disk-error")).message, /journal is damaged/);
  });

  it("does not let the journal grow with restarts", async (t) => {
    const root = await temporaryFolder(t);
    for (let n = 0; n < 3; n++) {
      await using registry = await startRegistry({ root });
      for (const tag of ["a", "b", "c"]) await pushImage(registry.address, "app", tag);
    }
    await (await startRegistry({ root })).close();
    const lines = (await readFile(join(root, "journal.ndjson"), "utf8")).trim().split("\n");
    // The header, two blobs, a manifest, three tags.
    assert.equal(lines.length, 7);
  });

  it("keeps nothing in a path but digests and names of its own", async (t) => {
    const root = await temporaryFolder(t);
    await using registry = await startRegistry({ root });
    await pushImage(registry.address, "some/repository", "some-tag");
    const files = (await readdir(root, { recursive: true })).sort();
    const unexpected = files.filter(
      (name) => !/^(?:blobs(?:\/sha(?:256|512)(?:\/[0-9a-f]{64})?)?|staging|lock|journal\.ndjson)$/.test(name),
    );
    assert.deepEqual(unexpected, []);
  });

  it("a file that was removed is 404, not a crash", async (t) => {
    const root = await temporaryFolder(t);
    await using registry = await startRegistry({ root });
    const digest = await pushBlob(registry.address, "app", "x");
    const image = await pushImage(registry.address, "app", "1");
    for (const gone of [digest, image.digest]) await rm(join(root, "blobs", "sha256", digestHex(gone)));
    await ok(call(registry.address, "GET", `/v2/app/blobs/${digest}`), 404);
    await ok(call(registry.address, "GET", "/v2/app/manifests/1"), 404);
  });

  it("a disk that fails is 500 for the request, reported, and nothing is shown that was not stored", async (t) => {
    const root = await temporaryFolder(t);
    const errors: unknown[] = [];
    await using registry = await startRegistry({ root, onError: (error) => errors.push(error) });
    await pushImage(registry.address, "app", "1");
    await rm(join(root, "staging"), { recursive: true });
    const body = manifestOf({ annotations: { n: "2" } });
    const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
    const answer = await ok(call(registry.address, "PUT", "/v2/app/manifests/2", { body, headers }), 500);
    assert.equal(answer.code, "UNKNOWN");
    assert.ok(!answer.body.includes(root), "paths are not told to clients");
    await ok(call(registry.address, "POST", "/v2/app/blobs/uploads/"), 500);
    await ok(call(registry.address, "GET", "/v2/app/manifests/2"), 404);
    await ok(call(registry.address, "GET", "/v2/app/manifests/1"), 200);
    assert.equal(errors.length, 2);
  });
});
