import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { offlineHome, removeHome, runGuarded, SIGNER } from "../support/offline.ts";

/** A namespace of its own, in which there is no network at all, not even loopback (unshare(1), util-linux). */
const ALONE = ["unshare", "--map-root-user", "--net"];
const [unshare = "", ...flags] = ALONE;
const isPossible = spawnSync(unshare, [...flags, "true"]).status === 0;

describe("where there is no network", { skip: isPossible ? false : "no network namespaces here" }, () => {
  let home = "";
  before(async () => {
    home = await offlineHome();
  });
  after(() => removeHome(home));

  const runAlone = (argv: readonly string[]) => runGuarded(home, argv, ALONE);

  for (const trust of [
    ["--trusted-root", "trusted_root.json"],
    ["--trust", "acme"],
  ]) {
    it(`an image on disk is accepted with ${trust.join(" ")}`, async () => {
      const { code, stdout, stderr } = await runAlone(["verify", "oci:app:1", "--offline", ...trust, ...SIGNER]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^accepted/);
    });
  }

  it("somebody else's signature is refused all the same", async () => {
    const other = SIGNER.map((word) => word.replace("dev@", "eve@"));
    const { code } = await runAlone(["verify", "oci:app:1", "--offline", "--trust", "acme", ...other]);
    assert.equal(code, 1);
  });

  it("nothing can be refreshed: that is a failure of its own", async () => {
    const { code, stderr } = await runAlone(["trusted-root", "update", "acme"]);
    assert.equal(code, 3, stderr);
  });
});
