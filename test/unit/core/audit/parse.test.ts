import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseAudit } from "../../../../src/core/audit/parse.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import { thrownBy } from "../../../support/codes.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import { digestFor, imageOf, politeAudit, sampleAudit, useOf } from "../../../support/sample-audit.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../../docs/schemas/audit.json", import.meta.url), "utf8"),
);
const DOCUMENT = auditDocument(politeAudit());

function read(text: string): ReturnType<typeof parseAudit> {
  return parseAudit(Buffer.from(text), "audit.json");
}

type Json = Record<string, unknown>;

/** The sample's document with something changed in it. */
function changed(change: (document: Json) => void): string {
  const document = JSON.parse(DOCUMENT) as Json;
  change(document);
  return JSON.stringify(document);
}

function first(document: Json, list: string): Json {
  const [item] = document[list] as readonly Json[];
  assert.ok(item !== undefined);
  return item;
}

describe("an audit's document", () => {
  it("is read back as the audit that it was written from", () => {
    assert.equal(auditDocument(read(DOCUMENT)), DOCUMENT);
    const hostile = auditDocument(sampleAudit());
    assert.equal(auditDocument(read(hostile)), hostile);
  });

  it("fits its schema, whatever stands in it", () => {
    assert.deepEqual(violations(JSON.parse(DOCUMENT), SCHEMA), []);
    assert.deepEqual(violations(JSON.parse(auditDocument(sampleAudit())), SCHEMA), []);
  });

  it("keeps times to the millisecond, and shards", () => {
    const audit = { ...politeAudit(), shard: { index: 2, count: 3 } };
    const at = { ...audit, at: (audit.at + 250) as typeof audit.at };
    const back = read(auditDocument(at));
    assert.equal(back.at, at.at);
    assert.deepEqual(back.shard, { index: 2, count: 3 });
  });

  it("can be read although a source wrote half of a surrogate pair", () => {
    const image = imageOf("registry.example/a:1", { uses: [useOf("a", { name: "half \ud800 pair" })] });
    const back = read(auditDocument(politeAudit({ images: [image] })));
    assert.equal(back.images[0]?.uses[0]?.workload?.name, "half \ufffd pair");
  });

  it("is told how many images and workloads there are of what", () => {
    const uses = [
      useOf("a", { name: "web" }),
      useOf("a", { name: "web", container: "other" }),
      useOf("a", { name: "db" }),
    ];
    const bad = imageOf("registry.example/b:1", {
      verdict: "refused",
      reasons: [{ code: "unsigned", message: "none" }],
      uses,
    });
    const images = [
      imageOf("registry.example/a:1", { uses: [useOf("a", { name: "web" }), useOf("a", { name: "job" })] }),
      bad,
    ];
    const { summary } = JSON.parse(auditDocument(politeAudit({ images }))) as { summary: Json };
    assert.deepEqual(summary, {
      images: 2,
      accepted: 1,
      refused: 1,
      undetermined: 0,
      pinned: 0,
      unpinned: 2,
      drift: 0,
      uses: 5,
      problems: 2,
      workloads: 3,
      stopped: 2,
      unknown: 0,
    });
  });
});

describe("what is no audit's document", () => {
  const digest = digestFor("x");
  const CASES: readonly (readonly [string, (document: Json) => void, RegExp])[] = [
    ["a newer version", (document) => (document["schemaVersion"] = 2), /of another version/],
    ["no version", (document) => delete document["schemaVersion"], /of another version/],
    ["a version in words", (document) => (document["schemaVersion"] = "1"), /of another version/],
    ["another command's document", (document) => (document["command"] = "verify"), /is no audit/],
    ["why there is no audit", (document) => (document["error"] = { message: "no network" }), /did not come about/],
    ["a member that nobody knows", (document) => (document["added"] = true), /unknown member/],
    ["an image with such a member", (document) => (first(document, "images")["added"] = 1), /unknown member/],
    ["a time that never was", (document) => (document["at"] = "2026-02-31T00:00:00Z"), /is not a time/],
    ["no time", (document) => delete document["at"], /has no "at"/],
    ["a plan that is no digest", (document) => (document["plan"] = "sha256:abc"), /is not a digest/],
    ["no standard", (document) => delete document["standard"], /has no "standard"/],
    ["no images", (document) => delete document["images"], /has no "images"/],
    ["images that are no list", (document) => (document["images"] = {}), /is not a list/],
    ["an image that is no object", (document) => (document["images"] = [null]), /is not an object/],
    ["an unknown verdict", (document) => (first(document, "images")["verdict"] = "fine"), /"verdict" of images\[0\]/],
    [
      "an acceptance with reasons",
      (document) => (first(document, "images")["verdict"] = "accepted"),
      /go with its reasons/,
    ],
    ["a refusal without reasons", (document) => (first(document, "images")["reasons"] = []), /go with its reasons/],
    [
      "a digest of another algorithm",
      (document) => (first(document, "images")["digest"] = "md5:00"),
      /is not a digest/,
    ],
    ["an image without digest member", (document) => delete first(document, "images")["digest"], /has no "digest"/],
    ["pinned in words", (document) => (first(document, "images")["pinned"] = "yes"), /has no "pinned"/],
    ["shard 0", (document) => (document["shard"] = { index: 0, count: 2 }), /is none/],
    ["shard 3 of 2", (document) => (document["shard"] = { index: 3, count: 2 }), /is none/],
    ["shard 1.5", (document) => (document["shard"] = { index: 1.5, count: 2 }), /is no number/],
    [
      "a problem with a code of nobody's",
      (document) => (first(document, "problems")["finding"] = { code: "made-up", message: "", next: "" }),
      /"code" of/,
    ],
    ["line 0", (document) => (first(document, "problems")["place"] = { source: "a", line: 0 }), /is no number/],
    ["a source that is a number", (document) => (document["sources"] = [digest, 7]), /sources\[1\]/],
    [
      "a kind of evidence that is not known",
      (document) => (first(document, "images")["signers"] = [{ kind: "key", name: "a", id: "b", format: "later" }]),
      /"format" of signers\[0\]/,
    ],
    [
      "a kind of source that is not known",
      (document) => (first(document, "images")["uses"] = [{ as: "a", kind: "nomad", place: { source: "a" } }]),
      /"kind" of uses\[0\]/,
    ],
  ];

  for (const [what, change, message] of CASES) {
    it(`${what} is refused, with the file and what is wrong`, () => {
      const error = thrownBy(() => read(changed(change)), "record-invalid");
      assert.match(error.message, message);
      assert.match(error.message, /^audit\.json: /);
    });
  }

  it("is refused where it is no strict JSON", () => {
    for (const text of ["", "{", `${DOCUMENT}x`, '{"at":1,"at":2}', "[]", "null", "\ufeff{}"]) {
      thrownBy(() => read(text), "record-invalid");
    }
    thrownBy(() => parseAudit(Buffer.from([0x7b, 0xff, 0x7d]), "audit.json"), "record-invalid");
  });

  it("is refused cut off at any place", () => {
    const small = auditDocument(politeAudit({ images: politeAudit().images.slice(0, 1), problems: [] }));
    for (let length = 0; length < small.length - 1; length += 7) {
      thrownBy(() => read(small.slice(0, length)), "record-invalid");
    }
  });

  it("is a limit that was reached where a list is too long", () => {
    const texts = new Array(LIMITS.auditEntries + 1).fill("");
    thrownBy(() => read(changed((document) => (document["sources"] = texts))), "limit-reached");
  });
});
