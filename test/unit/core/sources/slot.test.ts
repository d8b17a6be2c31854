import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PinSlot } from "../../../../src/core/sources/mention.ts";
import { type Locate, readReferenceText, referenceSlot, standsAt } from "../../../../src/core/sources/slot.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;
const nowhere: Locate = () => undefined;

function pinned(text: string, { start, end, before, after }: PinSlot): string {
  return `${text.slice(0, start)}${before}${OTHER}${after}${text.slice(end)}`;
}

function messageOf(text: string): string {
  const read = readReferenceText(text, nowhere);
  assert.ok("finding" in read, text);
  assert.equal(read.finding.code, "source-invalid");
  assert.notEqual(read.finding.wanted, undefined);
  return read.finding.message;
}

describe("what is no reference", () => {
  const refused: readonly (readonly [text: string, says: RegExp])[] = [
    ["", /empty/],
    ["$" + "{{ matrix.image }}", /expression/],
    ["{{ .Values.image }}", /template/],
    ["nginx:{% tag %}", /template/],
    ["$" + "{IMAGE}", /variable/],
    ["nginx:$TAG", /variable/],
    ["$(IMAGE)", /variable/],
    ["registry.example/<your image>", /placeholder/],
    ["ko://github.com/acme/app/cmd/app", /ko builds/],
    ["nginx latest", /white space/],
    [" nginx", /white space/],
    ["nginx\n", /white space/],
    ["Nginx", /upper-case/],
    ["registry.example/Acme/app", /upper-case/],
    ["nginx:", /tag/],
    ["nginx:-1", /tag/],
    ["nginx@sha256:abc", /digest/],
    [DIGEST, /bare digest/],
    ["https://registry.example/app", /scheme/],
    [`a@${DIGEST}@${DIGEST}`, /digest/],
    ["x".repeat(5000), /too long/],
  ];
  for (const [text, says] of refused) {
    it(`says of ${JSON.stringify(text.slice(0, 40))} what is wrong with it`, () => assert.match(messageOf(text), says));
  }

  it("keeps a message short, however long the text is", () => {
    const read = readReferenceText(`$${"{x}".repeat(100_000)}`, nowhere);
    assert.ok("finding" in read && (read.finding.found ?? "").length < 2_000);
  });
});

describe("where a digest goes", () => {
  const cases: readonly (readonly [reference: string, wanted: string])[] = [
    ["nginx:1.27", `nginx:1.27@${OTHER}`],
    ["nginx", `nginx@${OTHER}`],
    ["localhost:5000/a/b", `localhost:5000/a/b@${OTHER}`],
    [`nginx:1.27@${DIGEST}`, `nginx:1.27@${OTHER}`],
    [`nginx@${DIGEST}`, `nginx@${OTHER}`],
    [`nginx@sha512:${"c".repeat(128)}`, `nginx@${OTHER}`],
  ];
  for (const [reference, wanted] of cases) {
    it(`pins ${reference.slice(0, 30)} and touches nothing else`, () => {
      const slot = referenceSlot(reference, standsAt(7));
      assert.ok(slot);
      assert.equal(pinned(`image: ${reference} # why`, slot), `image: ${wanted} # why`);
    });
  }

  it("is nowhere where the end of the reference does not stand in the file", () => {
    assert.equal(referenceSlot("nginx:1.27", nowhere), undefined);
    const read = readReferenceText("nginx:1.27", nowhere, "it comes from elsewhere");
    assert.ok(!("finding" in read));
    assert.deepEqual(read, { image: "nginx:1.27", fixed: "it comes from elsewhere" });
  });

  it("asks for the old digest as a whole: half of one is not replaced", () => {
    const asked: (readonly [number, number])[] = [];
    referenceSlot(`nginx@${DIGEST}`, (from, to) => {
      asked.push([from, to]);
      return undefined;
    });
    assert.deepEqual(asked, [[6, 6 + DIGEST.length]]);
  });
});
