import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyPins } from "../../../../src/core/pins/edit.ts";
import { thrownBy } from "../../../support/codes.ts";
import { NEW, OLD } from "../../../support/pins.ts";

function slot(start: number, end = start, before = "@", after = "") {
  return { start, end, before, after };
}

describe("digests in a text", () => {
  it("are put in their places, whatever order they come in, and nothing else changes", () => {
    const text = "\ufeffimage: web:1 # one\r\nimage: db:2\r\n";
    const [web, db] = [text.indexOf(" # one"), text.lastIndexOf("\r\n")];
    const pins = [
      { slot: slot(db), digest: NEW },
      { slot: slot(web), digest: OLD },
    ];
    assert.equal(applyPins(text, pins), `\ufeffimage: web:1@${OLD} # one\r\nimage: db:2@${NEW}\r\n`);
  });

  it("take the place of those that are there, or come with a line of their own", () => {
    const text = `name: web\ndigest: ${OLD}\n`;
    const at = text.indexOf("sha256");
    assert.equal(
      applyPins(text, [{ slot: slot(at, at + OLD.length, ""), digest: NEW }]),
      `name: web\ndigest: ${NEW}\n`,
    );
    assert.equal(
      applyPins("name: web\n", [{ slot: slot(9, 9, "\ndigest: ", ""), digest: NEW }]),
      `name: web\ndigest: ${NEW}\n`,
    );
  });

  it("are written once where several mentions stand in one place", () => {
    const pin = { slot: slot(5), digest: NEW };
    assert.equal(applyPins("web:1", [pin, { ...pin }]), `web:1@${NEW}`);
  });

  it("leave the text as it is where there are none", () => {
    assert.equal(applyPins("a\r\n\0b", []), "a\r\n\0b");
  });

  for (const [what, slots] of Object.entries({
    "different digests in one place": [slot(1), slot(1)],
    "places that overlap": [slot(0, 3), slot(2, 4)],
    "a place within another": [slot(0, 4), slot(1, 2)],
    "a place behind the end": [slot(6), slot(0)],
    "a place that ends before it starts": [slot(3, 2), slot(0)],
  })) {
    it(`are refused where they would be written over each other: ${what}`, () => {
      const pins = slots.map((one, at) => ({ slot: one, digest: at === 0 ? OLD : NEW }));
      thrownBy(() => applyPins("web:1", pins), "internal");
    });
  }
});
