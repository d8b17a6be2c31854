import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assembleAudit } from "../../../src/core/audit/assemble.ts";
import type { Audit, AuditedImage, AuditPlan, ImageFacts } from "../../../src/core/audit/audit.ts";
import { mergeShards } from "../../../src/core/audit/merge.ts";
import { makePlan } from "../../../src/core/audit/plan.ts";
import { shardOf } from "../../../src/core/audit/shard.ts";
import { instant } from "../../../src/core/time.ts";
import { thrownBy } from "../../support/codes.ts";
import { digestFor } from "../../support/sample-audit.ts";

const DIGEST = digestFor("web");
const IMAGES = ["registry.example/db:1", `registry.example/web:1@${DIGEST}`];
const STANDARD = { wanted: "a signature", digest: digestFor("standard"), weakened: [] };

function plan(): AuditPlan {
  const mentions = IMAGES.map((image) => ({ image, kind: "list" as const, place: { source: "images.txt" } }));
  return makePlan(["images.txt"], { mentions, problems: [] }, instant(Date.UTC(2026, 0, 1)));
}

function facts(image: string): ImageFacts {
  const told = { reasons: [], warnings: [], signers: [], checked: [], notChecked: [] };
  const tagDigest = image.includes("@") ? { tagDigest: digestFor("another") } : {};
  return { image, name: image, digest: DIGEST, verdict: "accepted", ...told, ...tagDigest };
}

function shard(index: number): Audit {
  const items = shardOf(plan(), { index, count: 2 });
  const found = items.map(({ image }) => facts(image));
  return assembleAudit({ plan: plan(), items, facts: found, standard: STANDARD, shard: { index, count: 2 } });
}

function merged(index: number, changes: Partial<AuditedImage>): Audit {
  const audits = [1, 2].map(shard).map((audit, at) => {
    if (at + 1 !== index) return audit;
    return { ...audit, images: audit.images.map((image) => ({ ...image, ...changes })) };
  });
  return mergeShards(audits.map((audit, at) => ({ label: `s${at + 1}.json`, audit })));
}

describe("a shard that was changed by hand so that --fail-on finds nothing", () => {
  it("is merged as long as it says what follows from it", () => {
    const { images } = merged(1, {});
    assert.deepEqual(
      images.map(({ pinned, drift }) => [pinned, drift]),
      [
        [false, false],
        [true, true],
      ],
    );
  });

  for (const [what, index, changes] of [
    ["an image by its tag that is called pinned", 1, { pinned: true }],
    ["a tag that moved and is said not to have", 2, { drift: false }],
    ["an image by its digest that is called unpinned", 2, { pinned: false }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      const { message } = thrownBy(() => merged(index, changes), "record-invalid");
      assert.match(message, /^s\d\.json: .* is not what it is said to be$/);
    });
  }
});
