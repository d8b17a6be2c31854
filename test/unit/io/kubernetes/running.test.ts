import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runningImages } from "../../../../src/io/kubernetes/running.ts";

const HEX = "a".repeat(64);
const DIGEST = `sha256:${HEX}`;

function pod(image: string, imageID: string, phase = "Running") {
  return {
    spec: { containers: [{ name: "app", image }] },
    status: { phase, containerStatuses: [{ name: "app", imageID }] },
  };
}

function runs(image: string, imageId: string): string | undefined {
  return runningImages(pod(image, imageId))[0]?.image;
}

describe("what a pod really runs", () => {
  it("is the name that was asked for with the digest that its node tells", () => {
    assert.equal(runs("nginx:1.27", `docker.io/library/nginx@${DIGEST}`), `docker.io/library/nginx:1.27@${DIGEST}`);
    assert.equal(runs("nginx", `docker-pullable://nginx@${DIGEST}`), `docker.io/library/nginx:latest@${DIGEST}`);
    assert.equal(
      runs("r.example.com:5000/a/b:1", `r.example.com:5000/a/b@${DIGEST}`),
      `r.example.com:5000/a/b:1@${DIGEST}`,
    );
  });

  it("is what the node tells where that is of another repository, or where the name is none", () => {
    assert.equal(
      runs("mirror.example.com/nginx:1.27", `docker.io/library/nginx@${DIGEST}`),
      `docker.io/library/nginx@${DIGEST}`,
    );
    assert.equal(runs("NOT A NAME", `r.example.com/a@${DIGEST}`), `r.example.com/a@${DIGEST}`);
  });

  it("is not said where the image is named by digest: a node takes no other", () => {
    assert.equal(runs(`nginx@${DIGEST}`, `docker.io/library/nginx@sha256:${"b".repeat(64)}`), undefined);
  });

  it("is not known where the node tells no digest of a manifest", () => {
    for (const imageId of [
      "",
      DIGEST,
      HEX,
      `docker://${DIGEST}`,
      "nginx:1.27",
      `nginx@sha256:${"a".repeat(63)}`,
      `@${DIGEST}`,
      `a@b@${DIGEST}`,
      "nginx@md5:0",
    ]) {
      assert.equal(runs("nginx:1.27", imageId), undefined, imageId);
    }
  });

  it("is nothing any more in a pod that has ended", () => {
    for (const phase of ["Succeeded", "Failed"]) {
      assert.deepEqual(runningImages(pod("nginx:1", `docker.io/library/nginx@${DIGEST}`, phase)), []);
    }
  });

  it("is found of containers of all three kinds, and nothing else in a status is", () => {
    const named = (name: string) => ({ name, image: `example.com/${name}:1` });
    const status = (name: string) => ({ name, imageID: `example.com/${name}@${DIGEST}` });
    const found = runningImages({
      spec: { initContainers: [named("i")], containers: [named("c")], ephemeralContainers: [named("e")] },
      status: {
        initContainerStatuses: [status("i")],
        containerStatuses: [status("c"), 7, null, { name: 3, imageID: `example.com/c@${DIGEST}` }],
        ephemeralContainerStatuses: [status("e")],
        otherStatuses: [status("x")],
      },
    });
    assert.deepEqual(
      found.map(({ container, image }) => `${container} ${image}`),
      ["i", "c", "e"].map((name) => `${name} example.com/${name}:1@${DIGEST}`),
    );
  });

  it("is nothing of a pod of any other shape", () => {
    for (const odd of [
      {},
      { spec: null, status: null },
      { spec: [], status: [] },
      { status: { containerStatuses: "x" } },
      { spec: { containers: {} }, status: { containerStatuses: {} } },
    ]) {
      assert.deepEqual(runningImages(odd), []);
    }
  });
});
