import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { formatLock, lockName, parseLock } from "../../../../src/core/pins/lock.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { violations } from "../../../support/json-schema.ts";
import { locked, lockOf, lockText, NEW, NOW, OLD, OTHER, WEB } from "../../../support/pins.ts";

const SCHEMA = JSON.parse(readFileSync(new URL("../../../../docs/schemas/lock.json", import.meta.url), "utf8"));

const FULL = lockOf(
  locked(OLD, {
    platforms: { "linux/arm64": OTHER, "linux/amd64": NEW },
    signers: ["https://issuer.example release@acme.example", "SHA256:alice"],
    waiting: { digest: NEW, since: NOW },
  }),
  locked(OTHER, { name: "docker.io/library/alpine:3", signers: [], standard: undefined }),
  locked(NEW, { name: `docker.io/library/busybox@${NEW}` }),
);

/** The lock as JSON with something changed. */
function changed(change: (image: Record<string, unknown>, document: Record<string, unknown>) => void): string {
  const document = JSON.parse(formatLock(lockOf(locked(OLD)))) as { images: Record<string, unknown>[] };
  const [image = {}] = document.images;
  change(image, document);
  return JSON.stringify(document);
}

describe("a lock file", () => {
  it("says the same when it is read again, and fits its schema", () => {
    const text = formatLock(FULL);
    assert.equal(formatLock(lockText(text)), text);
    assert.deepEqual(violations(JSON.parse(text), SCHEMA), []);
    assert.deepEqual(lockText(text).get(WEB)?.waiting, { digest: NEW, since: NOW });
  });

  it("has the same bytes in whatever order images, platforms and signers were found", () => {
    const turned = [...FULL.values()].toReversed().map((image) => ({
      ...image,
      signers: image.signers.toReversed(),
      platforms: Object.fromEntries(Object.entries(image.platforms).toReversed()),
    }));
    assert.equal(formatLock(lockOf(...turned)), formatLock(FULL));
  });

  it("has a line for each value, so that a difference is read line by line", () => {
    const [before, after] = [lockOf(locked(OLD)), lockOf(locked(NEW))].map((lock) => formatLock(lock).split("\n"));
    assert.equal(before?.filter((line, at) => line !== after?.[at]).length, 1);
  });

  it("keeps whole seconds of times, as it writes them", () => {
    const at = instant(NOW + 999);
    assert.equal(lockText(formatLock(lockOf(locked(OLD, { at })))).get(WEB)?.at, NOW);
  });

  it("knows an image by its tag, and one that has none by its digest", () => {
    assert.equal(lockName(parseReference(`nginx:1.27@${OLD}`)), "docker.io/library/nginx:1.27");
    assert.equal(lockName(parseReference("nginx")), "docker.io/library/nginx:latest");
    assert.equal(lockName(parseReference(`nginx@${OLD}`)), `docker.io/library/nginx@${OLD}`);
  });
});

const DAMAGED: Readonly<Record<string, string>> = {
  "of a newer version": changed((_image, document) => (document["schemaVersion"] = 2)),
  "without a version": changed((_image, document) => delete document["schemaVersion"]),
  "with a member that a newer version may have added": changed((image) => (image["revoked"] = true)),
  "with something beside its images": changed((_image, document) => (document["owner"] = "acme")),
  "whose images are no list": changed((_image, document) => (document["images"] = {})),
  "with an image that is a text": changed((_image, document) => (document["images"] = [WEB])),
  "without a digest": changed((image) => delete image["digest"]),
  "with a digest that was cut": changed((image) => (image["digest"] = OLD.slice(0, -1))),
  "with a name that is not written in full": changed((image) => (image["name"] = "nginx:1.27")),
  "with a name and a digest in one": changed((image) => (image["name"] = `${WEB}@${OLD}`)),
  "with a name that has another digest than the image": changed(
    (image) => (image["name"] = `registry.example/acme/web@${NEW}`),
  ),
  "with a name that is none": changed((image) => (image["name"] = "::")),
  "with platforms in a list": changed((image) => (image["platforms"] = [])),
  "with a platform that has no digest": changed((image) => (image["platforms"] = { "linux/amd64": "latest" })),
  "with a signer that is no text": changed((image) => (image["signers"] = [1])),
  "with a standard that is none": changed((image) => (image["standard"] = "strict")),
  "with a day that never was": changed((image) => (image["at"] = "2026-02-30T00:00:00Z")),
  "with something waiting since nobody knows when": changed((image) => (image["waiting"] = { digest: NEW })),
  "with an image twice": changed((image, document) => (document["images"] = [image, image])),
  "that was cut": formatLock(lockOf(locked(OLD))).slice(0, -5),
  "that is empty": "",
  "with a member twice": '{"schemaVersion":1,"images":[],"images":[]}',
};

describe("a lock file that cannot be used", () => {
  for (const [what, text] of Object.entries(DAMAGED)) {
    it(`is refused by its name: one ${what}`, () => {
      const error = thrownBy(() => lockText(text), "record-invalid");
      assert.match(error.message, /countersign\.lock/);
    });
  }

  it("is told apart where two branches changed it and nobody has settled that", () => {
    const error = thrownBy(() => lockText("{\n<<<<<<< HEAD\n  1\n=======\n  2\n>>>>>>> b\n}\n"), "record-invalid");
    assert.match(error.message, /merge conflict/);
  });

  it("is not read beyond its limit", () => {
    thrownBy(() => parseLock(new Uint8Array(LIMITS.lockFileBytes + 1), "countersign.lock"), "limit-reached");
  });
});
