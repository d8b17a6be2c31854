import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { withoutParts, withSecrets } from "../../../../src/io/http/secrets.ts";
import { quietlyRejected } from "../../../support/identity.ts";

const SECRET = "eyJhbGciOiJSUzI1NiJ9.0123456789abcdef";

describe("words of a peer", () => {
  it("come without what they have in common with a secret", () => {
    for (const [text, clean] of [
      [`refused ${SECRET}!`, "refused …!"],
      [SECRET, "…"],
      [`${SECRET} and ${SECRET}`, "… and …"],
      [`cut: ${SECRET.slice(5, 25)}`, "cut: …"],
      [SECRET.slice(-8), "…"],
      ["nothing of it", "nothing of it"],
      [SECRET.slice(0, 7), SECRET.slice(0, 7)],
      ["", ""],
    ] as const) {
      assert.equal(withoutParts(text, [SECRET]), clean);
    }
  });

  it("are cleaned of each of several secrets, also where those overlap", () => {
    assert.equal(withoutParts("aaaabbbbccccdddd", ["aaaabbbb", "ccccdddd"]), "……".slice(0, 2));
    assert.equal(withoutParts("aaaabbbbcccc", ["aaaabbbb", "bbbbcccc"]), "…");
    assert.equal(
      withoutParts("a very short secret is found nowhere", ["is", ""]),
      "a very short secret is found nowhere",
    );
    assert.equal(
      withoutParts("a short one as a whole: hunter2, hunter", ["hunter2"]),
      "a short one as a whole: …, hunter",
    );
  });

  it("are cleaned in all of an error, and its causes are left behind", async () => {
    const cause = new Error(SECRET);
    const particulars = { found: SECRET, wanted: `not ${SECRET}`, next: SECRET, cause };
    const work = () =>
      withSecrets([SECRET], () => Promise.reject(new CountersignError("denied", `no ${SECRET}`, particulars)));
    const error = await quietlyRejected(work, "denied", [SECRET]);
    assert.deepEqual([error.message, error.found, error.wanted, error.next], ["no …", "…", "not …", "…"]);
    assert.equal(error.cause, undefined);
  });

  it("change no result and no defect", async () => {
    assert.equal(await withSecrets([SECRET], async () => SECRET), SECRET);
    await assert.rejects(
      withSecrets([SECRET], () => Promise.reject(new TypeError("a defect"))),
      TypeError,
    );
  });
});
