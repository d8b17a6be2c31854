import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { canBeSource, kindByName } from "../../../../src/core/sources/detect.ts";
import { type ReadOptions, readSource } from "../../../../src/core/sources/read.ts";

const POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: pod:1}]}\n";
const WORKFLOW = "on: push\njobs: {a: {container: 'job:1'}}\n";
const COMPOSE = "services:\n  web:\n    image: web:1\n";

function imagesIn(label: string, text: string, options?: ReadOptions): readonly string[] {
  const { mentions, problems } = readSource({ label, text }, options);
  return [
    ...mentions.map(({ kind, image }) => `${kind} ${image}`),
    ...problems.map(({ finding }) => `! ${finding.message}`),
  ];
}

describe("what a file is by its name", () => {
  const cases: readonly (readonly [kind: string | undefined, paths: readonly string[]])[] = [
    [
      "dockerfile",
      [
        "Dockerfile",
        "a/dockerfile",
        "Containerfile",
        "Dockerfile.prod",
        "Dockerfile-alpine",
        "web.Dockerfile",
        "web.dockerfile",
        "Dockerfile.j2",
      ],
    ],
    [
      "compose",
      ["compose.yaml", "a/docker-compose.yml", "docker-compose.prod.yml", "compose-dev.yaml", "app.compose.yml"],
    ],
    ["github-actions", [".github/workflows/ci.yml", "a/.gitea/workflows/x.yaml", "action.yml", "a/action.yaml"]],
    ["gitlab-ci", [".gitlab-ci.yml", "a/.gitlab-ci.yml", "build.gitlab-ci.yml", ".gitlab/ci/a/b.yml"]],
    ["kustomize", ["kustomization.yaml", "a/kustomization.yml", "Kustomization"]],
    ["helm-values", ["values.yaml", "values-prod.yaml", "a/prod.values.yml"]],
    ["list", ["images.txt", "a/images.prod.txt"]],
    [
      undefined,
      [
        "Dockerfile.dockerignore",
        "dockerfile.go",
        "dockerfile.json.golden",
        "mydockerfile",
        "Dockerfile.md",
        "dockerfile_test.go",
        "my-compose.yaml",
        "requirements.txt",
      ],
    ],
    [
      undefined,
      [".github/dependabot.yml", ".github/workflows/a/b.yml", "reaction.yml", "my.kustomization.yaml", "composer.yaml"],
    ],
  ];
  for (const [kind, paths] of cases) {
    it(`is ${kind ?? "none of ours"} for ${paths.join(", ")}`, () => {
      for (const path of paths) assert.equal(kindByName(path), kind, path);
    });
  }

  it("opens nothing in a folder that can be none", () => {
    for (const path of ["a.go", "README.md", "a.tar.gz", "requirements.txt", "yaml"])
      assert.equal(canBeSource(path), false);
    for (const path of ["a.yaml", "b.yml", "c.json", "Dockerfile"]) assert.equal(canBeSource(path), true);
  });
});

describe("a file in a folder", () => {
  const nothing: readonly (readonly [label: string, text: string])[] = [
    ["package.json", '{"name": "a", "image": "not:1"}'],
    ["mkdocs.yml", "site_name: a\nimage: not:1\n"],
    ["template.json", '{"resources": [{"apiVersion": "2020-01-01", "kind": "x", "image": "not:1"}]}'],
    ["broken.json", '{"name": '],
    [".travis.yml", "language: node\nservices:\n  - docker\nimage: not:1\n"],
    ["a.yaml", "nginx\n"],
  ];
  for (const [label, text] of nothing) {
    it(`says nothing where it is none of ours: ${label}`, () => assert.deepEqual(imagesIn(label, text), []));
  }

  it("is a problem where it is YAML that nobody can read", () => {
    assert.match(imagesIn("a.yaml", "a: [b\n").join(), /^! a document cannot be read$/);
    assert.match(imagesIn("a.yaml", "{{- if .Values.a }}\na: b\n{{- end }}\n").join(), /^! this is a template/);
    assert.match(
      imagesIn("a.json", '{"apiVersion": "v1", "kind": "Pod", "spec": {').join(),
      /^! a document cannot be read$/,
    );
  });

  it("is read by what it says where its name does not tell", () => {
    assert.deepEqual(imagesIn("a.yaml", POD), ["kubernetes pod:1"]);
    assert.deepEqual(imagesIn("action.yml", POD), ["kubernetes pod:1"]);
    assert.deepEqual(imagesIn("values.yaml", POD), ["kubernetes pod:1"]);
    assert.deepEqual(imagesIn("stack.yml", COMPOSE), ["compose web:1"]);
    assert.deepEqual(imagesIn("x.yml", WORKFLOW), ["github-actions job:1"]);
    assert.deepEqual(
      imagesIn(
        "a.yml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: [{name: a, newTag: '1'}]\n",
      ),
      ["kustomize a:1"],
    );
    assert.deepEqual(
      imagesIn("a.json", JSON.stringify({ kind: "Pod", apiVersion: "v1", spec: { containers: [{ image: "b:1" }] } })),
      ["kubernetes b:1"],
    );
  });

  it("is passed over where files are said to be something else", () => {
    assert.deepEqual(imagesIn("a.yaml", POD, { kind: "compose" }), []);
    assert.deepEqual(imagesIn("compose.yaml", COMPOSE, { kind: "compose" }), ["compose web:1"]);
    assert.deepEqual(imagesIn("a.yaml", "a: [b\n", { kind: "compose" }), []);
  });

  it("is known by its place where its label says less", () => {
    assert.deepEqual(imagesIn("ci.yml", "jobs: {a: {container: 'job:1'}}", { path: "x/.github/workflows/ci.yml" }), [
      "github-actions job:1",
    ]);
  });
});

describe("a file that is wrong in many places", () => {
  it("is told of in so many of them, and that there are more", () => {
    const junk = (count: number): readonly string[] =>
      imagesIn("images.txt", `${"$X\n".repeat(count)}nginx`, { isNamed: true });
    assert.equal(junk(LIMITS.sourceProblems).length, LIMITS.sourceProblems + 1);
    assert.equal(junk(LIMITS.sourceProblems + 5).length, LIMITS.sourceProblems + 2);
    assert.match(junk(LIMITS.sourceProblems + 5).at(-1) ?? "", /there is more in this file/);
  });
});

describe("a file that was named", () => {
  const named = { isNamed: true } as const;

  for (const text of ["", "\n", "a: b\n", "<html>", "what is\nthis\n", "\u{1f}"]) {
    it(`has to be something, and is not: ${JSON.stringify(text)}`, () => {
      assert.deepEqual(imagesIn("x", text, named), ["! it is not plain what this file is"]);
    });
  }

  it("is told by the line that speaks against a list, not by a comment at its head", () => {
    const [problem] = readSource({ label: "x", text: "# all we run\nnginx:1\n  redis 7\nhttpd\n" }, named).problems;
    assert.deepEqual(problem?.place, { source: "x", line: 3, column: 1 });
    assert.equal(problem?.finding.found, "redis 7");
    assert.match(problem?.finding.next ?? "", /--source-kind/);
    const [empty] = readSource({ label: "x", text: "# none yet\n" }, named).problems;
    assert.equal(empty?.finding.found, "nothing but comments");
  });

  it("is whatever it looks like", () => {
    assert.deepEqual(imagesIn("x", "nginx:1\n# a\nredis\n", named), ["list nginx:1", "list redis"]);
    assert.deepEqual(imagesIn("-", POD, named), ["kubernetes pod:1"]);
    assert.deepEqual(imagesIn("-", "# a\nARG A=b:1\nFROM $A\n", named), ["dockerfile b:1"]);
    assert.deepEqual(imagesIn("-", "job:\n  image: ruby:3\n  script: [a]\n", named), ["gitlab-ci ruby:3"]);
    assert.deepEqual(imagesIn("-", "image:\n  repository: r.example/a\n  tag: '1'\n", named), [
      "helm-values r.example/a:1",
    ]);
    assert.deepEqual(imagesIn("-", COMPOSE, named), ["compose web:1"]);
    assert.deepEqual(imagesIn("-", "name: a\nruns:\n  using: docker\n  image: docker://a:1\n", named), [
      "github-actions a:1",
    ]);
  });

  it("is what the user says", () => {
    assert.deepEqual(imagesIn("x", "a:1", { ...named, kind: "dockerfile" }).length, 2);
    assert.deepEqual(imagesIn("compose.yaml", "nginx", { ...named, kind: "list" }), ["list nginx"]);
  });
});
