import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { PassThrough, Readable } from "node:stream";
import type { Context } from "../../src/cli/context.ts";
import { run } from "../../src/cli/main.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { isDigest } from "../../src/core/oci/digest.ts";
import { instant } from "../../src/core/time.ts";
import type { Registry } from "../../src/testbed/registry.ts";
import { installSessionScanner } from "./scanners.ts";
import { copyTag, firstLayer, pushImage, pushIndex } from "./session-image.ts";
import { SessionServices } from "./session-services.ts";
import { SessionSigstore } from "./session-sigstore.ts";

/**
 * CLI sessions as text. A page is one behaviour: prose, then commands with what they print.
 *
 *     What this page shows, in prose.
 *
 *     $ countersign verify app:1
 *     a line on standard output
 *     ! a line on standard error
 *     ? 1                                   the exit code, where it is not 0
 *     ## a remark between commands
 *     $ COSIGN_PASSWORD=secret countersign sign --key cosign.key $REG/app:1 <answers.txt >out.txt
 *     ...                                   any lines
 *     $ export COSIGN_PASSWORD=secret       for the rest of the page
 *     $ image $REG/app:1 [content]          pushes an image of one layer
 *     $ retag $REG/app:1 $REG/app:2         copies a manifest to another tag
 *     $ index $REG/app:2 $REG/app:1 $REG/app:arm64   pushes an index of images: linux/amd64, then linux/arm64
 *     $ services                            a Sigstore instance at $FULCIO, $OIDC, $REKOR (2), $REKOR1, $TSA, and its files
 *     $ token dev@example.com >token.txt    an identity token; github acme/app for a workflow's
 *     $ outage rekor2 503                   from now on this service answers so; without a status it works again
 *     $ fail /referrers/ 429 [times]        from now on the registry answers so to requests whose path has this in it
 *     $ interrupt /blobs/                   the next command is interrupted by its first request of this kind
 *     $ recover                             the registry works again
 *     $ sigstore acme                       a Sigstore instance of this name; its trust root is in acme.json
 *     $ keyless acme $REG/app:1 email:dev@example.com   signs an image by it (test/support/session-sigstore.ts)
 *     $ tamper $REG/app:1                   changes one bit of the image's first layer, in the registry
 *     $ scanner trivy clean                 installs a scanner that behaves so (test/support/scanners.ts)
 *     $ ls DIR · cat FILE · cp A B · rm A · mkdir A
 *     -- file.txt --
 *     a file that is there when the session begins; $REG in it is the registry's address
 *
 * `$REG` is an embedded registry of the page's own. What differs from run to run is replaced by what it is:
 * `<digest 1>`, `<key 1>`, `<key id 1>`, `<version 1>`, `<hint 1>`, `<time>`, `<instant>`, `$REG`, `$PWD`, `$HOME`.
 *
 * UPDATE_SESSIONS=1 writes what was printed into the page. COUNTERSIGN_BIN=FILE runs that program, Node's or the
 * machine's, instead of the source.
 */
export interface Page {
  readonly path: string;
  readonly preamble: string;
  readonly steps: readonly Step[];
  readonly files: ReadonlyMap<string, string>;
}

interface Step {
  /** The line after `$ `; undefined for a remark. */
  readonly command: string | undefined;
  /** The remark, or the expected lines. */
  readonly lines: readonly string[];
}

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const FILE_HEADING = /^-- (\S+) --$/;

export async function readPage(path: string): Promise<Page> {
  const text = await readFile(path, "utf8");
  const lines = text.replace(/\n$/, "").split("\n");
  const filesAt = lines.findIndex((line) => FILE_HEADING.test(line));
  const body = filesAt === -1 ? lines : lines.slice(0, filesAt);
  const first = body.findIndex((line) => line.startsWith("$ "));
  return {
    path,
    preamble: body.slice(0, first === -1 ? body.length : first).join("\n"),
    steps: first === -1 ? [] : parseSteps(body.slice(first)),
    files: parseFiles(filesAt === -1 ? [] : lines.slice(filesAt)),
  };
}

function parseSteps(lines: readonly string[]): readonly Step[] {
  const steps: { command: string | undefined; lines: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), lines: [] });
    else if (line.startsWith("## ")) steps.push({ command: undefined, lines: [line] });
    else steps.at(-1)?.lines.push(line);
  }
  return steps.map((step) => ({ ...step, lines: trimEnd(step.lines) }));
}

function parseFiles(lines: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of lines) {
    const name = FILE_HEADING.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      files.set(name, current);
    }
    if (name === undefined) current?.push(line);
  }
  return new Map([...files].map(([name, content]) => [name, `${content.join("\n")}\n`]));
}

function trimEnd(lines: readonly string[]): readonly string[] {
  const last = lines.findLastIndex((line) => line !== "");
  return lines.slice(0, last + 1);
}

/** The page as it would read with what was printed this time; equal to the page where everything is as expected. */
export async function replay(page: Page): Promise<{ readonly expected: string; readonly actual: string }> {
  const session = await Session.open(page);
  try {
    const blocks: string[] = [];
    for (const step of page.steps) blocks.push(await session.replay(step));
    const files = [...page.files].map(([name, content]) => `-- ${name} --\n${content}`).join("");
    const actual = `${page.preamble}\n${blocks.join("\n\n")}\n${files === "" ? "" : `\n${files}`}`;
    return { expected: await readFile(page.path, "utf8"), actual };
  } finally {
    await session.close();
  }
}

class Session {
  readonly #root: string;
  /** Where commands run; apart from the home, so that what is kept there is not in the way. */
  readonly #directory: string;
  readonly #env: Record<string, string>;
  readonly #registry: Registry | undefined;
  /** Of the command that runs. */
  #interruption = new AbortController();
  readonly #names = new Map<string, string>();
  readonly #sigstore = new SessionSigstore();
  readonly #services = new SessionServices();

  private constructor(root: string, registry: Registry | undefined) {
    this.#root = root;
    this.#directory = join(root, "work");
    this.#registry = registry;
    this.#env = {
      HOME: join(root, "home"),
      PATH: process.env["PATH"] ?? "",
      ...(registry ? { REG: registry.address } : {}),
    };
  }

  static async open(page: Page): Promise<Session> {
    const root = await mkdtemp(join(tmpdir(), "session-"));
    for (const folder of ["home", "work"]) await mkdir(join(root, folder));
    const needsRegistry = page.steps.some((step) => step.command?.includes("$REG"));
    const registry = needsRegistry ? await openRegistry() : undefined;
    for (const [name, content] of page.files) {
      const path = join(root, "work", name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, registry === undefined ? content : content.replaceAll("$REG", registry.address));
    }
    return new Session(root, registry);
  }

  async close(): Promise<void> {
    await this.#registry?.close();
    await this.#services.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  /** Runs one step; returns its block, the expected one where it matches. */
  async replay(step: Step): Promise<string> {
    if (step.command === undefined) return step.lines.join("\n");
    const outcome = await this.#run(step.command);
    const actual = this.#scrub(outcome);
    const shown = matches(actual, step.lines) ? step.lines : actual;
    return [`$ ${step.command}`, ...shown].join("\n");
  }

  async #run(line: string): Promise<Outcome> {
    const { assignments, words, stdin, stdout } = splitCommand(line, this.#env);
    const input = stdin === undefined ? "" : await readFile(this.#path(stdin), "utf8");
    const env = { ...this.#env, ...assignments };
    const [name = "", ...rest] = words;
    const outcome =
      name === "countersign" ? await this.#countersign(rest, env, input) : await this.#builtin(name, rest);
    if (stdout === undefined) return outcome;
    await writeFile(this.#path(stdout), outcome.stdout);
    return { ...outcome, stdout: "" };
  }

  async #countersign(argv: readonly string[], env: Record<string, string>, input: string): Promise<Outcome> {
    const bin = process.env["COUNTERSIGN_BIN"];
    this.#interruption = new AbortController();
    const surroundings = { env, directory: this.#directory, input, signal: this.#interruption.signal };
    if (bin !== undefined) return await spawnProgram(resolve(bin), argv, surroundings);
    return await runInProcess(argv, surroundings);
  }

  async #builtin(name: string, words: readonly string[]): Promise<Outcome> {
    const [first = "", second = ""] = words;
    try {
      const stdout = await this.#perform(name, first, second, words);
      return { stdout, stderr: "", exitCode: 0 };
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      return { stdout: "", stderr: `${name}: ${first}: ${code}\n`, exitCode: 1 };
    }
  }

  async #perform(name: string, first: string, second: string, words: readonly string[]): Promise<string> {
    switch (name) {
      case "cat":
        return await readFile(this.#path(first), "utf8");
      case "ls":
        return await listFolder(this.#path(first));
      case "cp":
        await cp(this.#path(first), this.#path(second), { recursive: true });
        return "";
      case "rm":
        await rm(this.#path(first), { recursive: true });
        return "";
      case "mkdir":
        await mkdir(this.#path(first), { recursive: true });
        return "";
      case "export":
        for (const word of words) this.#env[word.slice(0, word.indexOf("="))] = word.slice(word.indexOf("=") + 1);
        return "";
      case "image":
        await pushImage(first, second === "" ? first : second);
        return "";
      case "index":
        await pushIndex(first, words.slice(1));
        return "";
      case "sigstore":
        await writeFile(this.#path(`${first}.json`), this.#sigstore.create(first));
        return "";
      case "keyless":
        await this.#sigstore.sign(first, second, words.slice(2));
        return "";
      case "services":
        Object.assign(this.#env, await this.#services.start(this.#directory));
        return "";
      case "token":
        return this.#services.token(first, second);
      case "outage":
        this.#services.outage(first, second === "" ? Number.NaN : Number(second));
        return "";
      case "fail":
        this.#fail(first, Number(second), Number(words[2] ?? Number.POSITIVE_INFINITY));
        return "";
      case "interrupt":
        this.#interruptAt(first);
        return "";
      case "recover":
        this.#registry?.faults.clear();
        return "";
      case "tamper":
        await this.#tamper(first);
        return "";
      case "scanner":
        this.#env["PATH"] = await installSessionScanner(
          join(this.#root, "bin"),
          first,
          second,
          this.#env["PATH"] ?? "",
        );
        return "";
      case "retag":
        await copyTag(first, second);
        return "";
      default:
        throw new Error("no such command in sessions");
    }
  }

  #fail(part: string, status: number, times: number): void {
    const challenge = status === 401 ? { challenge: 'Basic realm="sessions"' } : {};
    this.#registry?.faults.when(({ url }) => url.includes(part), { kind: "status", status, ...challenge }, times);
  }

  /** The answer comes late, so that the command is in the middle of it. */
  #interruptAt(part: string): void {
    const arrived = ({ url }: { readonly url: string }): boolean => {
      if (!url.includes(part)) return false;
      this.#interruption.abort(new CountersignError("interrupted", "interrupted"));
      return true;
    };
    this.#registry?.faults.when(arrived, { kind: "delay", ms: 100 }, 1);
  }

  async #tamper(reference: string): Promise<void> {
    const digest = await firstLayer(reference);
    if (!isDigest(digest)) throw new Error(`no digest: ${digest}`);
    const bytes = Buffer.from((await this.#registry?.control.read(digest)) ?? []);
    this.#registry?.control.replaceBytes(digest, flipMiddle(bytes));
  }

  #path(path: string): string {
    return resolve(this.#directory, path);
  }

  #scrub({ stdout, stderr, exitCode }: Outcome): readonly string[] {
    const out = trimEnd(this.#scrubText(stdout).split("\n"));
    const err = trimEnd(this.#scrubText(stderr).split("\n")).map((line) => (line === "" ? "!" : `! ${line}`));
    return [...out, ...err, ...(exitCode === 0 ? [] : [`? ${exitCode}`])];
  }

  #scrubText(text: string): string {
    const address = this.#registry?.address;
    return this.#services
      .scrub(address === undefined ? text : text.replaceAll(address, "$REG"))
      .replaceAll(this.#directory, "$PWD")
      .replaceAll(this.#env["HOME"] ?? "", "$HOME")
      .replace(/\bSHA256:[0-9a-f]{16}(?:[0-9a-f]{48})?/g, (key) => this.#name("key", key.slice(0, 23)))
      .replace(/\bkey [0-9a-f]{16}(?=…)/g, (key) => this.#name("authority", key))
      .replace(/\bsha256:[0-9a-f]{12}(?=…)/g, (short) => this.#longName(short))
      .replace(/\bsha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\b/g, (digest) => this.#name("digest", digest))
      .replace(/\bsha256-[0-9a-f]{64}\b/g, (tag) => `sha256-${this.#name("digest", tag.replace("-", ":"))}`)
      .replace(/(?<![\w:-])[0-9a-f]{64}\b/g, (id) => this.#name("key id", id))
      .replace(/(?<![\w:-])[0-9a-f]{12}(?=…)/g, (short) => this.#longId(short))
      .replace(/\b1[0-9]{12}\b/g, (version) => this.#name("version", version))
      .replace(/(?<![\w+/])[A-Za-z0-9+/]{43}=/g, (hint) => this.#name("hint", hint))
      .replace(/\b(first seen accepted) (?:just now|\d+ (?:second|minute)s? ago)/g, "$1 <time> ago")
      .replace(/(?<=\), |by [a-z0-9.-]+, |Z, )(?:just now|\d+ (?:second|minute)s? ago)/g, "<time> ago")
      .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<instant>")
      .replace(/\b\d+(?:\.\d+)? ?(?:ms|s|min)\b/g, "<time>");
  }

  /** A digest that is shown in part has the name of the whole one, where that was shown before. */
  #longName(short: string): string {
    const known = [...this.#names.keys()].find((key) => key.startsWith(`digest ${short}`));
    return this.#name("digest", known === undefined ? short : known.slice("digest ".length));
  }

  #longId(short: string): string {
    const known = [...this.#names.keys()].find((key) => key.startsWith(`key id ${short}`));
    return this.#name("key id", known === undefined ? short : known.slice("key id ".length));
  }

  /** The same value has the same name all over the page. */
  #name(kind: string, value: string): string {
    const key = `${kind} ${value}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const count = [...this.#names.keys()].filter((name) => name.startsWith(`${kind} `)).length;
    const name = `<${kind} ${count + 1}>`;
    this.#names.set(key, name);
    return name;
  }
}

async function openRegistry(): Promise<Registry> {
  const { startRegistry } = await import("../../src/testbed/registry.ts");
  return await startRegistry();
}

function flipMiddle(bytes: Buffer): Buffer {
  const middle = bytes.byteLength >> 1;
  return Buffer.from(bytes.map((byte, at) => (at === middle ? byte ^ 1 : byte)));
}

async function listFolder(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return `${path}\n`;
  const names = await readdir(path);
  return names.length === 0 ? "" : `${names.toSorted().join("\n")}\n`;
}

/** `...` stands for any lines; everything else is literal. */
export function matches(actual: readonly string[], expected: readonly string[]): boolean {
  const [first, ...rest] = expected;
  if (first === undefined) return actual.length === 0;
  if (first !== "..." && first !== "! ...") return first === actual[0] && matches(actual.slice(1), rest);
  return [...Array(actual.length + 1).keys()].some((skipped) => matches(actual.slice(skipped), rest));
}

interface SplitCommand {
  readonly assignments: Record<string, string>;
  readonly words: readonly string[];
  readonly stdin: string | undefined;
  readonly stdout: string | undefined;
}

/** As little of a shell as sessions need: quotes, `$NAME`, assignments in front, `<file` and `>file`. */
export function splitCommand(line: string, env: Readonly<Record<string, string>>): SplitCommand {
  const words = [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => expandWord(word, env));
  const command = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const assignments = words.slice(0, Math.max(command, 0)).map((word): [string, string] => {
    const at = word.indexOf("=");
    return [word.slice(0, at), word.slice(at + 1)];
  });
  const rest = words.slice(Math.max(command, 0));
  const redirection = (sign: string): string | undefined => rest.find((word) => word.startsWith(sign))?.slice(1);
  return {
    assignments: Object.fromEntries(assignments),
    words: rest.filter((word) => !/^[<>]./.test(word)),
    stdin: redirection("<"),
    stdout: redirection(">"),
  };
}

function expandWord(word: string, env: Readonly<Record<string, string>>): string {
  const expand = (text: string): string => text.replace(/\$([A-Z_]+)/g, (_whole, name: string) => env[name] ?? "");
  return word.replace(/'([^']*)'|"([^"]*)"|([^'"]+)/g, (_whole, single?: string, double?: string, bare?: string) =>
    single !== undefined ? single : expand(double ?? bare ?? ""),
  );
}

/** A context of a session or a unit test: no terminal, what is printed kept. */
export function captureContext(
  overrides: Partial<Context> & { readonly input?: string; readonly terminal?: boolean } = {},
): { readonly context: Context; readonly stdout: () => string; readonly stderr: () => string } {
  const { input = "", terminal = false, ...given } = overrides;
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  stdout.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
  stderr.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
  const context: Context = {
    env: {},
    workingDirectory: tmpdir(),
    homeDirectory: homedir(),
    stdin: Readable.from([Buffer.from(input)]),
    stdout: { stream: stdout, isTerminal: terminal },
    stderr: { stream: stderr, isTerminal: terminal },
    referenceTime: instant(Date.parse("2026-09-01T12:00:00Z")),
    signal: new AbortController().signal,
    exitCode: 0,
    ...given,
  };
  const textOf = (parts: readonly Buffer[]) => (): string => Buffer.concat(parts).toString("utf8");
  return { context, stdout: textOf(chunks.stdout), stderr: textOf(chunks.stderr) };
}

interface CommandSurroundings {
  readonly env: Record<string, string>;
  readonly directory: string;
  readonly input: string;
  readonly signal: AbortSignal;
}

async function runInProcess(
  argv: readonly string[],
  { env, directory, input, signal }: CommandSurroundings,
): Promise<Outcome> {
  const { context, stdout, stderr } = captureContext({
    env,
    input,
    signal,
    workingDirectory: directory,
    homeDirectory: env["HOME"] ?? directory,
    referenceTime: instant(Date.now()),
  });
  const exitCode = await run(argv, context);
  await new Promise((done) => setImmediate(done));
  return { stdout: stdout(), stderr: stderr(), exitCode };
}

async function spawnProgram(
  bin: string,
  argv: readonly string[],
  { env, directory, input, signal }: CommandSurroundings,
): Promise<Outcome> {
  const [program, ...first] = bin.endsWith(".js") ? [process.execPath, bin] : [bin];
  const child = spawn(program, [...first, ...argv], { cwd: directory, env, stdio: "pipe" });
  signal.addEventListener("abort", () => child.kill("SIGINT"));
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
  child.stdin.end(input);
  const exitCode = await new Promise<number>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done(code ?? -1));
  });
  const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString("utf8");
  return { stdout: text(chunks.stdout), stderr: text(chunks.stderr), exitCode };
}
