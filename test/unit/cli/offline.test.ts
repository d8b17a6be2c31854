import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CONNECTED, copyOf, offlineHome, removeHome, runGuarded, SIGNER } from "../../support/offline.ts";

describe("a process in which the first connection is the end", () => {
  let home = "";
  before(async () => {
    home = await offlineHome();
  });
  after(() => removeHome(home));

  const quiet: readonly (readonly [string, readonly string[], number])[] = [
    [
      "verify with a trust root as a file",
      ["verify", "oci:app:1", "--offline", "--trusted-root", "trusted_root.json"],
      0,
    ],
    [
      "verify with a trust root as a file, not told to be quiet",
      ["verify", "oci:app:1", "--trusted-root", "trusted_root.json"],
      0,
    ],
    ["verify with what was fetched before", ["verify", "oci:app:1", "--offline", "--trust", "acme"], 0],
    ["verify with what was fetched within a day", ["verify", "oci:app:1", "--trust", "acme"], 0],
    ["refuse by what is built in", ["verify", "oci:app:1", "--offline"], 1],
    ["pull from a layout", ["pull", "oci:app:1", "--offline", "--trust", "acme", "--to", "oci:out"], 0],
  ];
  for (const [title, argv, code] of quiet) {
    it(`can ${title}`, async () => {
      const finished = await runGuarded(home, [...argv, ...SIGNER]);
      assert.equal(finished.code, code, finished.stderr);
      assert.doesNotMatch(finished.stderr, /no-connections/);
    });
  }

  it("can show trust roots", async () => {
    assert.equal((await runGuarded(home, ["trusted-root", "show"])).code, 0);
  });

  const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    [
      "a registry's image",
      ["verify", "registry.example/app:1", "--offline", "--trust", "acme"],
      2,
      /--offline opens no connection/,
    ],
    [
      "a copy to a registry",
      ["copy", "oci:app:1", "127.0.0.1:5000/app:1", "--offline", "--trust", "acme"],
      2,
      /--offline opens no connection/,
    ],
    [
      "an instance that was never fetched",
      ["verify", "oci:app:1", "--offline", "--trust", "lab"],
      2,
      /no trust instance/,
    ],
  ];
  for (const [title, argv, code, says] of refused) {
    it(`refuses ${title} without trying`, async () => {
      const finished = await runGuarded(home, [...argv, ...SIGNER]);
      assert.equal(finished.code, code, finished.stderr);
      assert.match(finished.stderr, says);
    });
  }

  it("says that its trust material is stale where the cache is gone, with exit code 3, and judges nothing", async () => {
    const other = await copyOf(home);
    try {
      await rm(join(other, ".cache"), { recursive: true });
      const { code, stdout, stderr } = await runGuarded(other, [
        "verify",
        "oci:app:1",
        "--offline",
        "--trust",
        "acme",
        ...SIGNER,
      ]);
      assert.deepEqual([code, stdout], [3, ""]);
      assert.match(stderr, /\[trust-stale\]/);
      assert.match(stderr, /--trusted-root FILE or --key KEY/);
    } finally {
      await removeHome(other);
    }
  });

  it("would be caught: what is not offline tries a connection", async () => {
    const { code } = await runGuarded(home, ["trusted-root", "update", "acme"]);
    assert.equal(code, CONNECTED);
  });
});
