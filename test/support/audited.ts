import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/main.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { instant } from "../../src/core/time.ts";
import { type Registry, type RegistryOptions, startRegistry } from "../../src/testbed/registry.ts";
import { captureContext } from "./session.ts";
import { pushImage } from "./session-image.ts";
import { temporaryFolder } from "./temp.ts";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const BIN = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));

/** A registry with images of which every third is unsigned and every fifth is by somebody else; `images.txt` names them. */
export class AuditedFleet {
  readonly registry: Registry;
  readonly folder: string;
  /** Each call is a second after the one before. */
  #now = Date.now();

  private constructor(registry: Registry, folder: string) {
    this.registry = registry;
    this.folder = folder;
  }

  static async make(
    scope: { after(work: () => Promise<void>): void },
    count: number,
    options: RegistryOptions = {},
  ): Promise<AuditedFleet> {
    const registry = await startRegistry(options);
    scope.after(() => registry.close());
    const fleet = new AuditedFleet(registry, await temporaryFolder(scope));
    await fleet.#fill(count);
    return fleet;
  }

  async #fill(count: number): Promise<void> {
    await this.must("key", "generate");
    await this.must("key", "generate", "--output-key-prefix", "eve");
    const numbers = Array.from({ length: count }, (_, at) => at);
    for (const at of numbers) await pushImage(this.image(at), `content ${at}`);
    const good = numbers.filter((at) => at % 3 !== 0 && at % 5 !== 0);
    const wrong = numbers.filter((at) => at % 3 !== 0 && at % 5 === 0);
    for (const [key, images] of [
      ["cosign.key", good],
      ["eve.key", wrong],
    ] as const) {
      if (images.length > 0) await this.must("sign", "--key", key, "-y", ...images.map((at) => this.image(at)));
    }
    await this.write("images.txt", numbers.map((at) => `${this.image(at)}\n`).join(""));
    this.registry.restart();
  }

  /** In two repositories. */
  image(at: number): string {
    return `${this.registry.address}/team/${at % 2 === 0 ? "app" : "db"}:${at}`;
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }

  /** In this process. */
  async run(
    argv: readonly string[],
    more: Readonly<Record<string, string>> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Finished> {
    this.#now += 1000;
    const { context, stdout, stderr } = captureContext({
      signal,
      env: { COSIGN_PASSWORD: "pw", ...more },
      workingDirectory: this.folder,
      homeDirectory: join(this.folder, "home"),
      referenceTime: instant(this.#now),
    });
    const code = await run(argv, context);
    return { code, stdout: stdout(), stderr: stderr() };
  }

  async must(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  /** In this process, interrupted by the first request of a kind. */
  async runAndInterrupt(argv: readonly string[], path: string): Promise<Finished> {
    const stop = new AbortController();
    this.registry.faults.when(
      (request) => {
        if (request.path.includes(path)) stop.abort(new CountersignError("interrupted", "stopped by SIGINT"));
        return false;
      },
      { kind: "stall" },
    );
    const finished = await this.run(argv, {}, stop.signal);
    this.registry.faults.clear();
    return finished;
  }

  /** As a process of its own, killed without warning after so many requests; the answer is its exit code, or undefined. */
  async runAndKill(argv: readonly string[], requests: number): Promise<number | undefined> {
    const child = spawn(process.execPath, [BIN, ...argv], {
      cwd: this.folder,
      env: { HOME: join(this.folder, "home"), PATH: process.env["PATH"] },
      stdio: "ignore",
    });
    const seen = this.registry.requests.length;
    const watch = setInterval(() => {
      if (this.registry.requests.length - seen >= requests) child.kill("SIGKILL");
    }, 1);
    try {
      return await new Promise((done, fail) => {
        child.once("error", fail);
        child.once("exit", (code) => done(code ?? undefined));
      });
    } finally {
      clearInterval(watch);
    }
  }
}
