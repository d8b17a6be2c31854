import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeUtf8, encodeUtf8 } from "../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { RootPin } from "../../../../src/core/tags/pin.ts";
import { formatPins, NO_PINS, parsePins } from "../../../../src/core/tags/pins-file.ts";
import { thrownBy } from "../../../support/codes.ts";
import { at } from "../../../support/trust-world.ts";

const PIN: RootPin = {
  gun: "registry.example/acme/app",
  rootVersion: 1,
  root: digestOf(encodeUtf8("root")),
  rootKeyIds: ["ab".repeat(32)],
  threshold: 1,
  mode: "pinned",
  firstSeen: at("2026-01-02T03:04:05Z"),
};
const FILE = { pins: [PIN], mirrors: { "mirror.example/app": PIN.gun } };

type Json = Record<string, unknown>;

function changed(change: (file: Json, pin: Json) => void): Uint8Array {
  const json: Json = JSON.parse(decodeUtf8(formatPins(FILE)));
  const [pin] = json["pins"] as [Json];
  change(json, pin);
  return encodeUtf8(JSON.stringify(json));
}

describe("the file of pinned roots", () => {
  it("comes back as it was written, for people to compare", () => {
    const bytes = formatPins(FILE);
    assert.deepEqual(parsePins(bytes, "it"), FILE);
    assert.match(decodeUtf8(bytes), /^\{\n {2}"schemaVersion": 1,\n {2}"pins": \[\n {4}\{\n {6}"gun": /);
    assert.ok(decodeUtf8(bytes).endsWith("}\n"));
  });

  it("may be empty", () => {
    assert.deepEqual(parsePins(formatPins(NO_PINS)), NO_PINS);
    assert.deepEqual(parsePins(encodeUtf8('{"schemaVersion":1}')), NO_PINS);
  });

  const cases: readonly (readonly [string, (file: Json, pin: Json) => unknown])[] = [
    ["no version", (file) => delete file["schemaVersion"]],
    ["another version", (file) => Object.assign(file, { schemaVersion: 2 })],
    ["a member that is not known: a misspelt one would do nothing", (file) => Object.assign(file, { pin: [] })],
    ["pins that are no list", (file) => Object.assign(file, { pins: {} })],
    ["a pin that is none", (file) => Object.assign(file, { pins: ["x"] })],
    ["a pin with more in it", (_file, pin) => Object.assign(pin, { extra: 1 })],
    ["two pins of one repository", (file, pin) => Object.assign(file, { pins: [pin, pin] })],
    ["no repository", (_file, pin) => delete pin["gun"]],
    ["a repository without a host", (_file, pin) => Object.assign(pin, { gun: "app" })],
    ["a repository with a control character", (_file, pin) => Object.assign(pin, { gun: "r.example/a\u001b" })],
    ["a root that is no digest", (_file, pin) => Object.assign(pin, { root: "sha256:abc" })],
    ["a version of nought", (_file, pin) => Object.assign(pin, { rootVersion: 0 })],
    ["a threshold of nought", (_file, pin) => Object.assign(pin, { threshold: 0 })],
    ["a key id that is none", (_file, pin) => Object.assign(pin, { rootKeyIds: ["x"] })],
    ["another mode", (_file, pin) => Object.assign(pin, { mode: "blind" })],
    ["a time that is none", (_file, pin) => Object.assign(pin, { firstSeen: "yesterday" })],
    ["mirrors that are no object", (file) => Object.assign(file, { mirrors: [] })],
    ["a mirror of nothing", (file) => Object.assign(file, { mirrors: { "mirror.example/app": "" } })],
    ["a mirror without a host", (file) => Object.assign(file, { mirrors: { app: PIN.gun } })],
    ["a mirror with a name of all objects", (file) => Object.assign(file, { mirrors: { constructor: PIN.gun } })],
  ];
  for (const [title, change] of cases) {
    it(`is refused with ${title}`, () => {
      thrownBy(() => parsePins(changed(change), "it"), "configuration-invalid");
    });
  }

  it("is refused where it could be read in two ways, or is too large", () => {
    thrownBy(() => parsePins(encodeUtf8('{"schemaVersion":1,"schemaVersion":1}')), "configuration-invalid");
    thrownBy(() => parsePins(new Uint8Array(LIMITS.pinsFileBytes + 1)), "limit-reached");
  });
});
