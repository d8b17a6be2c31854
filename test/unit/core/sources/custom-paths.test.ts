import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { parseCustomPath, WELL_KNOWN_PATHS } from "../../../../src/core/sources/custom-paths.ts";
import { readKubernetes } from "../../../../src/core/sources/kubernetes.ts";

function imagesAt(path: string, text: string): readonly string[] {
  const { mentions, problems } = readKubernetes({ label: "a.yaml", text }, { customPaths: [parseCustomPath(path)] });
  return [
    ...mentions.map(({ image, workload }) => `${image} ${workload?.container ?? "-"}`),
    ...problems.map(({ finding }) => `! ${finding.message}`),
  ];
}

const WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n";

describe("a path to images in custom resources", () => {
  const found: readonly (readonly [path: string, spec: string, images: readonly string[]])[] = [
    ["Widget.example.com=.spec.image", "spec: {image: a:1}", ["a:1 -"]],
    ["Widget=.spec.image", "spec: {image: a:1}", ["a:1 -"]],
    ["Widget=.spec.parts[*].image", "spec: {parts: [{name: p, image: a:1}, {image: b:2}]}", ["a:1 p", "b:2 -"]],
    ["Widget=.spec.images[*]", "spec: {images: [a:1, b:2]}", ["a:1 -", "b:2 -"]],
    ["Widget=.spec.grid[*][*]", "spec: {grid: [[a:1], [b:2]]}", ["a:1 -", "b:2 -"]],
    ["Widget=.spec.pod", "spec: {pod: {initContainers: [{name: i, image: a:1}]}}", ["a:1 i"]],
    ["Widget=.spec.a_b/c-d$e", "spec: {a_b/c-d$e: a:1}", ["a:1 -"]],
    ["Widget=.spec.missing.image", "spec: {image: a:1}", []],
    ["Widget=.spec.image", "spec: {image: ~}", []],
    ["Widget.example.org=.spec.image", "spec: {image: a:1}", []],
    ["Widget.example=.spec.image", "spec: {image: a:1}", []],
    ["widget=.spec.image", "spec: {image: a:1}", []],
    ["Widget=.spec.image", "spec: {image: {name: a}}", ["! not an image reference"]],
    ["Widget=.spec.images", "spec: {images: [a:1]}", ["! not an image reference"]],
    ["Widget=.spec.image", "spec: {image: A:1}", ["! not an image reference: its repository has upper-case letters"]],
    ["Widget=.spec.image[*]", "spec: {image: a:1}", []],
  ];
  for (const [path, spec, images] of found) {
    it(`${path} finds ${images.join(", ") || "nothing"} in ${spec}`, () => {
      assert.deepEqual(imagesAt(path, `${WIDGET}${spec}\n`), images);
    });
  }

  const refused = [
    "",
    "Widget",
    "Widget=",
    "=.spec.image",
    "Widget=spec.image",
    "Widget=.spec..image",
    "Widget=.spec.image.",
    "Widget=.spec.images[0]",
    "Widget=.spec.images[]",
    "Widget=.spec.images[*",
    "Widget=.spec.*",
    "Widget= .spec.image",
    "Widget.=.spec.image",
    "Widget.Example.com=.spec.image",
    "wid-get=.spec.image",
    "Widget=$.spec.image",
    `Widget=.${"a".repeat(LIMITS.imagePathCharacters)}`,
  ];
  for (const text of refused) {
    it(`is refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => parseCustomPath(text), { code: "usage", wanted: /Prometheus/ });
    });
  }
});

describe("the paths that are well known", () => {
  it("name a kind and a group each: a kind's name alone belongs to nobody", () => {
    assert.deepEqual(
      WELL_KNOWN_PATHS.filter(({ group, steps }) => group === undefined || steps.length === 0),
      [],
    );
  });
});
