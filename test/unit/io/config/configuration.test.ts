import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type Configuration, loadConfiguration } from "../../../../src/io/config/configuration.ts";
import { withInstance } from "../../../../src/io/config/edit.ts";
import { parseConfiguration } from "../../../../src/io/config/parse.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const FILE = { path: "/etc/acme/config.yaml", label: "config.yaml" };
const HEAD = "apiVersion: countersign/v1\nkind: Configuration\n";
const SHA = "ab".repeat(32);

const schema: Schema = JSON.parse(
  await readFile(new URL("../../../../docs/schemas/config.json", import.meta.url), "utf8"),
);

function read(text: string): Configuration {
  return parseConfiguration(Buffer.from(text), FILE);
}

function instances(yaml: string): string {
  return `${HEAD}trust:\n  instances:\n${yaml.replace(/^/gm, "    ")}\n`;
}

const TUF = `acme:\n  tuf:\n    mirror: https://tuf.acme.example\n    root: acme.root.json`;

describe("the configuration", () => {
  const accepted: readonly (readonly [string, string])[] = [
    ["nothing but its header", HEAD],
    ["an empty trust section", `${HEAD}trust:\n`],
    ["no instances", `${HEAD}trust:\n  instances: {}\n`],
    ["another default that is built in", `${HEAD}trust:\n  default: github\n`],
    ["a repository", instances(TUF)],
    ["a repository with a checksum", instances(TUF.replace("acme.root.json", `sha256:${SHA}`))],
    ["a file", instances("lab:\n  trustedRoot: lab/trusted_root.json\n  signingConfig: lab/signing_config.json")],
    ["demands", instances("lab:\n  trustedRoot: a.json\n  demands:\n    logs: 0\n    timestamps: 2")],
    [
      "JSON, which is YAML",
      JSON.stringify({ apiVersion: "countersign/v1", kind: "Configuration", trust: { default: "sigstore" } }),
    ],
  ];
  for (const [title, text] of accepted) {
    it(`may hold ${title}, and the schema says so too`, () => {
      read(text);
      assert.deepEqual(violations(parse(text), schema), []);
    });
  }

  it("has two instances before anybody writes one", () => {
    const { instances: all, defaultInstance } = read(HEAD);
    assert.deepEqual(
      all.map(({ name, origin }) => `${name} ${origin}`),
      ["sigstore built-in", "github built-in"],
    );
    assert.equal(defaultInstance, "sigstore");
  });

  it("looks for files beside itself, and calls them what the user does", () => {
    const [, , acme] = read(instances(TUF)).instances;
    assert.deepEqual(acme?.source.kind === "tuf" ? acme.source.root : undefined, {
      path: "/etc/acme/acme.root.json",
      label: "acme.root.json",
    });
  });

  it("asks of an instance what Sigstore's public one is asked for, but for what it says", () => {
    const text = instances("lab:\n  trustedRoot: a.json\n  demands: { logs: 0, timestamps: 1 }");
    const demands = { logs: 0, certificateLogs: 1, timestamps: 1, times: 1, currentTime: false };
    assert.deepEqual(read(text).instances.at(-1)?.demands, demands);
  });
});

/** With the place that the message names, where there is one. */
const REFUSED: readonly (readonly [title: string, text: string, place: string])[] = [
  ["nothing at all", "", "config.yaml:1:1"],
  ["a list", "- a\n", "config.yaml:1:1: a list"],
  ["no apiVersion", "kind: Configuration\n", "config.yaml:1:1: no apiVersion"],
  [
    "another version",
    "apiVersion: countersign/v2\nkind: Configuration\n",
    "config.yaml:1:13: apiVersion countersign/v2",
  ],
  ["another kind", "apiVersion: countersign/v1\nkind: Policy\n", "config.yaml:2:7: kind Policy"],
  ["an unknown section", `${HEAD}trusts: {}\n`, "config.yaml:3:1: the unknown field trusts"],
  ["an unknown field of trust", `${HEAD}trust:\n  instance: {}\n`, "config.yaml:4:3: the unknown field instance"],
  [
    "an unknown field of an instance",
    instances(`${TUF}\n  offline: true`),
    "config.yaml:9:7: the unknown field offline",
  ],
  ["an unknown field of a repository", instances(`${TUF}\n    roots: a`), "config.yaml:9:9: the unknown field roots"],
  ["a default that is no instance", `${HEAD}trust:\n  default: acme\n`, "config.yaml:4:12: the default acme"],
  ["a default that is no text", `${HEAD}trust:\n  default: 1\n`, "config.yaml:4:12: 1"],
  ["an instance that is built in", instances("sigstore:\n  trustedRoot: a.json"), "config.yaml:5:5: the name sigstore"],
  ["an instance with a name in capitals", instances("Acme:\n  trustedRoot: a.json"), "config.yaml:5:5: the name Acme"],
  ["an instance whose name is a path", instances('"../a":\n  trustedRoot: a.json'), "config.yaml:5:5"],
  ["an instance that is nothing", instances("acme:"), "neither tuf nor trustedRoot"],
  ["an instance of two kinds", instances(`${TUF}\n  trustedRoot: a.json`), "config.yaml:6:7: tuf and trustedRoot"],
  ["a repository without an address", instances("acme:\n  tuf:\n    root: a.json"), "no mirror"],
  ["a repository that gives its own root", instances("acme:\n  tuf:\n    mirror: https://a.example"), "no root"],
  ["an address with a query", instances(TUF.replace(".example", ".example/?a=b")), "config.yaml:7:17: the mirror"],
  ["an address with a user", instances(TUF.replace("tuf.acme", "user@tuf.acme")), "config.yaml:7:17: the mirror"],
  ["an address of another kind", instances(TUF.replace("https:", "ftp:")), "config.yaml:7:17: the mirror"],
  [
    "a checksum that is too short",
    instances(TUF.replace("acme.root.json", "sha256:abcd")),
    "config.yaml:8:15: sha256:abcd",
  ],
  [
    "a checksum in capitals",
    instances(TUF.replace("acme.root.json", `sha256:${SHA.toUpperCase()}`)),
    "config.yaml:8:15",
  ],
  ["an empty file name", instances('lab:\n  trustedRoot: ""'), "config.yaml:6:20"],
  ["a file name that is a list", instances("lab:\n  trustedRoot: [a]"), "config.yaml:6:20: a list"],
  ["a demand below nought", instances("lab:\n  trustedRoot: a\n  demands: { logs: -1 }"), "config.yaml:7:24: -1"],
  ["a demand of a half", instances("lab:\n  trustedRoot: a\n  demands: { logs: 0.5 }"), "config.yaml:7:24: 0.5"],
  ["a demand beyond sense", instances("lab:\n  trustedRoot: a\n  demands: { logs: 17 }"), "config.yaml:7:24: 17"],
  [
    "an unknown demand",
    instances("lab:\n  trustedRoot: a\n  demands: { log: 1 }"),
    "config.yaml:7:18: the unknown field log",
  ],
  ["one field twice", `${HEAD}kind: Configuration\n`, "config.yaml:3:1"],
  ["one instance twice", instances(`${TUF}\n${TUF}`), "config.yaml:9:5"],
  ["an anchor", instances("lab: &a\n  trustedRoot: a.json"), "an anchor"],
  ["an alias", `${HEAD}trust: &t {}\n`, "an anchor"],
  ["a tag", `${HEAD}trust: !!map {}\n`, "the tag"],
  ["a tag that makes objects", `${HEAD}trust: !<tag:yaml.org,2002:js/function> "f"\n`, "config.yaml:3"],
  ["a merge", instances("lab:\n  <<: { trustedRoot: a.json }"), "the unknown field <<"],
  ["a key that is a list", `${HEAD}? [a]\n: b\n`, "a list"],
  ["two documents", `${HEAD}---\n${HEAD}`, "config.yaml:3:1"],
  ["broken YAML", `${HEAD}trust: {\n`, "config.yaml:4:1"],
  ["tabs for spaces", `${HEAD}trust:\n\tdefault: sigstore\n`, "config.yaml:4"],
];

describe("a configuration that cannot be used", () => {
  for (const [title, text, place] of REFUSED) {
    it(`says where: ${title}`, () => {
      const error = thrownBy(() => read(text), "configuration-invalid");
      assert.ok(error.found?.includes(place), error.found ?? "");
    });
  }

  it("is too large", () => {
    const text = `${HEAD}#${"x".repeat(LIMITS.configurationBytes)}`;
    thrownBy(() => read(text), "configuration-invalid");
  });

  it("has too many instances", () => {
    const many = Array.from({ length: LIMITS.trustInstances + 1 }, (_, at) => `a${at}: { trustedRoot: a.json }`);
    thrownBy(() => read(instances(many.join("\n"))), "configuration-invalid");
  });

  it("nests without end, or refers to itself a billion times", () => {
    thrownBy(() => read(`${HEAD}trust: ${"[".repeat(20_000)}`), "configuration-invalid");
    const laughs = Array.from({ length: 20 }, (_, at) => `a${at}: &a${at} [*a${at - 1}, *a${at - 1}]`).slice(1);
    thrownBy(() => read(`${HEAD}trust:\n  a0: &a0 [x, x]\n  ${laughs.join("\n  ")}\n`), "configuration-invalid");
  });

  it("is no text", () =>
    void thrownBy(() => parseConfiguration(Buffer.from([0xff, 0xfe]), FILE), "configuration-invalid"));

  it("is refused by the schema too, where a schema can", () => {
    const unknowable =
      /default that is no|built in|capitals|a path|query|user|checksum|empty|twice|anchor|alias|tag|merge|key that|two doc|broken|tabs/;
    for (const [title, text] of REFUSED.filter((one) => !unknowable.test(one[0]))) {
      assert.notDeepEqual(violations(parse(text), schema), [], title);
    }
  });
});

describe("the configuration file", () => {
  it("is the user's own, and never one of the current folder", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "config.yaml"), "not: this");
    const surroundings = { env: {}, homeDirectory: join(folder, "home"), workingDirectory: folder };
    assert.equal((await loadConfiguration(undefined, surroundings)).path, undefined);
    const own = join(folder, "home/.config/countersign");
    await mkdir(own, { recursive: true });
    await writeFile(join(own, "config.yaml"), `${HEAD}trust:\n  default: github\n`);
    const found = await loadConfiguration(undefined, surroundings);
    assert.deepEqual([found.path, found.defaultInstance], [join(own, "config.yaml"), "github"]);
  });

  it("is below XDG_CONFIG_HOME where that is an absolute path", async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, "countersign"));
    await writeFile(join(folder, "countersign/config.yaml"), `${HEAD}trust:\n  default: github\n`);
    const at = (home: string) => ({
      env: { XDG_CONFIG_HOME: home },
      homeDirectory: "/nowhere",
      workingDirectory: folder,
    });
    assert.equal((await loadConfiguration(undefined, at(folder))).defaultInstance, "github");
    assert.equal((await loadConfiguration(undefined, at("."))).defaultInstance, "sigstore");
  });

  it("may be a link, as mounted configuration is, or a pipe", async (t) => {
    const folder = await temporaryFolder(t);
    const surroundings = { env: {}, homeDirectory: folder, workingDirectory: folder };
    await writeFile(join(folder, "a.yaml"), `${HEAD}trust:\n  default: github\n`);
    await symlink(join(folder, "a.yaml"), join(folder, "link.yaml"));
    assert.equal((await loadConfiguration("link.yaml", surroundings)).defaultInstance, "github");
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const [found] = await Promise.all([loadConfiguration("pipe", surroundings), writeFile(join(folder, "pipe"), HEAD)]);
    assert.equal(found.defaultInstance, "sigstore");
  });

  it("is not there where the home is no folder", async () => {
    const surroundings = { env: {}, homeDirectory: "/dev/null", workingDirectory: "/" };
    assert.equal((await loadConfiguration(undefined, surroundings)).path, undefined);
  });

  it("has to be there where it is named, and has to be a file with an end", async (t) => {
    const folder = await temporaryFolder(t);
    const surroundings = { env: {}, homeDirectory: folder, workingDirectory: folder };
    await mkdir(join(folder, "folder"));
    await rejectedBy(() => loadConfiguration("missing.yaml", surroundings), "configuration-invalid");
    await rejectedBy(() => loadConfiguration("folder", surroundings), "disk-error");
    await rejectedBy(() => loadConfiguration("/dev/zero", surroundings), "limit-reached");
  });
});

describe("an instance that is written down", () => {
  const acme = {
    name: "acme",
    mirror: "https://tuf.acme.example",
    root: `sha256:${SHA}`,
    makeDefault: false,
    replace: false,
  };

  it("makes a configuration where there is none", () => {
    const { instances: all, defaultInstance } = read(Buffer.from(withInstance(undefined, acme, FILE)).toString());
    assert.deepEqual([all.at(-1)?.name, defaultInstance], ["acme", "sigstore"]);
  });

  it("leaves comments and everything else as they are", () => {
    const before = `# mine\n${instances("lab:\n  trustedRoot: a.json # the lab's")}`;
    const after = Buffer.from(withInstance(Buffer.from(before), { ...acme, makeDefault: true }, FILE)).toString();
    assert.ok(after.startsWith("# mine\n") && after.includes("# the lab's"));
    const { instances: all, defaultInstance } = read(after);
    assert.deepEqual(all.map(({ name }) => name).slice(2), ["lab", "acme"]);
    assert.equal(defaultInstance, "acme");
  });

  for (const before of [HEAD, `${HEAD}trust:\n`, `${HEAD}trust:\n  instances:\n`]) {
    it(`finds its place in ${JSON.stringify(before)}`, () => {
      assert.equal(read(Buffer.from(withInstance(Buffer.from(before), acme, FILE)).toString()).instances.length, 3);
    });
  }

  it("takes nobody's place unless told to", () => {
    const before = withInstance(undefined, acme, FILE);
    thrownBy(() => withInstance(before, acme, FILE), "destination-exists");
    const other = { ...acme, mirror: "https://other.example", replace: true };
    const [, , found] = read(Buffer.from(withInstance(before, other, FILE)).toString()).instances;
    assert.equal(found?.source.kind === "tuf" && found.source.mirror.host, "other.example");
  });

  it("is not added to a configuration that cannot be used", () => {
    thrownBy(() => withInstance(Buffer.from(`${HEAD}x: 1\n`), acme, FILE), "configuration-invalid");
  });
});
