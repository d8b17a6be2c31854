import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import type { Platform } from "../../../../src/core/oci/descriptor.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { type ImageIndex, parseManifest } from "../../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import {
  choosePlatform,
  isRunnable,
  normalisePlatform,
  parsePlatformName,
  platformName,
} from "../../../../src/core/oci/platform.ts";
import { thrownBy } from "../../../support/codes.ts";

describe("platform names", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["linux/amd64", "linux/amd64"],
    ["linux/x86_64", "linux/amd64"],
    ["linux/x86-64", "linux/amd64"],
    ["Linux/AMD64/V1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/arm64/v8", "linux/arm64"],
    ["linux/arm64/v9", "linux/arm64/v9"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/i386", "linux/386"],
    ["linux/s390x", "linux/s390x"],
    ["windows/amd64", "windows/amd64"],
    ["linux/constructor", "linux/constructor"],
    ["linux/__proto__", "linux/__proto__"],
  ];
  for (const [text, name] of rows) {
    it(`${text} is ${name}`, () => {
      assert.equal(platformName(parsePlatformName(text)), name);
      assert.equal(platformName(parsePlatformName(name)), name);
    });
  }

  for (const text of [
    "",
    "linux",
    "/",
    "linux/",
    "/amd64",
    "linux/amd64/",
    "linux/amd64/v1/x",
    "linux amd64",
    "linux/am d",
    "linux/amd64,linux/arm64",
    "ünux/amd64",
  ]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.equal(thrownBy(() => parsePlatformName(text), "usage").found, text);
    });
  }

  it("are not changed by what an index may say in odd words", () => {
    for (const architecture of ["constructor", "toString", "__proto__"]) {
      assert.deepEqual(normalisePlatform({ os: "linux", architecture }), { os: "linux", architecture });
    }
  });
});

/** An index whose entries are these platforms, each with a digest made of its place. */
function indexOf(
  platforms: readonly (Platform | undefined)[],
  annotations: Readonly<Record<string, string>> = {},
): ImageIndex {
  const manifests = platforms.map((platform, at) => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(new Uint8Array([at])),
    size: 100,
    annotations,
    ...(platform === undefined ? {} : { platform }),
  }));
  const index = parseManifest(encodeUtf8(JSON.stringify({ schemaVersion: 2, manifests })), "");
  assert.equal(index.kind, "index");
  return index;
}

const platformsOf = (...names: string[]) =>
  names.map((name): Platform => {
    const [os = "", architecture = "", variant] = name.split("/");
    return { os, architecture, ...(variant === undefined ? {} : { variant }) };
  });

function choose(wanted: string, ...offered: string[]): number {
  const index = indexOf(platformsOf(...offered));
  return index.manifests.indexOf(choosePlatform(index, parsePlatformName(wanted)));
}

describe("choosing from an index", () => {
  const rows: readonly (readonly [string, readonly string[], number])[] = [
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["linux/amd64", ["linux/amd64/v2", "linux/amd64"], 1],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1],
    ["linux/amd64/v2", ["linux/amd64/v3", "linux/amd64"], 1],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], 1],
    ["linux/arm", ["linux/arm/v6", "linux/arm"], 1],
    ["linux/arm/v8", ["linux/arm/v6", "linux/arm/v7"], 1],
    ["linux/arm64", ["linux/arm64/v8"], 0],
    ["linux/arm64/v9", ["linux/arm64"], 0],
    ["linux/arm64", ["linux/amd64", "linux/aarch64"], 1],
    ["linux/riscv64", ["linux/riscv64", "linux/riscv64"], 0],
    ["linux/s390x/z13", ["linux/s390x/z13"], 0],
  ];
  for (const [wanted, offered, place] of rows) {
    it(`${wanted} of ${offered.join(", ")} is number ${place + 1}`, () =>
      assert.equal(choose(wanted, ...offered), place));
  }

  const missing: readonly (readonly [string, readonly string[]])[] = [
    ["linux/amd64", ["linux/386"]],
    ["linux/amd64", ["linux/amd64/v2"]],
    ["linux/arm/v6", ["linux/arm/v7"]],
    ["linux/arm/v4", ["linux/arm/v5"]],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v9"]],
    ["linux/amd64", ["windows/amd64", "linux/constructor"]],
    ["linux/s390x/v9", ["linux/s390x"]],
  ];
  for (const [wanted, offered] of missing) {
    it(`${wanted} is not among ${offered.join(", ")}, and the error lists them`, () => {
      const error = thrownBy(() => choose(wanted, ...offered), "platform-missing");
      assert.equal(error.wanted, platformName(parsePlatformName(wanted)));
      assert.equal(error.found, offered.join(", "));
    });
  }

  it("takes no entry without a platform, and says that there is none", () => {
    const index = indexOf([undefined]);
    const error = thrownBy(() => choosePlatform(index, parsePlatformName("linux/amd64")), "platform-missing");
    assert.equal(error.found, "no platforms");
  });

  it("takes no attestation of BuildKit, whichever way it is marked", () => {
    const unknown = indexOf(platformsOf("unknown/unknown"));
    const marked = indexOf(platformsOf("linux/amd64"), { "vnd.docker.reference.type": "attestation-manifest" });
    for (const index of [unknown, marked]) {
      assert.deepEqual(index.manifests.map(isRunnable), [false]);
      thrownBy(() => choosePlatform(index, parsePlatformName("linux/amd64")), "platform-missing");
    }
    thrownBy(() => choosePlatform(unknown, parsePlatformName("unknown/unknown")), "platform-missing");
  });
});
