import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePurl, purlCovers } from "../../../../../src/core/formats/scans/purl.ts";

function parts(text: string): unknown {
  const purl = parsePurl(text);
  return purl && [purl.type, purl.namespace, purl.name, purl.version, Object.fromEntries(purl.qualifiers)];
}

describe("a package URL", () => {
  const GOOD: readonly (readonly [string, unknown])[] = [
    ["pkg:npm/lib@1.2.3", ["npm", "", "lib", "1.2.3", {}]],
    ["pkg:npm/%40scope/lib@1.2.3", ["npm", "@scope", "lib", "1.2.3", {}]],
    ["pkg:npm/@scope/lib@1.2.3", ["npm", "@scope", "lib", "1.2.3", {}]],
    ["pkg:npm/@scope/lib", ["npm", "@scope", "lib", undefined, {}]],
    ["pkg:NPM/lib", ["npm", "", "lib", undefined, {}]],
    ["pkg:pypi/Example_Pkg@3.0", ["pypi", "", "example-pkg", "3.0", {}]],
    ["pkg:golang/example.com/a/b@v1.0.0#sub/dir", ["golang", "example.com/a", "b", "v1.0.0", {}]],
    [
      "pkg:deb/debian/a@1%3A2?arch=amd64&distro=debian-12",
      ["deb", "debian", "a", "1:2", { arch: "amd64", distro: "debian-12" }],
    ],
    [
      "pkg:oci/app@sha256%3Aab?repository_url=a.example%2Fb",
      ["oci", "", "app", "sha256:ab", { repository_url: "a.example/b" }],
    ],
    ["pkg:oci/app@sha256:ab", ["oci", "", "app", "sha256:ab", {}]],
    ["pkg://npm/lib@1", ["npm", "", "lib", "1", {}]],
  ];
  for (const [text, expected] of GOOD) it(`${text} is taken apart`, () => assert.deepEqual(parts(text), expected));

  for (const text of [
    "",
    "lib",
    "npm/lib@1",
    "pkg:",
    "pkg:npm",
    "pkg:npm/",
    "pkg:npm/?a=b",
    "pkg:npm/%zz@1",
    "pkg:npm/a?q=%zz",
    " pkg:npm/a",
    "https://example.com/a",
  ]) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parsePurl(text), undefined));
  }
});

describe("a general package URL", () => {
  function covers(general: string, particular: string): boolean {
    const [a, b] = [parsePurl(general), parsePurl(particular)];
    assert.ok(a !== undefined && b !== undefined);
    return purlCovers(a, b);
  }
  const PARTICULAR = "pkg:deb/debian/libssl3@3.0.11?arch=amd64&distro=debian-12";

  for (const general of [
    "pkg:deb/debian/libssl3",
    "pkg:deb/debian/libssl3@3.0.11",
    "pkg:deb/debian/libssl3?arch=amd64",
    PARTICULAR,
  ]) {
    it(`${general} covers it`, () => assert.ok(covers(general, PARTICULAR)));
  }
  for (const general of [
    "pkg:deb/ubuntu/libssl3",
    "pkg:deb/libssl3",
    "pkg:rpm/debian/libssl3",
    "pkg:deb/debian/libssl",
    "pkg:deb/debian/libssl3@3.0",
    "pkg:deb/debian/libssl3?arch=arm64",
    "pkg:deb/debian/libssl3?epoch=1",
  ]) {
    it(`${general} does not`, () => assert.ok(!covers(general, PARTICULAR)));
  }

  it("covers a version only where that is known", () => assert.ok(!covers("pkg:npm/a@1", "pkg:npm/a")));
});
