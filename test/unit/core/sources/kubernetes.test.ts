import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "../../../../src/core/json.ts";
import { imagesOfObject, type KubernetesOptions, readKubernetes } from "../../../../src/core/sources/kubernetes.ts";

function pod(metadata: JsonObject, image = "a:1"): JsonObject {
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [{ name: "c", image }] } };
}

function ownerIn(metadata: JsonObject, options: KubernetesOptions = {}): string | undefined {
  return imagesOfObject(pod(metadata), { source: "cluster://a" }, options).mentions[0]?.workload?.owner;
}

describe("an object of a cluster", () => {
  it("is searched as one in a file is", () => {
    const object: JsonObject = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "shop" },
      spec: {
        template: { spec: { containers: [{ name: "c", image: "a:1" }, { name: "d" }], volumes: [{ name: "v" }] } },
      },
    };
    const { mentions, problems } = imagesOfObject(object, { source: "cluster://a" });
    const inFile = readKubernetes({ label: "a.json", text: JSON.stringify(object) });
    assert.deepEqual(problems, []);
    assert.deepEqual(
      mentions.map(({ image, workload }) => ({ image, workload })),
      inFile.mentions.map(({ image, workload }) => ({ image, workload })),
    );
  });

  it("has the cluster for a place, and nothing in it is pinned", () => {
    const { mentions } = imagesOfObject(pod({ name: "a" }), { source: "cluster://a" });
    assert.equal(mentions[0]?.kind, "cluster");
    assert.deepEqual(mentions[0]?.place, { source: "cluster://a" });
    assert.equal(mentions[0]?.slot, undefined);
    assert.notEqual(mentions[0]?.fixed, undefined);
  });

  it("with something else in the place of an image is a problem", () => {
    for (const image of ["", "A:1", "a b", "$(IMAGE)"]) {
      const { mentions, problems } = imagesOfObject(pod({ name: "a" }, image), { source: "cluster://a" });
      assert.deepEqual([mentions.length, problems[0]?.finding.code], [0, "source-invalid"], image);
    }
  });

  it("that is none is a problem", () => {
    assert.match(
      imagesOfObject({ spec: {} }, { source: "a" }).problems[0]?.finding.message ?? "",
      /no Kubernetes object/,
    );
  });

  it("is bounded, however deep things lie in it", () => {
    let value: JsonObject = { template: { spec: { containers: [{ image: "a:1" }] } } };
    for (let at = 0; at < 1_000; at += 1) value = { a: [value] };
    assert.deepEqual(imagesOfObject({ kind: "A", ...value }, { source: "a" }).mentions, []);
  });
});

describe("who answers for an object", () => {
  const owners: readonly (readonly [title: string, metadata: JsonObject, owner: string | undefined])[] = [
    ["nobody says", { labels: { app: "a" } }, undefined],
    ["a label says", { labels: { team: "a" } }, "a"],
    ["an annotation says", { annotations: { owner: "a" } }, "a"],
    ["a label says rather than an annotation", { annotations: { team: "a" }, labels: { team: "b" } }, "b"],
    ["the owner goes before the team", { labels: { team: "a", owner: "b" } }, "b"],
    ["any prefix will do", { annotations: { "example.com/owner": "a" } }, "a"],
    ["the application is the last resort", { labels: { "app.kubernetes.io/part-of": "a" } }, "a"],
    ["other ends of names are others", { labels: { coowner: "a", "example.com/steam": "b" } }, undefined],
    ["empty says nothing", { labels: { owner: "", team: "a" } }, "a"],
    ["a mapping says nothing", { labels: { owner: { a: "b" } } }, undefined],
  ];
  for (const [title, metadata, owner] of owners) it(title, () => assert.equal(ownerIn(metadata), owner));

  it("is said by the labels that are given, and by no others then", () => {
    const ownerLabels = ["example.com/squad"];
    assert.equal(ownerIn({ labels: { "example.com/squad": "a", owner: "b" } }, { ownerLabels }), "a");
    assert.equal(ownerIn({ labels: { "example.org/example.com/squad": "a", owner: "b" } }, { ownerLabels }), undefined);
  });

  it("is asked of the pod's template after the object", () => {
    const object: JsonObject = {
      kind: "Job",
      metadata: { labels: { team: "of-object" } },
      spec: {
        template: {
          metadata: { labels: { team: "of-template", owner: "of-template" } },
          spec: { containers: [{ image: "a" }] },
        },
      },
    };
    assert.equal(imagesOfObject(object, { source: "a" }).mentions[0]?.workload?.owner, "of-template");
  });
});
