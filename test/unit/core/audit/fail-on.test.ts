import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import {
  DEFAULT_FAIL_ON,
  FAILINGS,
  type Failing,
  failingsOf,
  parseFailOn,
} from "../../../../src/core/audit/fail-on.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digestFor, imageOf, refusedOf, SAMPLE_AT, undeterminedOf } from "../../../support/sample-audit.ts";

const PINNED = `registry.example/app:1@${digestFor("registry.example/app:1")}`;
const standard = { wanted: "", digest: digestFor("standard"), weakened: [] };

function failing(
  images: readonly AuditedImage[],
  failOn: readonly Failing[] = FAILINGS,
  problems: Audit["problems"] = [],
): readonly string[] {
  const audit: Audit = { at: SAMPLE_AT, sources: [], plan: digestFor("plan"), standard, images, problems };
  return [...failingsOf(audit, failOn)];
}

describe("--fail-on", () => {
  it("takes names, separated by commas, and none", () => {
    assert.deepEqual(parseFailOn("refused,drift"), ["refused", "drift"]);
    assert.deepEqual(parseFailOn("unpinned, undetermined"), ["unpinned", "undetermined"]);
    assert.deepEqual(parseFailOn("none"), []);
    assert.deepEqual(DEFAULT_FAIL_ON, ["refused", "undetermined"]);
  });

  for (const text of ["", "all", "refused,", "refused,none", "Refused", "refused;drift"]) {
    it(`does not take ${JSON.stringify(text)}`, () => {
      thrownBy(() => parseFailOn(text), "usage");
    });
  }
});

describe("what an audit fails on", () => {
  const tag = "registry.example/app:1";

  it("is nothing where everything is accepted, pinned and as it was", () => {
    assert.deepEqual(failing([imageOf(PINNED)]), []);
  });

  it("is each finding where it is asked for, and none where it is not", () => {
    const cases = {
      refused: refusedOf(PINNED, [{ code: "unsigned", message: "the image is not signed" }]),
      undetermined: undeterminedOf(PINNED, [{ code: "denied", message: "no access" }]),
      unpinned: imageOf(tag),
      drift: imageOf(PINNED, { drift: true }),
    } as const;
    for (const name of FAILINGS) {
      assert.deepEqual(failing([imageOf(PINNED), cases[name]]), [name]);
      assert.deepEqual(
        failing(
          [cases[name]],
          FAILINGS.filter((other) => other !== name),
        ),
        [],
      );
      assert.deepEqual(failing([cases[name]], []), []);
    }
  });

  it("is undetermined where a source could not be read: nobody knows what it names", () => {
    const problem = { place: { source: "a.yaml" }, finding: { code: "source-invalid", message: "no YAML" } } as const;
    assert.deepEqual(failing([imageOf(PINNED)], DEFAULT_FAIL_ON, [problem]), ["undetermined"]);
    assert.deepEqual(failing([], ["refused"], [problem]), []);
  });

  it("is undetermined where drift is asked for and a tag could not be looked at: that is no pass", () => {
    const unseen = imageOf(PINNED, { tagFinding: { code: "throttled", message: "429" } });
    assert.deepEqual(failing([unseen], ["drift"]), ["undetermined"]);
    assert.deepEqual(failing([unseen], DEFAULT_FAIL_ON), []);
  });
});
