import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IMAGE, tagScene } from "../../../support/tag-repository.ts";

describe("a tag that is resolved through signed tags", () => {
  it("means the digest that the publisher bound", async (t) => {
    const { ask, repo } = await tagScene(t);
    const { signedTag } = await ask();
    assert.equal(signedTag?.binding.digest, IMAGE);
    assert.deepEqual([signedTag.role, signedTag.keyIds], ["targets", repo.keyIds("targets")]);
  });
});
