import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatLocation, type Location, parseLocation } from "../../../../src/core/oci/location.ts";
import { thrownBy } from "../../../support/codes.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

describe("locations", () => {
  const rows: readonly (readonly [string, object])[] = [
    ["oci:out", { kind: "oci-layout", path: "out" }],
    ["oci:./out/", { kind: "oci-layout", path: "./out/" }],
    ["oci:out:1.0", { kind: "oci-layout", path: "out", tag: "1.0" }],
    ["oci:/srv/a.b/out:v1", { kind: "oci-layout", path: "/srv/a.b/out", tag: "v1" }],
    ["oci:a:b/out", { kind: "oci-layout", path: "a:b/out" }],
    ["oci:img@2x", { kind: "oci-layout", path: "img@2x" }],
    ["oci:img@2x:1", { kind: "oci-layout", path: "img@2x", tag: "1" }],
    [`oci:out@${DIGEST}`, { kind: "oci-layout", path: "out", digest: DIGEST }],
    [`oci-archive:a.tar:1@${DIGEST}`, { kind: "oci-archive", path: "a.tar", tag: "1", digest: DIGEST }],
    [`oci:out:1.0@${DIGEST}`, { kind: "oci-layout", path: "out", tag: "1.0", digest: DIGEST }],
    ["oci-archive:a.tar", { kind: "oci-archive", path: "a.tar" }],
    ["oci-archive:a.tar:1", { kind: "oci-archive", path: "a.tar", tag: "1" }],
    ["docker-archive:a.tar", { kind: "docker-archive", path: "a.tar" }],
    ["docker-archive:a.tar:ghcr.io/o/a:1", { kind: "docker-archive", path: "a.tar", tag: "ghcr.io/o/a:1" }],
    ["docker-daemon:app:1", { kind: "docker-daemon", name: "app:1" }],
    ["docker-daemon:[::1]:5000/app", { kind: "docker-daemon", name: "[::1]:5000/app" }],
    [`docker-daemon:${DIGEST}`, { kind: "docker-daemon", name: DIGEST }],
  ];
  for (const [text, location] of rows) {
    it(text, () => {
      assert.deepEqual(parseLocation(text), location);
      assert.equal(formatLocation(parseLocation(text)), text);
    });
  }

  it("are registry references where no transport is named", () => {
    const wanted: Location = {
      kind: "registry",
      reference: { registry: "docker.io", repository: "library/oci", tag: "latest" },
    };
    assert.deepEqual(parseLocation("oci"), wanted);
    assert.equal(formatLocation(parseLocation("ghcr.io/o/a:1")), "ghcr.io/o/a:1");
  });

  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    it(`take ${name}: for no transport`, () => {
      assert.notEqual(kindOrCode(`${name}:x`), "oci-layout");
    });
  }

  for (const text of [
    "oci:",
    "oci::1",
    "oci:out:",
    `oci:@${DIGEST}`,
    `oci::1@${DIGEST}`,
    "oci:out@sha256:abc",
    `oci:out@SHA256:${"ab".repeat(32)}`,
    `oci:out@sha512:${"ab".repeat(32)}`,
    "oci:out:1@sha256:abc",
    `oci:out@${DIGEST}:1`,
    `oci:out@${DIGEST}@${DIGEST}`,
    "oci:out\0",
    "oci-archive:",
    "docker-archive:",
    "docker-archive::app:1",
    "docker-archive:a.tar:",
    "docker-daemon:",
    "docker-daemon:--help",
    "docker-daemon:-H",
    "docker-daemon:a b",
    "docker-daemon:a\nb",
    "docker-daemon: a",
    "OCI:/out",
    "",
    ":",
    "file:///a",
  ]) {
    it(`are not ${JSON.stringify(text)}`, () => {
      thrownBy(() => parseLocation(text), "reference-invalid");
    });
  }
});

function kindOrCode(text: string): string {
  try {
    return parseLocation(text).kind;
  } catch {
    return "refused";
  }
}
