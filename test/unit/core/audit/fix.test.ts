import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import { describeFix, shortestFix } from "../../../../src/core/audit/fix.ts";
import type { Finding } from "../../../../src/core/errors.ts";
import { REASONS, type ReasonCode, reasonClass } from "../../../../src/core/reasons.ts";
import { processorTime } from "../../../support/processor-time.ts";
import {
  digestFor,
  imageOf,
  largeAudit,
  politeAudit,
  refusedOf,
  undeterminedOf,
  useOf,
} from "../../../support/sample-audit.ts";

const UNSIGNED: Finding = { code: "unsigned", message: "not signed", wanted: "one by a.pub" };

function auditOf(...images: readonly AuditedImage[]): Audit {
  return politeAudit({ images, problems: [] });
}

function unsigned(image: string, ...workloads: readonly string[]): AuditedImage {
  return refusedOf(image, [UNSIGNED], { uses: workloads.map((name) => useOf(image, { name })) });
}

/** Images and how many workloads each frees. */
function stepsOf(audit: Audit): readonly (readonly [string, number])[] {
  return shortestFix(audit).map(({ images, frees }) => [images.join(" "), frees]);
}

describe("the shortest fix", () => {
  it("is nothing where nothing is refused", () => {
    const throttled = undeterminedOf("r.example/a:1", [{ code: "throttled", message: "" }]);
    assert.deepEqual(shortestFix(auditOf(imageOf("r.example/a:1"), throttled)), []);
  });

  it("begins with what frees most workloads", () => {
    const audit = auditOf(unsigned("r.example/a:1", "one"), unsigned("r.example/b:1", "two", "three"));
    assert.deepEqual(stepsOf(audit), [
      ["r.example/b:1", 2],
      ["r.example/a:1", 1],
    ]);
  });

  it("counts what an action frees together with those before it", () => {
    // Everything needs the proxy; of the apps, one frees two workloads once that is signed.
    const audit = auditOf(
      unsigned("r.example/app:1", "one"),
      unsigned("r.example/app:2", "two", "three"),
      unsigned("r.example/proxy:1", "one", "two", "three"),
    );
    assert.deepEqual(stepsOf(audit), [
      ["r.example/proxy:1", 0],
      ["r.example/app:2", 2],
      ["r.example/app:1", 1],
    ]);
  });

  it("does one thing once for all names of the same digest", () => {
    const digest = digestFor("same");
    const audit = auditOf(
      { ...unsigned("r.example/a:1", "one"), digest },
      { ...unsigned(`r.example/a:1@${digest}`, "two"), digest },
      { ...unsigned("r.example/copy:1", "three"), digest },
    );
    assert.deepEqual(stepsOf(audit), [
      [`r.example/a:1 r.example/a:1@${digest}`, 2],
      ["r.example/copy:1", 1],
    ]);
  });

  it("asks for one rule for a repository, not for one for each image in it", () => {
    const noPolicy: Finding = { code: "no-policy", message: "no rule" };
    const [only, ...others] = shortestFix(
      auditOf(refusedOf("r.example/a:1", [noPolicy]), refusedOf("r.example/a:2", [noPolicy])),
    );
    assert.equal(others.length, 0);
    assert.deepEqual([only?.kind, only?.image], ["rule", "r.example/a"]);
  });

  it("says that nothing frees a workload that also has what could not be looked at", () => {
    const throttled = undeterminedOf("r.example/b:1", [{ code: "throttled", message: "" }], {
      uses: [useOf("b", { name: "one" })],
    });
    assert.deepEqual(stepsOf(auditOf(unsigned("r.example/a:1", "one"), throttled)), [["r.example/a:1", 0]]);
  });

  it("names the owners of what is freed, most first", () => {
    const uses = [
      useOf("a", { name: "x", owner: "few" }),
      useOf("a", { name: "y", owner: "many" }),
      useOf("a", { name: "z", owner: "many" }),
    ];
    const [only] = shortestFix(auditOf(refusedOf("r.example/a:1", [UNSIGNED], { uses })));
    assert.deepEqual(only?.owners, [
      { owner: { from: "owner", name: "many" }, workloads: 2 },
      { owner: { from: "owner", name: "few" }, workloads: 1 },
    ]);
  });

  it("never proposes to sign over what may have been tampered with", () => {
    for (const code of ["bad-signature", "wrong-digest", "wrong-repository"] as const) {
      const [only] = shortestFix(auditOf(refusedOf("r.example/a:1", [{ code, message: "" }])));
      assert.equal(only?.kind, "inspect", code);
    }
  });

  it("proposes to replace what was withdrawn, forbidden or broken, whoever would sign it", () => {
    for (const code of ["withdrawn", "forbidden", "vulnerable", "digest-mismatch", "layer-invalid"] as const) {
      const [only] = shortestFix(auditOf(refusedOf("r.example/a:1", [{ code, message: "" }])));
      assert.equal(only?.kind, "replace", code);
    }
  });

  it("has something to do for every reason to refuse, with the next step of its own", () => {
    const codes = (Object.keys(REASONS) as ReasonCode[]).filter((code) => reasonClass(code) === "refused");
    for (const code of codes) {
      const [only] = shortestFix(auditOf(refusedOf("r.example/a:1", [{ code, message: "" }])));
      assert.ok(only !== undefined && describeFix(only).endsWith(only.image), code);
      assert.equal(only.next, REASONS[code].next);
    }
  });

  it("frees every workload by its end, whatever the audit", () => {
    const audit = largeAudit(3_000);
    const freed = shortestFix(audit).reduce((sum, { frees }) => sum + frees, 0);
    assert.equal(freed, audit.images.filter(({ verdict }) => verdict === "refused").length);
  });

  it("takes no time with the square of what is refused", () => {
    // One image that all share, one of each one's own: the worst that a fleet has to offer.
    const names = Array.from({ length: 20_000 }, (_, at) => `w${at}`);
    const own = names.map((name) => unsigned(`r.example/${name}:1`, name));
    const before = processorTime();
    const fixes = shortestFix(auditOf(unsigned("r.example/shared:1", ...names), ...own));
    assert.equal(fixes.length, names.length + 1);
    assert.equal(fixes[0]?.images[0], "r.example/shared:1");
    assert.ok(processorTime() - before < 10_000);
  });
});
