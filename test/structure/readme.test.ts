import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import description from "../../package.json" with { type: "json" };
import { documented } from "../../src/cli/docs.ts";
import { fullName } from "../../src/cli/manual.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { startRegistry } from "../../src/testbed/registry.ts";
import { freePort } from "../support/free-port.ts";
import { captureContext } from "../support/session.ts";
import { pushImage } from "../support/session-image.ts";
import { temporaryFolder } from "../support/temp.ts";
import * as readme from "./readme-text.ts";
import { filesBelow, ROOT, readSource } from "./source-files.ts";

const UPDATE = process.env["UPDATE_GOLDEN"] === "1";
const FILE = join(ROOT, "README.md");
const text = (): string => readFileSync(FILE, "utf8");
const blocks = readme.blocksOf(text());
const program = await buildProgram(captureContext().context);

// --- what runs ------------------------------------------------------------------------------------------------------

/** Where README says its registry is; the tests have theirs at another port. */
const WRITTEN_ADDRESS = "localhost:5000";

interface Place {
  readonly folder: string;
  /** `localhost:PORT` */
  readonly address: string;
  /** Runs a script with `countersign` on its path. */
  shell(
    script: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<{ readonly code: number | null; readonly stderr: string }>;
}

interface Scene {
  /** Whether README itself starts the registry. */
  readonly ownRegistry?: true;
  /** What README takes for granted. */
  readonly prepare?: (place: Place) => Promise<Readonly<Record<string, string>>>;
}

const PASSWORD = { COSIGN_PASSWORD: "example" };

const SCENES: Readonly<Record<string, Scene>> = {
  session: {
    async prepare({ address, shell }) {
      const registry = address.replace("localhost", "127.0.0.1");
      await pushImage(`${registry}/shop/app:1.4.2`, "1.4.2");
      await pushImage(`${registry}/shop/app:1.4.3`, "1.4.3");
      const commands = [
        "countersign key generate",
        "countersign key generate --output-key-prefix eve",
        `countersign sign --key eve.key ${address}/shop/app:1.4.3`,
      ];
      await succeeds(shell(commands.join(" && "), PASSWORD));
      return PASSWORD;
    },
  },
  "first steps": { ownRegistry: true },
  keys: {
    async prepare({ address }) {
      await pushImage(`${address.replace("localhost", "127.0.0.1")}/shop/app:1`, "app");
      return PASSWORD;
    },
  },
  "signed tags": {
    async prepare({ address }) {
      for (const tag of ["1.4", "1.5"])
        await pushImage(`${address.replace("localhost", "127.0.0.1")}/shop/app:${tag}`, tag);
      return { COUNTERSIGN_KEY_PASSPHRASE: "example" };
    },
  },
  pins: {
    async prepare({ address, folder, shell }) {
      const app = `${address}/shop/app:1`;
      await pushImage(app.replace("localhost", "127.0.0.1"), "app");
      await writeFile(join(folder, "compose.yaml"), `services:\n  web: {image: "${app}"}\n`);
      await mkdir(join(folder, ".github/workflows"), { recursive: true });
      await writeFile(join(folder, ".github/workflows/ci.yaml"), `jobs: {test: {container: "${app}"}}\n`);
      await succeeds(shell(`countersign key generate && countersign sign --key cosign.key ${app}`, PASSWORD));
      return {};
    },
  },
};

/** The same of `docs/library.md`. */
const LIBRARY: Scene = {
  async prepare({ address, shell }) {
    await pushImage(`${address.replace("localhost", "127.0.0.1")}/shop/app:1`, "app");
    const image = `${address}/shop/app:1`;
    await succeeds(shell(`countersign key generate && countersign sign --key cosign.key ${image}`, PASSWORD));
    return {};
  },
};

async function succeeds(run: ReturnType<Place["shell"]>): Promise<void> {
  const { code, stderr } = await run;
  assert.equal(code, 0, stderr);
}

async function openPlace(t: TestContext, scene: Scene): Promise<Place> {
  const root = await temporaryFolder(t);
  const [folder, home, bin] = [join(root, "work"), join(root, "home"), join(root, "bin")];
  for (const path of [folder, home, bin]) await mkdir(path);
  const program = join(bin, "countersign");
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "bin/countersign.js")}" "$@"\n`);
  await chmod(program, 0o755);
  const port = await portFor(t, scene);
  const PATH = [bin, join(process.execPath, ".."), process.env["PATH"]].join(":");
  const base = { HOME: home, PATH, COUNTERSIGN_LISTEN: `127.0.0.1:${port}` };
  return {
    folder,
    address: `localhost:${port}`,
    shell: (script, env = {}) => runShell(t, script, folder, { ...base, ...env }),
  };
}

async function portFor(t: TestContext, scene: Scene): Promise<string> {
  if (scene.ownRegistry === true) return String(await freePort());
  const registry = await startRegistry();
  t.after(() => registry.close());
  return registry.address.split(":")[1] ?? "";
}

/** In a process group of its own, so that a registry in the background ends with it whatever happens. */
function runShell(
  t: TestContext,
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): ReturnType<Place["shell"]> {
  const child = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  const endGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
  };
  t.after(endGroup);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      endGroup();
      resolve({ code, stderr });
    });
  });
}

interface Piece {
  readonly block: readme.Block;
  readonly source: string;
  /** Commands that are only shown must succeed; what a session shows is compared instead. */
  readonly mustSucceed: boolean;
}

function piecesOf(scene: string): readonly Piece[] {
  return blocks
    .filter((block) => block.scene === scene)
    .flatMap((block): readonly Piece[] => {
      if (block.language === "sh") return [{ block, source: block.lines.join("\n"), mustSucceed: true }];
      return readme.stepsOf(block).map(({ command }) => ({ block, source: command, mustSucceed: false }));
    });
}

/** Runs the pieces one after the other in one shell; what each prints to standard output, and its exit code. */
async function play(place: Place, pieces: readonly Piece[], env: Readonly<Record<string, string>>) {
  const log = join(place.folder, "../log");
  await mkdir(log);
  const runs = pieces.map(async ({ source }, at) => {
    await writeFile(join(log, `${at}.sh`), `${source.replaceAll(WRITTEN_ADDRESS, place.address)}\n`);
    const run = `. ../log/${at}.sh >../log/${at}.out; echo $? >../log/${at}.code`;
    return pieces[at]?.mustSucceed === true ? `set -e; ${run}; set +e` : run;
  });
  const { stderr } = await place.shell((await Promise.all(runs)).join("\n"), env);
  return Promise.all(
    pieces.map(async ({ source }, at) => {
      const read = (name: string) => readFile(join(log, `${at}.${name}`), "utf8");
      const code = Number(await read("code").catch(() => assert.fail(`${source}\n${stderr}`)));
      const output = (await read("out")).replaceAll(place.address, WRITTEN_ADDRESS);
      return { code, output: output.trimEnd() === "" ? [] : shorten(output).trimEnd().split("\n"), stderr };
    }),
  );
}

/** Digests as README prints them. */
function shorten(output: string): string {
  return output.replace(/\b(sha256:|SHA256:)([0-9a-f]{8})[0-9a-f]{8,56}…?/g, "$1$2…");
}

/** What differs from run to run, left out. */
function scrub(lines: readonly string[]): readonly string[] {
  return lines.map((line) =>
    line
      .replace(/\b(sha256:|SHA256:)(?:[0-9a-f]{4})?[0-9a-f]{8}…/g, "$1…")
      .replace(/\b(?:just now|\d+(?:\.\d+)? (?:ms|s|(?:second|minute)s? ago))\b/g, "<time>")
      .replace(/\b\d{4}-\d{2}-\d{2}T[\d:]+Z/g, "<time>"),
  );
}

describe("README's blocks", { concurrency: true }, () => {
  for (const [name, scene] of Object.entries(SCENES)) {
    it(`of the scene “${name}” run as they stand and print what they show`, async (t) => {
      const place = await openPlace(t, scene);
      const env = (await scene.prepare?.(place)) ?? {};
      const pieces = piecesOf(name);
      assert.ok(pieces.length > 0, "no such blocks");
      const played = await play(place, pieces, env);
      for (const block of new Set(pieces.map((piece) => piece.block))) {
        if (block.language !== "console") continue;
        const steps = readme.stepsOf(block).map(({ command }) => {
          const at = pieces.findIndex((piece) => piece.block === block && piece.source === command);
          return { command, output: played[at]?.output ?? [], code: played[at]?.code };
        });
        const actual = readme.formatSteps(steps);
        const same = JSON.stringify(scrub(actual)) === JSON.stringify(scrub(block.lines));
        if (UPDATE && !same) update((now) => replaceSameBlock(now, block, actual));
        else assert.deepEqual(scrub(actual), scrub(block.lines));
        for (const { output, code, command } of steps) {
          if (/^(?:accepted|signed|refused)/.test(output[0] ?? "")) {
            assert.equal(code, output[0]?.startsWith("refused") ? 1 : 0, command);
          }
        }
      }
    });
  }

  it("of the library compile as a user's would, and run", async (t) => {
    const place = await openPlace(t, LIBRARY);
    await LIBRARY.prepare?.(place);
    const [block] = readme.blocksOf(readSource("docs/library.md").text).filter(({ scene }) => scene === "library");
    const source = (block?.lines ?? []).join("\n").replaceAll(WRITTEN_ADDRESS, place.address);
    const index = join(ROOT, "src/index.ts");
    const options = { paths: { countersign: [index] }, typeRoots: [join(ROOT, "node_modules/@types")] };
    const config = {
      extends: join(ROOT, "tsconfig.json"),
      compilerOptions: options,
      files: ["example.ts"],
      include: [],
    };
    await writeFile(join(place.folder, "tsconfig.json"), JSON.stringify(config));
    await writeFile(join(place.folder, "package.json"), '{ "type": "module" }');
    await writeFile(join(place.folder, "example.ts"), source);
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    await succeeds(place.shell(`node ${compiler} -p . >&2`));
    await writeFile(join(place.folder, "run.ts"), source.replace('"countersign"', `"${pathToFileURL(index).href}"`));
    await succeeds(place.shell("node run.ts >printed"));
    const printed = await readFile(join(place.folder, "printed"), "utf8");
    assert.match(printed, /^accepted localhost:\d+\/shop\/app:1@sha256:[0-9a-f]{64} \[\]\n$/);
  });

  it("that run belong to a scene that is played here", () => {
    const scenes = new Set(blocks.flatMap(({ scene }) => scene ?? []));
    assert.deepEqual([...scenes].sort(), Object.keys(SCENES).sort());
  });

  it("hold the two lines for a fresh clone, each alone", () => {
    for (const line of ["npm ci && npm run demo", "npm ci && npm test"]) {
      assert.ok(
        blocks.some(({ lines }) => lines.length === 1 && lines[0] === line),
        line,
      );
    }
  });
});

function update(change: (text: string) => string): void {
  writeFileSync(FILE, change(text()));
}

/** The block may have moved since it was read: it is found by its commands. */
function replaceSameBlock(now: string, block: readme.Block, lines: readonly string[]): string {
  const same = readme.blocksOf(now).find((candidate) => candidate.lines.join("\n") === block.lines.join("\n"));
  return same === undefined ? now : readme.replaceBlock(now, same, lines);
}

// --- what it says ---------------------------------------------------------------------------------------------------

/** Every `countersign …` that is typed or named, split at the shell's separators. */
function invocations(source: string): readonly (readonly string[])[] {
  return [...source.matchAll(/\bcountersign ((?:[^`|&;\n)]|\$\([^)]*\))*)/g)].map(([, words = ""]) =>
    words.trim().split(/\s+/),
  );
}

function commandOf(words: readonly string[]): Command {
  return words.reduce((command, word) => command.commands.find((child) => child.name() === word) ?? command, program);
}

const inCode = (): string =>
  [
    ...blocks.map(({ lines }) => lines.join("\n")),
    ...[...readme.withoutBlocks(text()).matchAll(/`([^`]+)`/g)].map(([, code]) => code),
  ].join("\n");

/** `[key](docs/man/countersign-key.1) generate, import`: a group has one row, its page names the rest. */
function commandCell(command: Command): string {
  const name = fullName(command).replace("countersign ", "");
  const children = command.createHelp().visibleCommands(command);
  const parts = children.length === 0 ? "" : ` ${children.map((child) => child.name()).join(", ")}`;
  return `[${name}](docs/man/${fullName(command).replaceAll(" ", "-")}.1)${parts}`;
}

const GENERATED: Readonly<Record<string, () => string>> = {
  commands: () =>
    readme.table(
      ["command", "what it does"],
      program
        .createHelp()
        .visibleCommands(program)
        .filter((command) => command.helpGroup() !== "Around it:")
        .map((command) => [commandCell(command), command.summary()]),
    ),
  speed: () => {
    const results = join(ROOT, "bench/RESULTS.md");
    return readme.speedText(existsSync(results) ? readFileSync(results, "utf8") : undefined);
  },
};

describe("README", () => {
  for (const [name, generate] of Object.entries(GENERATED)) {
    it(`has its part “${name}” from where it is decided (UPDATE_GOLDEN=1 writes it)`, () => {
      if (UPDATE) update((now) => readme.replaceGenerated(now, name, generate()));
      assert.equal(readme.generatedPart(text(), name), generate());
    });
  }

  it("names commands that there are, with flags that they have", () => {
    const calls = invocations(inCode());
    assert.ok(calls.length >= 20, `${calls.length} calls`);
    for (const words of calls) {
      const command = commandOf(words);
      assert.ok(command !== program || /^(?:-|COMMAND$)/.test(words[0] ?? ""), `countersign ${words.join(" ")}`);
      const known = [command, program].flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short]));
      const flags = words.flatMap((word) => /^--?[a-z][\w-]*/.exec(word)?.[0] ?? []);
      assert.deepEqual(
        flags.filter((flag) => !known.includes(flag)),
        [],
        words.join(" "),
      );
    }
  });

  it("names no flag that no command has", () => {
    const known = new Set(documented(program).flatMap(({ options }) => options.map(({ long }) => long)));
    const flags = [...inCode().matchAll(/(?<!npm [^`\n]*)(?<=^|[\s`])--[a-z][\w-]+/gm)].map(([flag]) => flag);
    assert.deepEqual(
      flags.filter((flag) => !known.has(flag)),
      [],
    );
  });

  it("has every flag that weakens listed in the threat model", () => {
    const flags = documented(program).flatMap(({ options }) => options.map(({ long }) => long ?? ""));
    const weakening = new Set(flags.filter((flag) => /^--(?:insecure-|allow-)/.test(flag)));
    const listed = firstCells("## Switches that weaken", readSource("docs/threat-model.md").text);
    assert.deepEqual(
      listed.filter((flag) => flag.startsWith("--")),
      [...weakening].sort(byName),
    );
  });

  it("lists every dependency, and no other", () => {
    assert.deepEqual(firstCells("**Dependencies**"), Object.keys(description.dependencies).sort(byName));
  });

  it("says the versions of Node and of the package that package.json says", () => {
    assert.ok(text().includes(`Node \`${description.engines.node}\``));
    assert.ok(text().includes(`./${description.name}-${description.version}.tgz`));
  });

  it("says the versions of peers that are installed for the interop suite", () => {
    const peers = readSource(".ci/peers.sh").text;
    const rows = readme.tableAfter(text(), "npm run interop") ?? [];
    for (const [, name = "", version = ""] of peers.matchAll(/^ {2}"(cosign|crane|podman) \S+@v([\d.]+)/gm)) {
      const row = rows.find(([peer]) => peer === name)?.join(" ") ?? "";
      assert.ok(row.includes(version), `${name} ${version}`);
    }
  });

  it("says limits as they are", () => {
    const { manifestBytes, candidates, referrerEntries, redirects, idleMs } = LIMITS;
    const amount = (count: number): string => count.toLocaleString("en");
    const said = [
      `manifests of ${manifestBytes / 1024 ** 2} MiB`,
      `${amount(candidates)} signatures and ${amount(referrerEntries)} referrers an image`,
      `${redirects}\nredirects`,
      `${idleMs / 1000} s without progress`,
    ];
    for (const words of said) assert.ok(text().replaceAll(/\s+/g, " ").includes(words.replaceAll(/\s+/g, " ")), words);
  });

  it("is long enough to open the door and short enough to be read", () => {
    const lines = text().split("\n").length;
    assert.ok(lines >= 250 && lines <= 350, `${lines} lines`);
  });
});

function firstCells(anchor: string, document: string = text()): readonly string[] {
  const [, ...rows] = readme.tableAfter(document, anchor) ?? [];
  return rows.map(([cell = ""]) => cell.replaceAll("`", "")).sort(byName);
}

function byName(a: string, b: string): number {
  return a < b ? -1 : 1;
}

describe("the links of the documents", () => {
  const documents = [
    "README.md",
    "SECURITY.md",
    "CHANGELOG.md",
    ...filesBelow("docs", [".md"]).map(({ path }) => path),
  ];
  for (const path of documents) {
    it(`of ${path} lead to files that are there`, () => {
      const links = [...readme.withoutBlocks(readSource(path).text).matchAll(/\]\(([^)\s]+)\)/g)].map(
        ([, link = ""]) => link,
      );
      const files = links.filter((link) => !/^(?:https:|#)/.test(link)).map((link) => link.split("#")[0] ?? "");
      assert.deepEqual(
        files.filter((file) => !existsSync(join(ROOT, path, "..", file))),
        [],
      );
    });
  }
});

describe("the figures of the bench on the front page", () => {
  const results = [
    "# Results",
    "",
    "Measured 2026-01-02 with `npm run bench`: 2 of 2 goals met.",
    "Machine: a machine.",
    "Versions: Node v26.",
    "",
    "## Requests",
    "",
    "How it is done.",
    "",
    "| measured | ratio | countersign | cosign | goal |  |",
    "| --- | --: | --: | --: | --: | --: |",
    "| verify by tag, first: a registry | 0.50 | 4 | 8 | ≤ 4 | met |",
    "| verify by tag, the same image again: a registry | 0.25 | 2 | 8 | ≤ 4 | met |",
    "",
  ].join("\n");

  it("are those of its results", () => {
    assert.match(readme.speedText(results), /\| verify by tag, first: a registry \| 4 \| cosign: 8 \| 0\.50 \|/);
    assert.doesNotMatch(readme.speedText(results), /again/);
  });

  it("are none where nothing was measured", () => assert.doesNotMatch(readme.speedText(undefined), /\d/));
});
