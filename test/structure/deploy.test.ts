import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { buildProgram } from "../../src/cli/program.ts";
import { AuditedFleet } from "../support/audited.ts";
import { captureContext } from "../support/session.ts";
import { filesBelow, readSource } from "./source-files.ts";

/** What is offered to be copied is as good as what is run: it is taken apart here, and its commands are parsed. */

type Tree = Readonly<Record<string, unknown>>;

function documentsOf(text: string): readonly Tree[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Tree;
  });
}

/** Every value that is called so, wherever it is. */
function valuesOf(tree: unknown, name: string): readonly unknown[] {
  if (Array.isArray(tree)) return tree.flatMap((one) => valuesOf(one, name));
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => [...(key === name ? [value] : []), ...valuesOf(value, name)]);
}

/** Parses a command line as the program does, and does nothing. @throws what the program would refuse it with. */
async function parseOnly(args: readonly string[]): Promise<void> {
  const { context } = captureContext();
  const program = await buildProgram(context);
  let parsed = 0;
  const disarm = (command: Command): void => {
    command.commands.forEach(disarm);
    command.action(() => {
      parsed += 1;
    });
  };
  disarm(program);
  // The folder of a result is there where the command runs.
  const here = args.map((word, at) => (args[at - 1] === "--output-file" ? join(tmpdir(), basename(word)) : word));
  await program.parseAsync(here, { from: "user" });
  assert.equal(parsed, 1, args.join(" "));
}

/** What stands for a variable while a line is parsed. */
const VALUES: Readonly<Record<string, string>> = {
  INDEX: "1",
  COUNT: "4",
  CI_NODE_INDEX: "1",
  CI_NODE_TOTAL: "4",
  SHARD: "0",
  SOURCES: "deploy",
  POLICY: "policy.yaml",
  FAIL_ON: "refused,undetermined",
  IMAGES: "registry.example/acme/app:1",
  GITHUB_SERVER_URL: "https://git.example",
  GITHUB_REPOSITORY: "acme/app",
  GITHUB_SHA: "0123456789abcdef",
  CI_PROJECT_URL: "https://git.example/acme/app",
  CI_COMMIT_SHA: "0123456789abcdef",
  GITHUB_ACTOR: "release-bot",
  CI_REGISTRY_USER: "release-bot",
  REPOSITORIES: "registry.example/acme/app registry.example/acme/db",
};

/** The words of a simple line of shell, its variables filled in, what is behind a redirection left out. */
function wordsOf(line: string): readonly string[] {
  const [simple = ""] = line.split(/ >>? /);
  return [...simple.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
    (quoted ?? plain ?? "").replace(/\$\(?(\w+)\)?/g, (_, name: string) => VALUES[name] ?? assert.fail(`$${name}`)),
  );
}

function countersignLines(scripts: readonly unknown[]): readonly string[] {
  return scripts.flat().flatMap((text) =>
    String(text)
      .split("\n")
      .filter((line) => /^\s*countersign /.test(line)),
  );
}

const KUBERNETES = filesBelow("deploy/kubernetes", [".yaml"]);
const WORKFLOW = readSource("deploy/github/audit-matrix.yml");
const GITLAB = readSource("deploy/gitlab/countersign.gitlab-ci.yml");
const REFRESH = readSource("deploy/github/trust-refresh.yml");
const GITLAB_REFRESH = readSource("deploy/gitlab/trust-refresh.gitlab-ci.yml");
const ACTION = readSource("action.yml");

describe("commands in what is offered to be copied", () => {
  const inManifests = KUBERNETES.flatMap(({ path, text }) =>
    documentsOf(text)
      .flatMap((document) => valuesOf(document, "containers").flat())
      .map((container) => container as { image: string; args: readonly string[] })
      .filter(({ image }) => image.includes("countersign"))
      .map(({ args }) => [path, args.map((word) => wordsOf(`"${word}"`)[0] ?? "")] as const),
  );
  const inPipelines = [
    ...[WORKFLOW, REFRESH].flatMap(({ path, text }) =>
      countersignLines(documentsOf(text).flatMap((document) => valuesOf(document, "run"))).map(
        (line) => [path, wordsOf(line).slice(1)] as const,
      ),
    ),
    ...[GITLAB, GITLAB_REFRESH].flatMap(({ path, text }) =>
      countersignLines(documentsOf(text).flatMap((document) => valuesOf(document, "script"))).map(
        (line) => [path, wordsOf(line).slice(1)] as const,
      ),
    ),
  ];

  const onPages = ["docs/ci.md", "docs/audits-at-scale.md", "docs/signed-tags.md"].flatMap((path) =>
    countersignLines([readSource(path).text]).map((line) => {
      const [command = ""] = line.split(" #");
      return [path, wordsOf(command).slice(1)] as const;
    }),
  );

  it("are found in all of it", () => {
    assert.ok(inManifests.length >= 5, `${inManifests.length}`);
    assert.ok(inPipelines.length >= 10, `${inPipelines.length}`);
    assert.ok(onPages.length >= 8, `${onPages.length}`);
  });

  for (const [path, args] of [...inManifests, ...inPipelines, ...onPages]) {
    it(`are such as there are: ${path}: countersign ${args.join(" ")}`, () => parseOnly(args));
  }

  it("would be refused with a flag that is not there", async () => {
    await assert.rejects(parseOnly(["audit", "--no-such-flag", "deploy"]));
    await assert.rejects(parseOnly(["audit", "worker", "deploy"]));
  });
});

describe("manifests for Kubernetes", () => {
  const all = KUBERNETES.flatMap(({ text }) => documentsOf(text));
  const pods = all
    .flatMap((document) => valuesOf(document, "template"))
    .map((template) => (template as { spec: Tree }).spec)
    .filter((spec) => "containers" in spec);

  it("run without privileges, on a file system that cannot be written to", () => {
    assert.ok(pods.length >= 6);
    for (const pod of pods) {
      const { runAsNonRoot, seccompProfile } = pod["securityContext"] as Tree;
      assert.deepEqual([runAsNonRoot, seccompProfile], [true, { type: "RuntimeDefault" }]);
      for (const container of pod["containers"] as readonly Tree[]) {
        assert.deepEqual(container["securityContext"], {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        assert.ok(valuesOf(container, "limits").length === 1, "no limits");
      }
    }
  });

  it("give a token of the cluster to nobody but what asks the cluster", () => {
    for (const pod of pods) {
      const asks = valuesOf(pod["containers"], "args").flat().includes("cluster://");
      assert.equal(pod["automountServiceAccountToken"], asks);
    }
  });

  it("let an audit read what runs images, and neither write nor see secrets", () => {
    const rules = all.filter(({ kind }) => kind === "ClusterRole").flatMap(({ rules }) => rules as readonly Tree[]);
    assert.ok(rules.length > 0);
    for (const { verbs, resources } of rules) {
      assert.deepEqual(verbs, ["get", "list"]);
      assert.doesNotMatch(String(resources), /secret|configmap|\*/);
    }
  });

  it("have as many parts everywhere", () => {
    const job = all.find(({ spec }) => (spec as Tree | undefined)?.["completionMode"] === "Indexed");
    const { completions, parallelism } = (job?.["spec"] ?? {}) as Tree;
    const shards = valuesOf(job, "args").flat().map(String);
    assert.ok(shards.includes(`auto/${completions}`) && parallelism === completions);
    const merge = all.flatMap((document) => valuesOf(document, "args")).find((args) => String(args).includes("merge"));
    const files = (merge as readonly string[]).filter((word) => word.endsWith(".json"));
    assert.deepEqual(
      files,
      Array.from({ length: Number(completions) }, (_, at) => `/audit/shard-${at}.json`),
    );
  });

  it("of the Job do, one after the other, what one process does", async (t) => {
    const fleet = await AuditedFleet.make(t, 8);
    await fleet.must("policy", "init", "--no-schema", "--key", "cosign.pub", `${fleet.registry.address}/`);
    const [plan = [], shard = [], merge = []] = all
      .filter(({ kind }) => kind === "Job")
      .flatMap((document) => valuesOf(document, "args") as readonly (readonly string[])[]);
    const here = (args: readonly string[], index: string) =>
      args.map((word) =>
        word
          .replace("cluster://", "images.txt")
          .replace("/audit/", "")
          .replace("/etc/countersign/policy/", "")
          .replace("$(SHARD)", index),
      );
    await fleet.must(...here(plan, ""));
    for (const index of ["0", "1", "2", "3"]) {
      const { code, stderr } = await fleet.run(here(shard, index), { JOB_COMPLETION_INDEX: index });
      assert.equal(code, 0, stderr);
    }
    const merged = await fleet.run([...here(merge, ""), "-o", "json"]);
    const whole = await fleet.run(["audit", "--plan", "plan.json", "--policy", "policy.yaml", "-o", "json"]);
    assert.deepEqual([merged.code, merged.stdout === whole.stdout], [1, true]);
  });

  it("say that the image of countersign is a placeholder", () => {
    for (const { path, text } of KUBERNETES) {
      if (text.includes("platform/countersign:")) assert.match(text, /countersign:[\d.]+ is a placeholder/, path);
    }
  });
});

describe("pipelines", () => {
  const workflows = [WORKFLOW, REFRESH, ACTION].map(({ path, text }) => ({ path, text, documents: documentsOf(text) }));

  for (const { path, text, documents } of workflows) {
    it(`${path} names other people's actions by a commit, and says which release it is`, () => {
      const uses = text.split("\n").filter((line) => /^\s*(?:- )?uses:/.test(line));
      assert.equal(uses.length, documents.flatMap((document) => valuesOf(document, "uses")).length);
      for (const line of uses) assert.match(line, /uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    });

    it(`${path} puts no expression into a script: what stands for it would be run`, () => {
      const scripts = documents.flatMap((document) => valuesOf(document, "run"));
      assert.ok(scripts.length > 0);
      for (const script of scripts) assert.doesNotMatch(String(script), /\$\{\{/);
    });
  }

  it("for GitLab put no input into a script either", () => {
    const documents = [GITLAB, GITLAB_REFRESH].flatMap(({ text }) => documentsOf(text));
    const scripts = documents.flatMap((document) => [
      ...valuesOf(document, "script"),
      ...valuesOf(document, "before_script"),
    ]);
    assert.ok(scripts.length > 0);
    for (const script of scripts.flat()) assert.doesNotMatch(String(script), /\$\[\[/);
  });

  it("the action describes every input, and hands each to its scripts by a name of its own", () => {
    const [action] = documentsOf(ACTION.text);
    const inputs = action?.["inputs"] as Readonly<Record<string, Tree>>;
    const used = new Set([...ACTION.text.matchAll(/\$\{\{[^}]*inputs\.([\w-]+)/g)].map(([, name]) => name));
    assert.deepEqual([...used].sort(), Object.keys(inputs).sort());
    for (const [name, input] of Object.entries(inputs)) {
      assert.ok(typeof input["description"] === "string" && "default" in input, name);
    }
    // A variable that begins like ours would be a flag.
    for (const env of valuesOf(action, "env")) {
      assert.doesNotMatch(Object.keys(env as object).join(), /COUNTERSIGN_/);
    }
  });
});
