import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit, AuditedImage } from "../../../../src/core/audit/audit.ts";
import { decidingReason, whatBreaks } from "../../../../src/core/audit/breaks.ts";
import { describeOwner, describeWorkload, ownerOf, tallyWorkloads } from "../../../../src/core/audit/workloads.ts";
import type { Finding } from "../../../../src/core/errors.ts";
import { imageOf, politeAudit, refusedOf, undeterminedOf, useOf } from "../../../support/sample-audit.ts";

const UNSIGNED: Finding = { code: "unsigned", message: "not signed", wanted: "one by a.pub", place: "policy.yaml:4" };
const THROTTLED: Finding = { code: "throttled", message: "too many requests" };

function auditOf(...images: readonly AuditedImage[]): Audit {
  return politeAudit({ images, problems: [] });
}

describe("what breaks", () => {
  it("is nothing where every image is accepted", () => {
    assert.deepEqual(whatBreaks(auditOf(imageOf("r.example/a:1"))), []);
  });

  it("is nothing by an image that nothing uses", () => {
    assert.deepEqual(whatBreaks(auditOf(refusedOf("r.example/a:1", [UNSIGNED], { uses: [] }))), []);
  });

  it("is grouped by cause and by owner, the most workloads first", () => {
    const uses = (...names: readonly string[]) => names.map((name) => useOf("x", { name }));
    const breaks = whatBreaks(
      auditOf(
        refusedOf("r.example/a:1", [UNSIGNED], {
          uses: [...uses("one"), useOf("x", { name: "far", owner: "team-far" })],
        }),
        refusedOf("r.example/b:1", [UNSIGNED], { uses: uses("two", "three") }),
        refusedOf("r.example/c:1", [{ ...UNSIGNED, wanted: "one by b.pub" }], { uses: uses("one", "two") }),
      ),
    );
    assert.deepEqual(
      breaks.map(({ wanted, owner, images, workloads }) => [wanted, owner.name, images.length, workloads.length]),
      [
        ["one by a.pub", "team-shop", 2, 3],
        ["one by b.pub", "team-shop", 1, 2],
        ["one by a.pub", "team-far", 1, 1],
      ],
    );
  });

  it("counts a workload once, however many containers and bad images it has", () => {
    const uses = [useOf("a", { container: "app" }), useOf("a", { container: "init" })];
    const audit = auditOf(
      refusedOf("r.example/a:1", [UNSIGNED], { uses }),
      refusedOf("r.example/b:1", [UNSIGNED], { uses }),
    );
    const [only, ...others] = whatBreaks(audit);
    assert.equal(others.length, 0);
    assert.deepEqual([only?.images.length, only?.workloads.length], [2, 1]);
    assert.deepEqual(tallyWorkloads(audit), { workloads: 1, stopped: 1, unknown: 0 });
  });

  it("tells workloads of one name in two files, two namespaces and two kinds apart", () => {
    const uses = [
      useOf("a"),
      useOf("a", { source: "other.yaml" }),
      useOf("a", { namespace: "other" }),
      useOf("a", { workload: "CronJob" }),
    ];
    const [only] = whatBreaks(auditOf(refusedOf("r.example/a:1", [UNSIGNED], { uses })));
    assert.equal(only?.workloads.length, 4);
  });

  it("never calls unsigned what could not be looked at, and lists it apart behind the rest", () => {
    const many = Array.from({ length: 5 }, (_, at) => useOf("a", { name: `w${at}` }));
    const breaks = whatBreaks(
      auditOf(undeterminedOf("r.example/a:1", [THROTTLED], { uses: many }), refusedOf("r.example/b:1", [UNSIGNED])),
    );
    assert.deepEqual(
      breaks.map(({ verdict, code }) => [verdict, code]),
      [
        ["refused", "unsigned"],
        ["undetermined", "throttled"],
      ],
    );
  });

  it("names the reason that decided: what was not reached, and not what was seen before", () => {
    const image = undeterminedOf("r.example/a:1", [{ code: "wrong-key", message: "another key" }, THROTTLED]);
    assert.equal(decidingReason(image)?.code, "throttled");
    const refused = refusedOf("r.example/a:1", [THROTTLED, UNSIGNED]);
    assert.equal(decidingReason(refused)?.code, "unsigned");
  });

  it("does not lose an image that gives no reason", () => {
    const [only] = whatBreaks(auditOf(refusedOf("r.example/a:1", [])));
    assert.equal(only?.code, "internal");
  });

  it("is the same whatever order the images come in", () => {
    const { images } = politeAudit();
    const order = (all: readonly AuditedImage[]) =>
      whatBreaks(auditOf(...all)).map(({ code, owner, workloads }) => [code, owner, workloads.length]);
    assert.deepEqual(order(images.toReversed()), order(images));
  });
});

describe("who answers for a workload", () => {
  it("is whom it names, else its namespace, else the folder, the cluster or the registry that names it", () => {
    const owners = [
      useOf("a"),
      useOf("a", { owner: undefined }),
      { ...useOf("a"), workload: { kind: "service", name: "db" } },
      { as: "a", kind: "list", place: { source: "images.txt" } },
      { as: "a", kind: "list", place: { source: "/images.txt" } },
      { as: "a", kind: "registry", place: { source: "registry://r.example/acme" } },
      { as: "a", kind: "list", place: { source: "-" } },
    ] as const;
    assert.deepEqual(
      owners.map((use) => describeOwner(ownerOf(use))),
      [
        "team-shop",
        "namespace shop",
        "folder deploy/shop",
        "folder .",
        "folder /",
        "folder registry://r.example/acme",
        "folder .",
      ],
    );
  });

  it("is told with what is run", () => {
    assert.equal(
      describeWorkload({ source: "a", kind: "Deployment", namespace: "shop", name: "web" }),
      "Deployment shop/web",
    );
    assert.equal(describeWorkload({ source: "a", name: "r.example/a:1" }), "r.example/a:1");
  });
});
