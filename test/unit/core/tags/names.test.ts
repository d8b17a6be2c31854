import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import {
  checkSignerName,
  checkTagPattern,
  HEAD_TAG,
  isTrustTag,
  pathOfDigest,
  pathOfTag,
  pendingTag,
  stagingTag,
} from "../../../../src/core/tags/names.ts";
import { thrownBy } from "../../../support/codes.ts";

describe("tags that hold trust metadata", () => {
  const longest = `a${"b".repeat(63)}`;

  it("are told from tags of images", () => {
    for (const tag of [HEAD_TAG, stagingTag("targets"), pendingTag("root"), stagingTag("ci", "other")]) {
      assert.equal(isTrustTag(tag, tag.startsWith("other") ? "other" : undefined), true, tag);
    }
    for (const tag of [
      "latest",
      "countersign-trust-1",
      "countersign-trust.roles",
      "countersign-trus",
      stagingTag("a", "other"),
    ]) {
      assert.equal(isTrustTag(tag), false, tag);
    }
  });

  it("are tags that a registry takes, be the signer's name as long as it may", () => {
    for (const tag of [HEAD_TAG, stagingTag(longest), pendingTag(longest)]) {
      checkSignerName(longest);
      assert.equal(parseReference(`registry.example/app:${tag}`).tag, tag);
    }
  });
});

describe("paths among the targets", () => {
  it("always lie in a folder: tags may be called constructor", () => {
    assert.equal(pathOfTag("constructor"), "tags/constructor");
    const digest = digestOf(new Uint8Array());
    assert.equal(pathOfDigest(digest), `digests/sha256-${digest.slice(7)}`);
  });
});

describe("names of signers", () => {
  for (const name of ["a", "ci", "release-bot", "a.b_c-1", "a".repeat(64), "x.bin", "bin-0f"]) {
    it(`${name.slice(0, 20)} is one`, () => checkSignerName(name));
  }

  const odd = ["", "A", "1", "10", "-a", ".a", "a/b", "a b", "../x", "é", "root", "targets", "snapshot", "timestamp"];
  for (const name of [...odd, "a.bin-0f", "constructor", "a".repeat(65), "a\n", "a\u0000"]) {
    it(`${JSON.stringify(name.slice(0, 20))} is none`, () => void thrownBy(() => checkSignerName(name), "usage"));
  }
});

describe("patterns of tags", () => {
  for (const pattern of ["*", "v*", "v?.*", "1.2", "*-rc*", "_x"]) {
    it(`${pattern} is one`, () => checkTagPattern(pattern));
  }

  const stars = "*".repeat(LIMITS.tagPatternStars + 1);
  for (const pattern of ["", "a/b", "!v", "{a,b}", "[a]", "+(a)", "#a", "a\\*", "é", " ", stars, "a".repeat(129)]) {
    it(`${JSON.stringify(pattern.slice(0, 20))} is none`, () => void thrownBy(() => checkTagPattern(pattern), "usage"));
  }
});
