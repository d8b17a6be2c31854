import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { ROOT } from "../../structure/source-files.ts";
import { IDENTITIES, pemOf } from "../../support/foreign-policies.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";
import { temporaryFolder } from "../../support/temp.ts";

const HEAD = `apiVersion: countersign/v1\n${IDENTITIES}\nrules:\n`;
const PLAIN = `${HEAD}  - {images: a.example/, require: {signature: {by: alice}}}\n`;
const LOSSY = `${HEAD}  - {images: a.example/, require: {signature: {by: alice, maxAge: 7d}}}\n`;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function inFolder(t: TestContext, files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const countersign = async (...argv: readonly string[]): Promise<Ran> => {
    const { context, stdout, stderr } = captureContext({ workingDirectory: folder });
    const code = await run(["policy", ...argv], context);
    return { code, stdout: stdout(), stderr: stderr() };
  };
  return { folder, countersign };
}

async function schema(): Promise<Schema> {
  return JSON.parse(await readFile(join(ROOT, "docs/schemas/policy-conversion.json"), "utf8")) as Schema;
}

describe("policy export", () => {
  it("prints the policy, and says what else belongs to it", async (t) => {
    const { countersign } = await inFolder(t, { "policy.yaml": PLAIN });
    const { code, stdout, stderr } = await countersign("export", "--as", "containers", "--policy", "policy.yaml");
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).default[0].type, "reject");
    assert.match(stderr, /registries\.d\/countersign\.yaml belongs to it: --to FOLDER writes both/);
  });

  it("writes one file where a file is named, and into a folder where one is there", async (t) => {
    const { folder, countersign } = await inFolder(t, { "policy.yaml": PLAIN });
    await mkdir(join(folder, "there"));
    for (const to of ["new/kyverno.yaml", "there"]) {
      assert.equal((await countersign("export", "--as", "kyverno", "--policy", "policy.yaml", "--to", to)).code, 0);
    }
    assert.deepEqual(await readdir(join(folder, "new")), ["kyverno.yaml"]);
    assert.deepEqual(await readdir(join(folder, "there")), ["image-validating-policies.yaml"]);
  });

  it("replaces nothing unasked, and writes none of its files then", async (t) => {
    const { folder, countersign } = await inFolder(t, { "policy.yaml": PLAIN });
    await mkdir(join(folder, "to"));
    await writeFile(join(folder, "to/policy.json"), "mine");
    const argv = ["export", "--as", "containers", "--policy", "policy.yaml", "--to", "to"];
    const { code, stderr } = await countersign(...argv);
    assert.equal(code, 2);
    assert.match(stderr, /\[destination-exists\]/);
    assert.deepEqual(await readdir(join(folder, "to")), ["policy.json"]);
    assert.equal((await countersign(...argv, "--force")).code, 0);
    assert.notEqual(await readFile(join(folder, "to/policy.json"), "utf8"), "mine");
  });

  it("writes nothing where --strict finds a loss, prints it even with -q, and has it in JSON", async (t) => {
    const { folder, countersign } = await inFolder(t, { "policy.yaml": LOSSY });
    const argv = ["export", "-q", "--strict", "--as", "containers", "--policy", "policy.yaml", "--to", "to"];
    const { code, stdout, stderr } = await countersign(...argv);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /stricter: maxAge \(policy\.yaml:8\)/);
    assert.match(stderr, /\[unsupported\]/);
    const json = await countersign(...argv, "-o", "json");
    const document = JSON.parse(json.stdout);
    assert.equal(json.code, 2);
    assert.deepEqual(document.files, []);
    assert.equal(document.losses[0].what, "maxAge");
    assert.deepEqual(violations(document, await schema()), []);
    assert.deepEqual(await readdir(folder), ["policy.yaml"]);
  });

  it("prints one JSON document by its schema for everybody", async (t) => {
    const { countersign } = await inFolder(t, { "policy.yaml": LOSSY });
    for (const kind of ["containers", "notation", "policy-controller", "kyverno"]) {
      for (const more of [[], ["--to", kind]]) {
        const { code, stdout } = await countersign(
          "export",
          "-o",
          "json",
          "--as",
          kind,
          "--policy",
          "policy.yaml",
          ...more,
        );
        assert.equal(code, 0);
        assert.deepEqual(violations(JSON.parse(stdout), await schema()), []);
      }
    }
  });

  const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["for nobody", ["--policy", "policy.yaml"], /--as/],
    ["for somebody unknown", ["--as", "docker", "--policy", "policy.yaml"], /\[usage\]/],
    ["of no policy", ["--as", "notation"], /--policy/],
    ["of a policy that is not there", ["--as", "notation", "--policy", "other.yaml"], /no such file/],
    [
      "of a policy whose key is not there",
      ["--as", "notation", "--policy", "nokey.yaml"],
      /nokey\.yaml:3.*\[policy-invalid\]/,
    ],
    ["of a policy whose key is in the environment", ["--as", "notation", "--policy", "env.yaml"], /\[policy-invalid\]/],
    ["of something else", ["--as", "notation", "--policy", "policy.json"], /\[policy-invalid\]/],
  ];
  for (const [title, argv, found] of WRONG) {
    it(`is refused ${title}`, async (t) => {
      const files = {
        "policy.yaml": PLAIN,
        "policy.json": "{}",
        "nokey.yaml": "apiVersion: countersign/v1\nidentities:\n  a: {key: gone.pub}\nrules: []\n",
        "env.yaml": 'apiVersion: countersign/v1\nidentities:\n  a: {key: "env://KEY"}\nrules: []\n',
      };
      const { countersign } = await inFolder(t, files);
      const { code, stderr } = await countersign("export", ...argv);
      assert.equal(code, 2, stderr);
      assert.match(stderr, found);
    });
  }
});

describe("policy import", () => {
  const keyData = Buffer.from(pemOf("alice")).toString("base64");
  const SIGNED = JSON.stringify({
    default: [{ type: "reject" }],
    transports: {
      docker: { "a.example": [{ type: "sigstoreSigned", keyData, signedIdentity: { type: "matchRepository" } }] },
    },
  });

  it("prints a policy that policy check takes", async (t) => {
    const { folder, countersign } = await inFolder(t, { "policy.json": SIGNED });
    const { code, stdout } = await countersign("import", "--strict", "policy.json");
    assert.equal(code, 0);
    await writeFile(join(folder, "policy.yaml"), stdout);
    assert.equal((await countersign("check", "policy.yaml")).code, 0);
  });

  it("prints nothing where --strict finds a loss", async (t) => {
    const { countersign } = await inFolder(t, { "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}' });
    const { code, stdout, stderr } = await countersign("import", "--strict", "policy.json");
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /dropped: insecureAcceptAnything \(policy\.json: default\)/);
  });

  it("prints one JSON document by its schema, with the policy in it", async (t) => {
    const { countersign } = await inFolder(t, { "policy.json": SIGNED });
    const document = JSON.parse((await countersign("import", "-o", "json", "policy.json")).stdout);
    assert.deepEqual(violations(document, await schema()), []);
    assert.match(
      document.files[0].content,
      /^# Imported from policy\.json \(containers\)\.\napiVersion: countersign\/v1/,
    );
  });

  it("takes a file for what it is said to be", async (t) => {
    const { countersign } = await inFolder(t, { "policy.json": SIGNED });
    const { code, stderr } = await countersign("import", "--from", "notation", "policy.json");
    assert.equal(code, 2);
    assert.match(stderr, /default: an unknown member/);
  });

  const KYVERNO =
    "apiVersion: policies.kyverno.io/v1\nkind: ImageValidatingPolicy\nmetadata: {name: a}\nspec: {attestors: [], validations: []}\n";
  const CONTROLLER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-policy-controller}\n";
  const WRONG: readonly (readonly [string, string, RegExp])[] = [
    ["nobody's", "apiVersion: v1\nkind: Secret\n", /nothing that a known tool reads/],
    ["empty", "", /nothing that a known tool reads/],
    ["two enforcers'", `${KYVERNO}---\n${CONTROLLER}`, /policy-controller and kyverno/],
    ["an empty object", "{}", /nothing that a known tool reads/],
    ["two enforcers' in one object", '{"default": [], "trustPolicies": []}', /containers and notation/],
    ["ours", PLAIN, /a policy of countersign already/],
  ];
  for (const [title, content, found] of WRONG) {
    it(`refuses a file that is ${title}`, async (t) => {
      const { countersign } = await inFolder(t, { file: content });
      const { code, stderr } = await countersign("import", "file");
      assert.equal(code, 2, stderr);
      assert.match(stderr, found);
    });
  }

  it("stops at files and documents beyond what is read", async (t) => {
    const many = `${KYVERNO}---\n`.repeat(LIMITS.foreignDocuments + 1);
    const large = `${KYVERNO}${"#".repeat(LIMITS.foreignPolicyBytes)}\n`;
    const globs = Array.from({ length: 800 }, (_, at) => `{glob: "a.example/*/t${at}/**"}`);
    const authority = "authorities: [{name: a, static: {action: fail}}]";
    const alike = globs.map(
      (glob) =>
        `apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec: {images: [${glob}], ${authority}}\n`,
    );
    const { countersign } = await inFolder(t, { many, large, alike: alike.join("---\n") });
    for (const name of ["many", "large", "alike"]) {
      const { code, stderr } = await countersign("import", name);
      assert.equal(code, 3, stderr);
      assert.match(stderr, /\[limit-reached\]/);
    }
  });
});
