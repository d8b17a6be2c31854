import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import { CHANGES, type Change, diffAudits } from "../../../../src/core/audit/diff.ts";
import { DEFAULT_DIFF_FAIL_ON, failingChanges, parseDiffFailOn } from "../../../../src/core/audit/diff-fail-on.ts";
import type { Finding } from "../../../../src/core/errors.ts";
import type { SourceProblem } from "../../../../src/core/sources/mention.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  digestFor,
  imageOf,
  politeAudit,
  refusedOf,
  undeterminedOf,
  useOf,
  workflowOf,
} from "../../../support/sample-audit.ts";

const UNSIGNED: Finding = { code: "unsigned", message: "not signed" };
const THROTTLED: Finding = { code: "throttled", message: "too many requests" };
const APP = "r.example/acme/app:1";
const ALICE = workflowOf("acme/alice", 0);
const BOB = workflowOf("acme/bob", 0);

function auditOf(...images: readonly AuditedImage[]): Audit {
  return politeAudit({ images, problems: [] });
}

/** What became of the only image that is different. */
function changesOf(before: AuditedImage | undefined, after: AuditedImage | undefined): readonly Change[] {
  const side = (image: AuditedImage | undefined) => auditOf(...(image === undefined ? [] : [image]));
  return diffAudits(side(before), side(after)).images.flatMap(({ changes }) => changes);
}

function pinnedTo(content: string, changes: Partial<AuditedImage> = {}): AuditedImage {
  return imageOf(`${APP}@${digestFor(content)}`, { digest: digestFor(content), ...changes });
}

describe("two audits", () => {
  it("that are the same have no difference", () => {
    const { images, problems, sameStandard, sameSources } = diffAudits(politeAudit(), politeAudit());
    assert.deepEqual([images, problems, sameStandard, sameSources], [[], { new: [], gone: [] }, true, true]);
  });

  it("differ in verdicts, each way", () => {
    const accepted = imageOf(APP, { signers: [] });
    const refused = refusedOf(APP, [UNSIGNED]);
    const undetermined = undeterminedOf(APP, [THROTTLED]);
    assert.deepEqual(changesOf(accepted, refused), ["refused"]);
    assert.deepEqual(changesOf(refused, accepted), ["accepted"]);
    assert.deepEqual(changesOf(undetermined, refused), ["refused"]);
    assert.deepEqual(changesOf(refused, undetermined), ["undetermined"]);
  });

  it("differ in what is new, with its verdict where that is trouble", () => {
    assert.deepEqual(changesOf(undefined, imageOf(APP)), ["new"]);
    assert.deepEqual(changesOf(undefined, refusedOf(APP, [UNSIGNED])), ["refused", "new"]);
    assert.deepEqual(changesOf(undefined, undeterminedOf(APP, [THROTTLED])), ["undetermined", "new"]);
  });

  it("differ in signers, each person once", () => {
    const by = (...signers: AuditedImage["signers"]) => imageOf(APP, { signers });
    assert.deepEqual(changesOf(by(ALICE, BOB), by(BOB)), ["signer-lost"]);
    assert.deepEqual(changesOf(by(ALICE), by(BOB)), ["signer-changed"]);
    assert.deepEqual(changesOf(by(ALICE), by(ALICE, BOB)), ["signer-new"]);
    const later = { ...ALICE, signedAt: undefined, format: "cosign-legacy" as const };
    assert.deepEqual(changesOf(by(ALICE), by(later, ALICE)), []);
    const [change] = diffAudits(auditOf(by(ALICE, later)), auditOf(by(BOB))).images;
    assert.deepEqual([change?.signersLost.length, change?.signersNew.length], [1, 1]);
  });

  it("lose no signer by what could not be looked at, in neither of them", () => {
    const signed = imageOf(APP, { signers: [ALICE] });
    assert.deepEqual(changesOf(signed, undeterminedOf(APP, [THROTTLED])), ["undetermined"]);
    assert.deepEqual(changesOf(undeterminedOf(APP, [THROTTLED]), signed), ["accepted"]);
  });

  it("differ in a tag that moved, and in a pin that was moved, lost or made", () => {
    const tagged = (content: string) => imageOf(APP, { digest: digestFor(content) });
    assert.deepEqual(changesOf(tagged("old"), tagged("new")), ["tag-moved"]);
    assert.deepEqual(changesOf(pinnedTo("old"), pinnedTo("new")), ["pin-moved"]);
    assert.deepEqual(changesOf(pinnedTo("old"), tagged("old")), ["unpinned"]);
    assert.deepEqual(changesOf(pinnedTo("old"), tagged("new")), ["unpinned", "tag-moved"]);
    assert.deepEqual(changesOf(tagged("old"), pinnedTo("old")), ["pin-new"]);
  });

  it("differ in drift where it begins, and not where it goes on", () => {
    const drifted = pinnedTo("old", { drift: true, tagDigest: digestFor("new") });
    assert.deepEqual(changesOf(pinnedTo("old"), drifted), ["drift"]);
    assert.deepEqual(changesOf(drifted, drifted), []);
  });

  it("pair what is pinned differently by its digest first", () => {
    const [a, b] = [pinnedTo("a"), pinnedTo("b")];
    const tagged = imageOf(APP, { digest: digestFor("b") });
    const found = diffAudits(auditOf(a, b), auditOf(tagged)).images.map(({ image, changes }) => [image, changes]);
    assert.deepEqual(found, [
      [APP, ["unpinned"]],
      [a.image, ["gone"]],
    ]);
  });

  it("never pair images of other names, other tags, or without a tag", () => {
    const bare = (content: string) => imageOf(`r.example/app@${digestFor(content)}`);
    assert.deepEqual(changesOf(bare("a"), bare("b")), ["new", "gone"]);
    assert.deepEqual(changesOf(imageOf("r.example/app:1"), imageOf("r.example/app:2")), ["new", "gone"]);
    assert.deepEqual(changesOf(imageOf("r.example:5000/app"), imageOf("r.example:5000/other")), ["new", "gone"]);
  });

  it("do not call gone what was in a file, a folder or a cluster that cannot be read any more", () => {
    const problem = (source: string): SourceProblem => ({
      place: { source },
      finding: { code: "source-invalid", message: "broken" },
    });
    const cases = [
      ["deploy/shop/web.yaml", "unseen"],
      ["deploy/shop", "unseen"],
      ["deploy", "unseen"],
      [".", "unseen"],
      ["deploy/shop/web.yaml.bak", "gone"],
      ["deploy/other.yaml", "gone"],
      ["dep", "gone"],
    ] as const;
    for (const [source, change] of cases) {
      const now = { ...auditOf(), problems: [problem(source)] };
      const diff = diffAudits(auditOf(imageOf(APP)), now);
      assert.deepEqual(
        diff.images.map(({ changes }) => changes),
        [[change]],
        source,
      );
      assert.equal(diff.problems.new.length, 1);
    }
    const running = imageOf(APP, { uses: [useOf(APP, { source: "cluster://production", kind: "cluster" })] });
    const now = { ...auditOf(), problems: [problem("cluster://production")] };
    assert.deepEqual(diffAudits(auditOf(running), now).images[0]?.changes, ["unseen"]);
  });

  it("know a problem again on another line", () => {
    const at = (line: number) => ({
      ...auditOf(),
      problems: [
        { place: { source: "a.yaml", line }, finding: { code: "source-invalid", message: "broken" } as const },
      ],
    });
    assert.deepEqual(diffAudits(at(3), at(9)).problems, { new: [], gone: [] });
  });

  it("say that they asked for different things, and looked elsewhere", () => {
    const { standard } = politeAudit();
    const other = politeAudit({ standard: { ...standard, digest: digestFor("other") }, sources: ["elsewhere"] });
    const diff = diffAudits(politeAudit(), other);
    assert.deepEqual([diff.sameStandard, diff.sameSources], [false, false]);
  });

  it("have their changes in one order, the worst first and most workloads before others", () => {
    const [many, few] = [[useOf("a", { name: "a" }), useOf("a", { name: "b" })], [useOf("a", { name: "c" })]];
    const now = [
      imageOf("r.example/fresh:1"),
      refusedOf("r.example/few:1", [UNSIGNED], { uses: few }),
      refusedOf("r.example/many:1", [UNSIGNED], { uses: many }),
    ];
    const names = (images: readonly AuditedImage[]) =>
      diffAudits(auditOf(), auditOf(...images)).images.map(({ image }) => image);
    assert.deepEqual(names(now), ["r.example/many:1", "r.example/few:1", "r.example/fresh:1"]);
    assert.deepEqual(names(now.toReversed()), names(now));
  });

  it("of which one is a shard are not compared", () => {
    const shard = { ...politeAudit(), shard: { index: 1, count: 2 } };
    thrownBy(() => diffAudits(shard, politeAudit()), "record-invalid");
    thrownBy(() => diffAudits(politeAudit(), shard), "record-invalid");
  });
});

describe("what counts as worse", () => {
  const diff = diffAudits(auditOf(imageOf(APP, { signers: [ALICE] })), auditOf(imageOf(APP, { signers: [BOB] })));

  it("is a refusal, a loss of signer or pin, and what could not be looked at; not a release or a new image", () => {
    assert.deepEqual([...failingChanges(diff, DEFAULT_DIFF_FAIL_ON)], ["signer-changed"]);
    const release = diffAudits(auditOf(imageOf(APP)), auditOf(imageOf(APP, { digest: digestFor("release") })));
    assert.equal(failingChanges(release, DEFAULT_DIFF_FAIL_ON).size, 0);
  });

  it("is what newly cannot be read, since it may name anything", () => {
    const problems = [{ place: { source: "a" }, finding: { code: "source-invalid", message: "" } as const }];
    const unread = diffAudits(auditOf(), { ...auditOf(), problems });
    assert.deepEqual([...failingChanges(unread, DEFAULT_DIFF_FAIL_ON)], ["undetermined"]);
    assert.equal(failingChanges(unread, ["refused"]).size, 0);
  });

  it("is what --fail-on says, in words that there are", () => {
    assert.deepEqual(parseDiffFailOn("tag-moved, new"), ["tag-moved", "new"]);
    assert.deepEqual(parseDiffFailOn("none"), []);
    assert.deepEqual(parseDiffFailOn(CHANGES.join(",")), CHANGES);
    for (const wrong of ["", "worse", "refused,", "none,refused", "REFUSED"])
      thrownBy(() => parseDiffFailOn(wrong), "usage");
  });
});
