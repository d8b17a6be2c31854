import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { Consumer, publishingScene } from "../../../support/publishing.ts";

describe("signing a tag", () => {
  it("binds it to the image that it names, for everybody", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    const result = await signTags(scene.publisher(), { images: scene.store, tags: ["1.0"] });
    assert.equal(result.publication.state, "published");
    assert.deepEqual(result.tags, [{ tag: "1.0", digest, was: undefined, roles: ["targets"] }]);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });
});
