import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { dockerTrustFolder, readDockerCache } from "../../../../src/io/notary/cache.ts";
import { findDockerKeys } from "../../../../src/io/notary/key-files.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { GUN } from "../../../support/dct/publisher.ts";
import { temporaryFolder } from "../../../support/temp.ts";

/** A trust folder with these files of metadata. */
async function trustFolder(t: TestContext, ...names: readonly string[]): Promise<{ trust: string; metadata: string }> {
  const trust = await temporaryFolder(t);
  const metadata = join(trust, "tuf", GUN, "metadata");
  mkdirSync(join(metadata, "targets"), { recursive: true });
  for (const name of names) writeFileSync(join(metadata, name), "{}");
  return { trust, metadata };
}

describe("Docker's folder of content trust", () => {
  it("is where Docker's configuration is", () => {
    assert.equal(dockerTrustFolder({}, "/h"), "/h/.docker/trust");
    assert.equal(dockerTrustFolder({ DOCKER_CONFIG: "" }, "/h"), "/h/.docker/trust");
    assert.equal(dockerTrustFolder({ DOCKER_CONFIG: "/etc/d" }, "/h"), "/etc/d/trust");
  });

  it("has the roles of a repository by name, and nothing else of it", async (t) => {
    const { trust } = await trustFolder(
      t,
      "root.json",
      "targets.json",
      "targets/alice.json",
      "notes.txt",
      "targets/x.txt",
    );
    const cache = await readDockerCache(trust, GUN);
    assert.deepEqual([...(cache?.files.keys() ?? [])], ["root", "targets", "targets/alice"]);
  });

  it("is none without a root", async (t) => {
    assert.equal(await readDockerCache((await trustFolder(t, "targets.json")).trust, GUN), undefined);
  });

  it("is not read through links", async (t) => {
    const { trust, metadata } = await trustFolder(t, "root.json");
    symlinkSync("/etc/passwd", join(metadata, "targets.json"));
    const error = await rejectedBy(() => readDockerCache(trust, GUN), "metadata-malformed");
    assert.equal(error.found, "a symbolic link");
  });

  it("is not read where a folder is in the place of a file", async (t) => {
    const { trust, metadata } = await trustFolder(t);
    mkdirSync(join(metadata, "root.json"));
    await rejectedBy(() => readDockerCache(trust, GUN), "metadata-malformed");
  });

  it("is read in bounds: of one file, of all of them, and of their number", async (t) => {
    const { trust, metadata } = await trustFolder(t, "root.json");
    truncateSync(join(metadata, "root.json"), LIMITS.dctFileBytes + 1);
    await rejectedBy(() => readDockerCache(trust, GUN), "limit-reached");
    const many = await trustFolder(
      t,
      "root.json",
      ...Array.from({ length: LIMITS.dctRoles + 4 }, (_, at) => `r${at}.json`),
    );
    await rejectedBy(() => readDockerCache(many.trust, GUN), "limit-reached");
    const large = await trustFolder(t, "root.json");
    for (let at = 0; at < LIMITS.dctRepositoryBytes / LIMITS.dctFileBytes; at++) {
      writeFileSync(join(large.metadata, `r${at}.json`), "");
      truncateSync(join(large.metadata, `r${at}.json`), LIMITS.dctFileBytes);
    }
    await rejectedBy(() => readDockerCache(large.trust, GUN), "limit-reached");
  });
});

describe("Docker's private keys", () => {
  const id = (digit: string): string => digit.repeat(64);

  it("are found by their ids, in the folders of early versions too", async (t) => {
    const trust = await temporaryFolder(t);
    const put = (...path: readonly string[]): string => {
      mkdirSync(join(trust, "private", ...path.slice(0, -1)), { recursive: true });
      writeFileSync(join(trust, "private", ...path), "");
      return join(trust, "private", ...path);
    };
    const now = put(`${id("a")}.key`);
    const root = put("root_keys", `${id("b")}_root.key`);
    const targets = put("tuf_keys", "registry.example", "acme", "app", `${id("c")}_targets.key`);
    put(`${id("d")}.pem`);
    put("README.key");
    symlinkSync(now, join(trust, "private", `${id("e")}.key`));
    assert.deepEqual(
      await findDockerKeys(trust),
      new Map([
        [id("a"), now],
        [id("b"), root],
        [id("c"), targets],
      ]),
    );
  });

  it("are none where there is no such folder", async (t) => {
    assert.equal((await findDockerKeys(await temporaryFolder(t))).size, 0);
  });
});
