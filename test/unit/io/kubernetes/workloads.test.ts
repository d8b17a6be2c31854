import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "../../../../src/core/json.ts";
import type { Mention } from "../../../../src/core/sources/mention.ts";
import type { Resource } from "../../../../src/io/kubernetes/lists.ts";
import { WORKLOADS, Workloads } from "../../../../src/io/kubernetes/workloads.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

function resource(kind: string): Resource {
  const found = WORKLOADS.find((one) => one.kind === kind);
  assert.ok(found !== undefined, kind);
  return found;
}

/** Hands objects over in the order given, as the lists of a cluster do. */
class Cluster {
  readonly workloads = new Workloads("cluster://test");
  readonly problems: string[] = [];
  readonly #mentions: Mention[] = [];

  add(kind: string, name: string, image: string, over: JsonObject = {}): this {
    const containers = [{ name: "app", image }];
    const spec = kind === "Pod" ? { containers } : { template: { spec: { containers } } };
    const { metadata = {}, spec: more = {}, ...rest } = over as { metadata?: JsonObject; spec?: JsonObject };
    const { group, version } = resource(kind);
    const object = {
      apiVersion: group === "" ? version : `${group}/${version}`,
      kind,
      metadata: { name, namespace: "n", uid: `${kind}/${name}`, ...metadata },
      spec: { ...spec, ...more },
      ...rest,
    };
    const { mentions, problems } = this.workloads.add(object as JsonObject, resource(kind));
    this.#mentions.push(...mentions);
    this.problems.push(...problems.map(({ finding }) => finding.message));
    return this;
  }

  finished(kind: string): this {
    this.workloads.finished(resource(kind));
    return this;
  }

  get lines(): readonly string[] {
    return this.#mentions.map(({ image, workload }) => `${workload?.kind}/${workload?.name} ${image}`);
  }
}

function owner(kind: string, name: string, apiVersion = "apps/v1", over: JsonObject = {}): JsonObject {
  return {
    metadata: { ownerReferences: [{ kind, name, apiVersion, uid: `${kind}/${name}`, controller: true, ...over }] },
  };
}

describe("workloads of a cluster", () => {
  it("are shown as whoever is at the beginning of the chain of owners", () => {
    const { lines } = new Cluster()
      .add("Deployment", "web", "w:1")
      .finished("Deployment")
      .add("ReplicaSet", "web-1", "w:1", owner("Deployment", "web"))
      .add("Pod", "web-1-a", "w:1", owner("ReplicaSet", "web-1"))
      .add("Pod", "web-1-b", "w:1", owner("ReplicaSet", "web-1"));
    assert.deepEqual(lines, ["Deployment/web w:1"]);
  });

  it("have one more mention for what runs, however many pods run it, and one for each digest", () => {
    const running = (digest: string) => ({
      ...owner("StatefulSet", "db"),
      status: { containerStatuses: [{ name: "app", imageID: `docker.io/library/w@${digest}` }] },
    });
    const other = `sha256:${"b".repeat(64)}`;
    const { lines } = new Cluster()
      .add("StatefulSet", "db", "w:1")
      .add("Pod", "db-0", "w:1", running(DIGEST))
      .add("Pod", "db-1", "w:1", running(DIGEST))
      .add("Pod", "db-2", "w:1", running(other));
    assert.deepEqual(lines, [
      "StatefulSet/db w:1",
      `StatefulSet/db docker.io/library/w:1@${DIGEST}`,
      `StatefulSet/db docker.io/library/w:1@${other}`,
    ]);
  });

  it("show what a pod has beside its template: a container that was put into it, an image of before", () => {
    const { lines } = new Cluster()
      .add("Deployment", "web", "w:2")
      .finished("Deployment")
      .add("ReplicaSet", "web-1", "w:1", owner("Deployment", "web"))
      .add("Pod", "web-1-a", "w:1", owner("ReplicaSet", "web-1"));
    assert.deepEqual(lines, ["Deployment/web w:2", "Deployment/web w:1"]);
  });

  it("are taken from what was made where its maker could not be read, or is of a kind that is not read", () => {
    const { lines } = new Cluster()
      .add("ReplicaSet", "web-1", "w:1", owner("Deployment", "web"))
      .add("ReplicaSet", "roll-1", "r:1", owner("Rollout", "roll", "argoproj.io/v1alpha1"))
      .finished("Deployment")
      .add("ReplicaSet", "fake-1", "f:1", owner("Deployment", "fake", "example.com/v1"));
    assert.deepEqual(lines, ["Deployment/web w:1", "Rollout/roll r:1", "Deployment/fake f:1"]);
  });

  it("are not what their owners only keep for the record", () => {
    const { lines } = new Cluster()
      .add("ReplicaSet", "roll-0", "r:0", { ...owner("Rollout", "roll"), spec: { replicas: 0 } })
      .add("Job", "wf-1", "j:1", { ...owner("Workflow", "wf"), status: { completionTime: "2026-01-01T00:00:00Z" } })
      .add("ReplicaSet", "bare", "b:1", { spec: { replicas: 0 } })
      .add("Job", "done", "d:1", { status: { completionTime: "2026-01-01T00:00:00Z" } });
    assert.deepEqual(lines, ["ReplicaSet/bare b:1", "Job/done d:1"], "nobody else speaks for those");
  });

  it("stay pods where the owner is a node, or no controller", () => {
    const { lines } = new Cluster()
      .add("Pod", "static", "s:1", owner("Node", "node-1", "v1"))
      .add("Pod", "kept", "k:1", owner("ConfigMap", "c", "v1", { controller: false }));
    assert.deepEqual(lines, ["Pod/static s:1", "Pod/kept k:1"]);
  });

  it("come to an end where owners own each other, or are of no shape at all", () => {
    const { lines } = new Cluster()
      .add("ReplicaSet", "a", "a:1", owner("ReplicaSet", "b"))
      .add("ReplicaSet", "b", "b:1", owner("ReplicaSet", "a"))
      .add("Pod", "p", "p:1", owner("ReplicaSet", "a"))
      .add("Pod", "q", "q:1", {
        metadata: {
          ownerReferences: [7, null, { controller: true }, { controller: true, uid: 1, kind: {}, name: [] }],
        },
      })
      .add("Pod", "r", "r:1", { metadata: { ownerReferences: { controller: true } } });
    assert.equal(lines.length, 5);
    assert.deepEqual(lines.slice(-2), ["Pod/q q:1", "Pod/r r:1"]);
  });

  it("have problems that name the object, once for all its pods", () => {
    const cluster = new Cluster();
    for (let at = 0; at < 3; at++) cluster.add("Pod", `web-${at}`, "NOT A NAME", owner("StatefulSet", "web"));
    assert.equal(cluster.problems.length, 1);
    assert.match(cluster.problems[0] ?? "", /^StatefulSet n\/web: /);
  });
});
