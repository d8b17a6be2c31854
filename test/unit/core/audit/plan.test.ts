import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditPlan } from "../../../../src/core/audit/audit.ts";
import { digestOfItems, makePlan, planAt } from "../../../../src/core/audit/plan.ts";
import { parsePlan } from "../../../../src/core/audit/plan-file.ts";
import type { Mention, SourceProblem } from "../../../../src/core/sources/mention.ts";
import { instant } from "../../../../src/core/time.ts";
import { planDocument } from "../../../../src/report/audit/plan.ts";
import { thrownBy } from "../../../support/codes.ts";

const AT = instant(Date.UTC(2026, 8, 1, 12, 0, 0, 250));
const DIGEST = `sha256:${"ab".repeat(32)}`;

function mention(image: string, line = 1, source = "deploy/web.yaml"): Mention {
  return { image, kind: "kubernetes", place: { source, line, column: 5 } };
}

function planOf(images: readonly (string | Mention)[], problems: readonly SourceProblem[] = []): AuditPlan {
  const mentions = images.map((image, at) => (typeof image === "string" ? mention(image, at + 1) : image));
  return makePlan(["deploy"], { mentions, problems }, AT);
}

function names({ items }: AuditPlan): readonly string[] {
  return items.map(({ image }) => image);
}

describe("the plan of an audit", () => {
  it("names every image once, normalised, however it is written", () => {
    const plan = planOf(["nginx", "docker.io/library/nginx:latest", "index.docker.io/nginx", "nginx:latest"]);
    assert.deepEqual(names(plan), ["docker.io/library/nginx:latest"]);
    assert.deepEqual(
      plan.items[0]?.uses.map((use) => use.as),
      ["nginx", "docker.io/library/nginx:latest", "index.docker.io/nginx", "nginx:latest"],
    );
  });

  it("has images of one registry and one repository side by side, whatever sorts between their texts", () => {
    const images = ["r.example/a-b:1", "r.example/a:2", "r.example/a:1", `r.example/a@${DIGEST}`, "a.example:5000/z:1"];
    assert.deepEqual(names(planOf(images)), [
      "a.example:5000/z:1",
      `r.example/a@${DIGEST}`,
      "r.example/a:1",
      "r.example/a:2",
      "r.example/a-b:1",
    ]);
  });

  it("takes a tag, the same tag with a digest, and the digest for three questions", () => {
    assert.equal(planOf(["r.example/a:1", `r.example/a:1@${DIGEST}`, `r.example/a@${DIGEST}`]).items.length, 3);
  });

  it("has places in the order of files, lines and columns: line 9 before line 10", () => {
    const uses = [
      mention("a", 10),
      mention("a", 9),
      mention("a", 1, "deploy/a.yaml"),
      { ...mention("a"), place: { source: "deploy/web.yaml" } },
    ];
    const [item] = planOf(uses).items;
    assert.deepEqual(
      item?.uses.map(({ place: { source, line } }) => [source, line]),
      [
        ["deploy/a.yaml", 1],
        ["deploy/web.yaml", undefined],
        ["deploy/web.yaml", 9],
        ["deploy/web.yaml", 10],
      ],
    );
  });

  it("counts a place that two sources name once, and two containers at one place twice", () => {
    const inWorkload = (container: string): Mention => ({
      ...mention("a"),
      workload: { kind: "Deployment", name: "web", container },
    });
    assert.equal(planOf([mention("a"), mention("a")]).items[0]?.uses.length, 1);
    assert.equal(planOf([inWorkload("app"), inWorkload("init")]).items[0]?.uses.length, 2);
  });

  for (const [what, image] of Object.entries({
    "upper-case letters": "r.example/Acme/app",
    "a template": "{{ .Values.image }}",
    "an empty text": "",
    "a broken digest": "r.example/a@sha256:12",
    "a layout on this machine": "oci:build/out",
    "an engine's image": "docker-daemon:app:1",
  })) {
    it(`makes a problem with its place of ${what}, and goes on`, () => {
      const plan = planOf([image, "r.example/a:1"]);
      assert.deepEqual(names(plan), ["r.example/a:1"]);
      const [problem] = plan.problems;
      assert.equal(problem?.finding.code, "source-invalid");
      assert.equal(problem?.finding.found, image);
      assert.deepEqual(problem?.place, { source: "deploy/web.yaml", line: 1, column: 5 });
    });
  }

  it("keeps the problems of the sources, in order, each once", () => {
    const at = (line: number): SourceProblem => ({
      place: { source: "a.yaml", line },
      finding: { code: "source-invalid", message: "the document is no YAML" },
    });
    const { problems } = planOf(["Not An Image", "a"], [at(10), at(9), at(10)]);
    assert.deepEqual(
      problems.map(({ place }) => `${place.source}:${place.line}`),
      ["a.yaml:9", "a.yaml:10", "deploy/web.yaml:1"],
    );
  });

  it("has another digest for another time, another place, another problem, another source", () => {
    const plan = planOf(["r.example/a:1"]);
    const others = [
      planAt(plan, instant(AT + 1)),
      planOf([mention("r.example/a:1", 2)]),
      planOf([{ ...mention("r.example/a:1"), kind: "compose" }]),
      planOf(["r.example/a:1", "Not An Image"]),
      makePlan(["other"], { mentions: [mention("r.example/a:1")], problems: [] }, AT),
    ];
    assert.equal(new Set([plan, ...others].map(({ digest }) => digest)).size, 6);
    assert.deepEqual(planAt(planAt(plan, instant(AT + 1)), AT), plan);
  });

  it("asks the same at two times: the journal of one run is that of the next", () => {
    const plan = planOf(["r.example/a:1"]);
    assert.equal(digestOfItems(planAt(plan, instant(AT + 1))), digestOfItems(plan));
    assert.notEqual(digestOfItems(planOf(["r.example/a:2"])), digestOfItems(plan));
    assert.notEqual(digestOfItems(planOf(["r.example/a:1", "Not An Image"])), digestOfItems(plan));
  });
});

describe("a plan's document", () => {
  const plan = planOf([
    "nginx",
    `r.example/a:1@${DIGEST}`,
    "Not An Image",
    mention("nginx", 7, "\u001b[31m\ud800.yaml"),
  ]);
  const document = planDocument(plan);

  function read(text: string): AuditPlan {
    return parsePlan(new TextEncoder().encode(text), "plan.json");
  }

  it("is read back with the digest that it has, and written again byte for byte", () => {
    assert.equal(read(document).digest, plan.digest);
    assert.equal(planDocument(read(document)), document);
  });

  for (const [what, from, to] of [
    ["a changed image", "r.example/a:1@", "r.example/b:1@"],
    ["a changed place", '"line": 2', '"line": 3'],
    ["a changed time", "12:00:00.250Z", "12:00:00.251Z"],
    ["a changed source", '"deploy"', '"deploi"'],
    ["a changed digest", plan.digest, DIGEST],
    ["a digest that is none", plan.digest, "sha256:12"],
    ["a newer version", '"schemaVersion": 1', '"schemaVersion": 2'],
    ["another kind of document", '"audit plan"', '"audit"'],
    ["a member that is unknown", '"sources"', '"more": 1, "sources"'],
    ["an image that is not normalised", '"docker.io/library/nginx:latest"', '"nginx:latest"'],
    ["an image that is none", '"docker.io/library/nginx:latest"', '"Nginx"'],
    ["a kind of source that is unknown", '"kubernetes"', '"nomad"'],
    ["something behind it", /\n$/, "\n{}"],
    ["half of it", /.{300}$/s, ""],
  ] as const) {
    it(`is not taken with ${what}`, () => {
      assert.notEqual(document.replace(from, to), document);
      const { message } = thrownBy(() => read(document.replace(from, to)), "record-invalid");
      assert.match(message, /^plan\.json: /);
    });
  }

  it("is not taken in another order, or with an image twice, though its digest is right", () => {
    const [first, second] = plan.items;
    assert.ok(first && second);
    for (const items of [
      [second, first],
      [first, first, second],
    ]) {
      const forged = planAt({ ...plan, items }, AT);
      thrownBy(() => read(planDocument(forged)), "record-invalid");
    }
  });
});
