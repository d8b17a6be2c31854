import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Finished, type RunOptions, runCountersign, runPeer } from "./peers.ts";

export const PASSWORD = "correct horse";

/**
 * A temporary home for one suite. Keys, caches, credentials and outputs of every program live there; nothing of the
 * person who runs the suite is read or written.
 */
export class Workplace {
  readonly folder: string;
  /** The environment of everything that runs here. */
  readonly environment: Readonly<Record<string, string>>;

  constructor() {
    // Short, because the sockets inside have names of at most 107 bytes (unix(7)).
    this.folder = join(tmpdir(), `countersign-interop-${randomBytes(4).toString("hex")}`);
    const home = this.path("home");
    this.environment = {
      HOME: home,
      XDG_CACHE_HOME: join(home, ".cache"),
      XDG_CONFIG_HOME: join(home, ".config"),
      XDG_DATA_HOME: join(home, ".local/share"),
      XDG_STATE_HOME: join(home, ".local/state"),
      XDG_RUNTIME_DIR: this.path("runtime"),
      DOCKER_CONFIG: this.path("docker"),
      COSIGN_PASSWORD: PASSWORD,
      NO_COLOR: "1",
    };
  }

  /** Makes the folder, for this user alone. */
  open(): this {
    mkdirSync(this.folder, { mode: 0o700 });
    for (const name of ["home", "runtime"]) this.makeFolder(name);
    this.write("docker/config.json", "{}");
    return this;
  }

  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  makeFolder(...names: readonly string[]): string {
    const path = this.path(...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Runs a peer in this home. */
  run(peer: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return runPeer(peer, args, this.#within(options));
  }

  /** Runs a peer that has to succeed. @returns its standard output without the line break at its end. */
  async must(peer: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const finished = await this.run(peer, args, options);
    assert.equal(finished.code, 0, `${peer} ${args.join(" ")}\n${finished.stdout}${finished.stderr}`);
    return finished.stdout.trim();
  }

  countersign(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return runCountersign(args, this.#within(options));
  }

  /** Runs countersign and asserts its exit code; what it printed is the message of a failure. */
  async expect(code: number, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const finished = await this.countersign(args, options);
    assert.equal(finished.code, code, `countersign ${args.join(" ")}\n${finished.stdout}${finished.stderr}`);
    assert.doesNotMatch(finished.stderr, /^\s+at .*:\d+:\d+\)?$/m, "no stack trace reaches a user");
    return finished;
  }

  /** Runs a judging command with `-o json` and asserts verdict and first reason of every image. */
  async judge(wanted: string, args: readonly string[], options: RunOptions = {}): Promise<readonly Judged[]> {
    const [verdict = "", reason] = wanted.split(" ");
    const finished = await this.expect(EXIT_OF_VERDICT[verdict] ?? -1, [...args, "-o", "json"], options);
    const { images } = JSON.parse(finished.stdout) as { readonly images: readonly Judged[] };
    assert.notEqual(images.length, 0);
    for (const image of images) {
      assert.equal(image.verdict, verdict, finished.stdout);
      if (reason !== undefined) assert.equal(image.reasons[0]?.code, reason, finished.stdout);
    }
    return images;
  }

  /** Makes a key pair `NAME.key` and `NAME.pub` with countersign; the suite's password protects it. */
  async makeKey(name: string, ...flags: readonly string[]): Promise<KeyPair> {
    await this.expect(0, ["key", "generate", "--output-key-prefix", this.path(name), ...flags]);
    return this.keyPair(name);
  }

  keyPair(name: string): KeyPair {
    return { secret: this.path(`${name}.key`), public: this.path(`${name}.pub`) };
  }

  /** The same home, with more in its environment. */
  #within(options: RunOptions): RunOptions {
    return { cwd: this.folder, ...options, env: { ...this.environment, ...options.env } };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const EXIT_OF_VERDICT: Readonly<Record<string, number>> = { accepted: 0, refused: 1, undetermined: 3 };

export interface KeyPair {
  readonly secret: string;
  readonly public: string;
}

/** The members of docs/schemas/verdicts.json that the suites look at. */
export interface Judged {
  readonly image: string;
  readonly digest: string | null;
  readonly verdict: string;
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly signatures: readonly { readonly format: string; readonly accepted: boolean }[];
}
