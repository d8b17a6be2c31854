import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { looksLikeList, readList } from "../../../../src/core/sources/list.ts";

describe("a list of images", () => {
  it("is none where a line could be something else", () => {
    for (const text of [
      "",
      "# nothing\n",
      "a: b",
      "a:\n",
      "- nginx",
      "{}",
      "[]",
      "nginx redis",
      '"nginx"',
      "<html>",
      "a,b",
      "---\n",
    ]) {
      assert.equal(looksLikeList(text), false, text);
    }
  });

  it("is one where every line is one word, comments aside", () => {
    for (const text of [
      "nginx",
      "nginx\r\nredis:7\r\n",
      "# a\n\nregistry.example:5000/a@sha256:0 # b\n",
      "oci:./dir\n",
    ]) {
      assert.equal(looksLikeList(text), true, text);
    }
  });

  it("tells of junk with its line, and of the rest", () => {
    const { mentions, problems } = readList({ label: "a.txt", text: "nginx\nnot one\n\nredis\n$X\n" });
    assert.deepEqual(
      mentions.map(({ image, place }) => [image, place.line]),
      [
        ["nginx", 1],
        ["redis", 4],
      ],
    );
    assert.deepEqual(
      problems.map(({ place, finding }) => [place.line, place.column, finding.code]),
      [
        [2, 1, "source-invalid"],
        [5, 1, "source-invalid"],
      ],
    );
  });

  it("names images that are in no registry, and pins none of them", () => {
    const { mentions } = readList({ label: "a.txt", text: "oci:dir\ndocker-archive:a.tar\ndocker-daemon:a" });
    assert.deepEqual(
      mentions.map(({ slot }) => slot),
      [undefined, undefined, undefined],
    );
  });
});
