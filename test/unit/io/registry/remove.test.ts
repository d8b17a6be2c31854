import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startRegistry } from "../../../../src/testbed/registry.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { alice, openTestStore } from "../../../support/registry-client.ts";

const ABSENT = `sha256:${"0".repeat(64)}` as const;
const isDelete = ({ method }: { readonly method: string }): boolean => method === "DELETE";

describe("removing from a registry (distribution-spec, Content Management)", () => {
  it("takes a tag away and leaves what it named; a digest goes with all its tags", async () => {
    await using registry = await startRegistry();
    const store = openTestStore(registry.address);
    const image = await makeImage();
    await pushImage(store, image, "1");
    await pushImage(store, image, "2");
    assert.equal(await store.remove?.("1"), "removed");
    assert.equal(await store.resolve("1"), undefined);
    const digest = (await store.resolve("2"))?.descriptor.digest ?? "";
    assert.equal(await store.remove?.(digest), "removed");
    assert.equal(await store.resolve("2"), undefined);
    await store.close();
  });

  it("says absent of what is not there", async () => {
    await using registry = await startRegistry();
    const store = openTestStore(registry.address);
    assert.equal(await store.remove?.("1"), "absent");
    assert.equal(await store.remove?.(ABSENT), "absent");
    await store.close();
  });

  for (const status of [400, 405, 501]) {
    it(`says unsupported where the registry answers ${status}`, async () => {
      await using registry = await startRegistry();
      const store = openTestStore(registry.address);
      registry.faults.when(isDelete, { kind: "status", status });
      assert.equal(await store.remove?.("1"), "unsupported");
      await store.close();
    });
  }

  it("is denied where the account may not", async () => {
    await using registry = await startRegistry();
    const store = openTestStore(registry.address, { credentials: alice });
    registry.faults.when(isDelete, { kind: "status", status: 403 });
    await rejectedBy(async () => await store.remove?.("1"), "denied");
    await store.close();
  });
});
