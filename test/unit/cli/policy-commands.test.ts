import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { parsePolicy } from "../../../src/core/policy/parse.ts";
import { starterPolicy } from "../../../src/core/policy/starter.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";

const folder = mkdtempSync(join(tmpdir(), "policy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function countersign(...argv: readonly string[]): Promise<Ran> {
  const { context, stdout, stderr } = captureContext({
    workingDirectory: folder,
    homeDirectory: folder,
    env: { COSIGN_PASSWORD: "pw", NO_COLOR: "1" },
  });
  const code = await run(argv, context);
  return { code, stdout: stdout(), stderr: stderr() };
}

const RULES = "rules:\n  - {images: registry.example/acme/, require: {signature: {by: alice}}}\n";

function policy(name: string, identity: string, rest: string = RULES): string {
  writeFileSync(join(folder, name), `apiVersion: countersign/v1\nidentities:\n  alice: ${identity}\n${rest}`);
  return name;
}

before(async () => {
  assert.equal((await countersign("key", "generate", "-q")).code, 0);
});

describe("policy check, which and init -o json", () => {
  const good = (): string => policy("good.yaml", "{key: cosign.pub}");
  const bad = (): string => policy("bad.yaml", "{keys: []}");
  const lines: readonly (readonly [schema: string, code: number, argv: () => readonly string[]])[] = [
    ["policy-check", 0, () => ["check", good()]],
    ["policy-check", 2, () => ["check", bad(), good(), "missing.yaml"]],
    ["policy-check", 1, () => ["check", "--strict", policy("warn.yaml", "{key: cosign.pub}", "rules: []\n")]],
    ["policy-which", 0, () => ["which", "--policy", good(), "registry.example/acme/app"]],
    ["policy-which", 1, () => ["which", "--policy", good(), "registry.example/acme/app:1", "nginx"]],
    ["policy-init", 0, () => ["init", "-f", "new.yaml", "--key", "cosign.pub", "registry.example/acme/"]],
    ["policy-init", 0, () => ["init", "-f", "other.yaml", "--no-schema", "--owner", "acme", "registry.example/acme/"]],
    ["error", 2, () => ["which", "--policy", bad(), "nginx"]],
    ["error", 2, () => ["init", "-f", "new.yaml", "--key", "cosign.pub", "registry.example/acme/"]],
  ];
  for (const [schema, code, argv] of lines) {
    it(`fits docs/schemas/${schema}.json, and exits with ${code}: ${argv().join(" ")}`, async () => {
      const ran = await countersign("policy", ...argv(), "-o", "json");
      assert.deepEqual([ran.code, violations(JSON.parse(ran.stdout), schemaOf(schema))], [code, []], ran.stderr);
    });
  }
});

describe("policy which", () => {
  it("goes by no tag that stands beside a digest: no door does", async () => {
    const rules =
      "rules:\n  - {images: registry.example/a, require: {never: x}}\n" +
      "  - {images: 'registry.example/a:1', require: {signature: {by: alice}}}\n";
    const name = policy("tags.yaml", "{key: cosign.pub}", rules);
    const patternFor = async (image: string): Promise<unknown> => {
      const { stdout } = await countersign("policy", "which", "--policy", name, image, "-o", "json");
      return JSON.parse(stdout).images[0].rule.pattern;
    };
    assert.equal(await patternFor("registry.example/a:1"), "registry.example/a:1");
    assert.equal(await patternFor(`registry.example/a:1@sha256:${"a".repeat(64)}`), "registry.example/a");
  });
});

describe("policy check", () => {
  const unusable: readonly (readonly [what: string, identity: string, rest: string, said: RegExp])[] = [
    ["a key that is not there", "{key: nobody.pub}", RULES, /nobody\.pub cannot be used as a key/],
    ["a private key", "{key: cosign.key}", RULES, /cosign\.key/],
    [
      "a trust root that is not there",
      "{key: cosign.pub, trust: acme}",
      `trust: {acme: {trustedRoot: no.json}}\n${RULES}`,
      /no\.json/,
    ],
    [
      "a trust root that is none",
      "{key: cosign.pub, trust: acme}",
      `trust: {acme: {trustedRoot: cosign.pub}}\n${RULES}`,
      /the trust root is not strict JSON/,
    ],
    [
      "a list that is not there",
      "{key: cosign.pub}",
      `withdrawn: [{file: no.json, by: alice}]\n${RULES}`,
      /no\.json cannot be read/,
    ],
    ["a pattern that does not compile", "{keyless: {subjectPattern: 'a(', issuer: b}}", RULES, /not a pattern/],
    [
      "a pattern that repeats too much",
      "{keyless: {subjectPattern: '((a{99}){99}){99}', issuer: b}}",
      RULES,
      /not a pattern/,
    ],
    [
      "a condition that does not compile",
      "{key: cosign.pub}",
      "rules:\n  - images: r.example/a\n    require: {attestation: {type: vsa, by: alice, where: 'a =='}}\n",
      /u\.yaml:6: .*not a condition|u\.yaml:6:\d+: not a condition/,
    ],
    [
      "a condition in a threshold",
      "{key: cosign.pub}",
      "rules:\n  - images: r.example/a\n    require: {threshold: {count: 1, of: [{attestation: {type: vsa, by: alice, where: 'nobody(1)'}}]}}\n",
      /a condition calls a function/,
    ],
  ];
  for (const [what, identity, rest, said] of unusable) {
    it(`exits with 2 for ${what}, and says where it is named`, async () => {
      const { code, stdout } = await countersign("policy", "check", policy("u.yaml", identity, rest));
      assert.equal(code, 2);
      assert.match(stdout, said);
      assert.match(stdout, /u\.yaml:\d+/);
    });
  }

  it("exits with 1 for a key that is published as an example", async () => {
    cpSync("keys-example/demo.pub", join(folder, "demo.pub"));
    const { code, stdout } = await countersign("policy", "check", policy("p.yaml", "{key: demo.pub}"));
    assert.equal(code, 1);
    assert.match(stdout, /key-published/);
  });

  it("knows the instances of the configuration that is named", async () => {
    const named = policy("i.yaml", "{keyless: {subject: a, issuer: b}, trust: lab}");
    assert.match((await countersign("policy", "check", named)).stdout, /trust-unknown/);
    const text = "apiVersion: countersign/v1\nkind: Configuration\ntrust: {instances: {lab: {trustedRoot: a.json}}}\n";
    writeFileSync(join(folder, "config.yaml"), text);
    assert.equal((await countersign("policy", "check", "--config", "config.yaml", named)).code, 0);
  });

  it("prints no control characters of a policy", async () => {
    const { stdout } = await countersign("policy", "check", policy("c.yaml", '{key: "\\e[31mred"}'));
    assert.ok(!stdout.includes("\u001b"));
  });
});

describe("policy init", () => {
  const checked: readonly (readonly string[])[] = [
    ["--key", "cosign.pub"],
    ["--key", "env://PUBLIC_KEY"],
    ["--repo", "acme/app"],
    ["--owner", "acme", "--certificate-claim", "runner-environment=github-hosted"],
    ["--certificate-identity", "dana@example.com", "--certificate-oidc-issuer", "https://accounts.google.com"],
    ["--certificate-identity", "true", "--certificate-oidc-issuer", "https://accounts.google.com"],
    ["--key", "cosign.pub", "--key", "cosign.pub", "--repo", "acme/cosign"],
  ];
  for (const [at, flags] of checked.entries()) {
    it(`writes what policy check has nothing to say against: ${flags.join(" ")}`, async () => {
      const name = `init-${at}.yaml`;
      const env = { PUBLIC_KEY: readFileSync(join(folder, "cosign.pub"), "utf8"), COSIGN_PASSWORD: "pw" };
      const { context, stderr } = captureContext({ workingDirectory: folder, homeDirectory: folder, env });
      assert.equal(await run(["policy", "init", "-f", name, ...flags, "registry.example/acme/"], context), 0, stderr());
      const { code, stdout } = await countersign("policy", "check", "--strict", name);
      assert.equal(code, 0, stdout);
    });
  }

  it("writes its schema whole, and none where another file is in its place", async () => {
    const ran = await countersign("policy", "init", "-f", "s.yaml", "--owner", "acme", "registry.example/a");
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, "s.schema.json"), "utf8")), schemaOf("policy"));
    writeFileSync(join(folder, "t.schema.json"), "{}");
    const refused = await countersign("policy", "init", "-f", "t.yaml", "--owner", "acme", "registry.example/a");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /destination-exists/);
    assert.throws(() => readFileSync(join(folder, "t.yaml")));
  });

  it("says in comments what can be used as it is", () => {
    const starter = starterPolicy({
      signers: [{ kind: "file", text: "a.pub", calledAfter: "alice" }],
      images: ["registry.example/a"],
      schema: undefined,
    });
    const more = starter.slice(starter.indexOf("# More that a rule can say"));
    const rules = more
      .split("\n")
      .slice(1)
      .filter((line) => /^# {3}/.test(line))
      .map((line) => line.slice(2));
    const text =
      "apiVersion: countersign/v1\nidentities:\n  alice: {key: a}\n  bob: {key: b}\n  release: {github: {repository: acme/app}}\n" +
      `roles: {maintainers: [alice, bob]}\nrules:\n${rules.join("\n")}\n`;
    assert.equal(parsePolicy(Buffer.from(text), "starter").rules.length, 2);
  });
});
