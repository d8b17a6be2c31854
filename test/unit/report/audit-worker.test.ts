import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { workerDocument, workerText } from "../../../src/report/audit-worker.ts";
import { violations } from "../../support/json-schema.ts";

const SCHEMA = JSON.parse(readFileSync(new URL("../../../docs/schemas/audit-worker.json", import.meta.url), "utf8"));

describe("what a worker says at its end", () => {
  it("is a line for people", () => {
    assert.equal(workerText({ audits: 1, images: 1 }), "1 image examined for 1 audit\n");
    assert.equal(workerText({ audits: 2, images: 0 }), "0 images examined for 2 audits\n");
  });

  it("as JSON fits docs/schemas/audit-worker.json", () => {
    assert.deepEqual(violations(JSON.parse(workerDocument({ audits: 1, images: 20 })), SCHEMA), []);
  });

  it("the schema refuses less and more than that", () => {
    assert.notDeepEqual(violations({ schemaVersion: 1, command: "audit worker", audits: 1 }, SCHEMA), []);
    const more = { ...JSON.parse(workerDocument({ audits: 1, images: 2 })), accepted: true };
    assert.notDeepEqual(violations(more, SCHEMA), []);
  });
});
