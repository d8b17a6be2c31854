import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { AuditedFleet } from "../support/audited.ts";
import { installScript } from "../support/programs.ts";
import { ROOT } from "./source-files.ts";

/** The scripts of action.yml, run as GitHub runs them. */

const COUNT = 6;
const RUNNER = mkdtempSync(join(tmpdir(), "countersign-action-"));
const scope: (() => Promise<void>)[] = [];
let fleet: AuditedFleet;

before(async () => {
  fleet = await AuditedFleet.make({ after: (work) => void scope.unshift(work) }, COUNT);
});
after(async () => {
  for (const work of scope) await work();
  rmSync(RUNNER, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
  /** GITHUB_OUTPUT, by name. */
  readonly outputs: Readonly<Record<string, string>>;
  /** GITHUB_STEP_SUMMARY. */
  readonly summary: string;
}

let steps = 0;

/** One step of the action, with nothing of this process's environment but where programs are. */
async function step(script: string, env: Readonly<Record<string, string>>, path: string[] = []): Promise<Ran> {
  steps += 1;
  const [output, summary] = [join(RUNNER, `output-${steps}`), join(RUNNER, `summary-${steps}`)];
  for (const file of [output, summary]) await writeFile(file, "");
  const child = spawn("bash", [join(ROOT, "deploy/github/action", script)], {
    cwd: fleet.folder,
    env: {
      PATH: [...path, dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter),
      HOME: RUNNER,
      RUNNER_TEMP: RUNNER,
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_ACTION_PATH: ROOT.replace(/\/$/, ""),
      GITHUB_SERVER_URL: "https://git.example",
      GITHUB_REPOSITORY: "acme/app",
      GITHUB_SHA: "0123456789abcdef0123456789abcdef01234567",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const lines = readFileSync(output, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const outputs = Object.fromEntries(lines.map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
  return { code, ...said, outputs, summary: readFileSync(summary, "utf8") };
}

function run(inputs: Readonly<Record<string, string>>): Promise<Ran> {
  const defaults = { INPUT_SOURCES: ".", INPUT_FAIL_ON: "refused,undetermined", INPUT_KEY: "cosign.pub" };
  const named = Object.entries(inputs).map(([name, value]) => [`INPUT_${name}`, value]);
  return step("run.sh", { PROGRAM: join(ROOT, "bin/countersign.js"), ...defaults, ...Object.fromEntries(named) });
}

function reportOf({ outputs }: Ran) {
  return JSON.parse(readFileSync(outputs["report"] ?? "", "utf8"));
}

describe("the action's step that runs countersign", () => {
  it("audits: counts, JSON, SARIF and a summary, with one look at each image", async () => {
    const start = fleet.registry.requests.length;
    const ran = await run({ COMMAND: "audit", SOURCES: "\n  images.txt\n" });
    assert.equal(ran.code, 1, ran.stderr);
    const { summary } = reportOf(ran);
    assert.deepEqual(
      [ran.outputs["accepted"], ran.outputs["refused"], ran.outputs["undetermined"], ran.outputs["exit-code"]],
      [`${summary.accepted}`, `${summary.refused}`, "0", "1"],
    );
    assert.equal(summary.images, COUNT);
    const sarif = JSON.parse(readFileSync(ran.outputs["sarif"] ?? "", "utf8"));
    assert.equal(sarif.version, "2.1.0");
    assert.match(ran.summary, /https:\/\/git\.example\/acme\/app\/blob\/0123456789abcdef/);
    const asked = fleet.registry.requests
      .slice(start)
      .filter(({ method, path }) => method === "GET" && /manifests\/\d+$/.test(path));
    assert.equal(new Set(asked.map(({ path }) => path)).size, asked.length);
  });

  it("audits without failing where nothing is to fail it", async () => {
    const ran = await run({ COMMAND: "audit", SOURCES: "images.txt", FAIL_ON: "none" });
    assert.deepEqual([ran.code, ran.outputs["exit-code"]], [0, "0"], ran.stderr);
  });

  it("verifies images, and counts them", async () => {
    const images = Array.from({ length: COUNT }, (_, at) => fleet.image(at));
    const ran = await run({ COMMAND: "verify", IMAGES: images.join("\n") });
    assert.equal(ran.code, 1, ran.stderr);
    const { summary } = reportOf(ran);
    assert.deepEqual([ran.outputs["accepted"], ran.outputs["refused"]], [`${summary.accepted}`, `${summary.refused}`]);
    assert.equal(summary.accepted + summary.refused, COUNT);
  });

  it("checks pins, and needs neither key nor policy for that", async () => {
    const ran = await run({ COMMAND: "pin-check", SOURCES: "images.txt", KEY: "" });
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(ran.stdout, /unpinned/);
    assert.ok(existsSync(ran.outputs["report"] ?? ""));
  });

  it("takes further flags, one a line, values with spaces in them whole", async () => {
    const flags = "--max-workers\n 2 \n--owner-label\nthe team\n";
    const ran = await run({ COMMAND: "audit", SOURCES: "images.txt", FLAGS: flags });
    assert.equal(ran.code, 1, ran.stderr);
  });

  it("ends with countersign's own code and words where nothing was looked at", async () => {
    for (const inputs of [
      { COMMAND: "audit", SOURCES: "no-such-folder" },
      { COMMAND: "audit", SOURCES: "images.txt", FLAGS: "--no-such-flag" },
      { COMMAND: "verify", IMAGES: "" },
      { COMMAND: "verify", IMAGES: fleet.image(0), KEY: "", FLAGS: "" },
      { COMMAND: "remove" },
    ]) {
      const ran = await run(inputs);
      assert.ok([2, 3].includes(ran.code ?? -1), `${JSON.stringify(inputs)}: ${ran.code}\n${ran.stderr}`);
      assert.equal(ran.outputs["exit-code"], String(ran.code));
      assert.equal(ran.outputs["accepted"], undefined);
    }
  });

  it("runs nothing that an input holds, and takes no source for a flag", async () => {
    await mkdir(join(fleet.folder, "traps"), { recursive: true });
    const trap = "traps/sprung";
    const lines = [
      `$(touch ${trap})`,
      `\`touch ${trap}\``,
      `"; touch ${trap}; "`,
      `'; touch ${trap}; '`,
      `images.txt; touch ${trap}`,
      `--output-file=${trap}`,
      "-o",
      "csv",
      "--output-file",
      trap,
    ];
    const all = lines.join("\n");
    for (const COMMAND of ["audit", "pin-check"]) await run({ COMMAND, SOURCES: all });
    await run({ COMMAND: "verify", IMAGES: all });
    await run({ COMMAND: "audit", SOURCES: "images.txt", KEY: "", POLICY: all });
    for (const COMMAND of lines) await run({ COMMAND });
    assert.deepEqual(readdirSync(join(fleet.folder, "traps")), []);
  });

  it("writes no line to its outputs that an input made", async () => {
    const ran = await run({ COMMAND: "audit\nreport=/etc/passwd", SOURCES: "images.txt\nsarif=/etc/passwd" });
    assert.deepEqual(Object.keys(ran.outputs), ["exit-code"]);
  });
});

describe("the action's step that installs countersign", () => {
  /** An npm that writes down what it is asked for. */
  async function install(version: string): Promise<Ran & { readonly asked: string }> {
    const folder = mkdtempSync(join(RUNNER, "npm-"));
    const log = join(folder, "log");
    await installScript(folder, "npm", `printf '%s\\n' "$*" >> '${log}'`);
    const ran = await step("install.sh", { INPUT_VERSION: version }, [folder]);
    return { ...ran, asked: existsSync(log) ? readFileSync(log, "utf8") : "" };
  }

  it("runs its own checkout where no version is named, with what its lock file says", async () => {
    const { code, asked, outputs } = await install("");
    assert.equal(code, 0);
    assert.match(asked, /^ci --prefix \S+ --omit=dev --ignore-scripts/);
    assert.ok(existsSync(outputs["program"] ?? ""));
  });

  it("installs a version that is released, and none of its scripts", async () => {
    const { code, asked, outputs } = await install("1.2.3");
    assert.equal(code, 0);
    assert.match(asked, /^install --prefix \S+ --ignore-scripts .* countersign@1\.2\.3\n$/);
    assert.match(outputs["program"] ?? "", /countersign-1\.2\.3\/node_modules\/countersign\/bin\/countersign\.js$/);
  });

  for (const version of [
    "latest",
    "^1.0.0",
    "1.2",
    "1.2.3 evil",
    "file:../evil",
    "1.2.3;touch x",
    "npm:evil@1.0.0",
    "1.2.3-$(x)",
    "1.2.3\nprogram=evil",
  ]) {
    it(`does not take for a version: ${JSON.stringify(version)}`, async () => {
      const { code, asked, outputs } = await install(version);
      assert.deepEqual([code, asked, outputs], [2, "", {}]);
    });
  }
});
