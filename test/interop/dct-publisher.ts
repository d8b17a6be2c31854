import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PushedImage } from "./images.ts";
import type { Notary } from "./notary.ts";
import type { Finished, RunOptions } from "./peers.ts";
import type { Workplace } from "./workplace.ts";

export const ROOT_PASSPHRASE = "the old root";
export const REPOSITORY_PASSPHRASE = "the old repository";

/** The passphrases of Docker's and of Notary's own client. */
export const OLD_PASSPHRASES: Readonly<Record<string, string>> = {
  DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: ROOT_PASSPHRASE,
  DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: REPOSITORY_PASSPHRASE,
  NOTARY_ROOT_PASSPHRASE: ROOT_PASSPHRASE,
  NOTARY_TARGETS_PASSPHRASE: REPOSITORY_PASSPHRASE,
  NOTARY_SNAPSHOT_PASSPHRASE: REPOSITORY_PASSPHRASE,
  NOTARY_DELEGATION_PASSPHRASE: REPOSITORY_PASSPHRASE,
};

/** Somebody's machine with Docker on it: a configuration folder, and in it what content trust keeps. */
export class DockerHome {
  readonly folder: string;
  readonly #work: Workplace;
  readonly #notary: Notary;
  readonly #engine: string | undefined;

  constructor(work: Workplace, notary: Notary, name: string, engine?: string) {
    this.#work = work;
    this.#notary = notary;
    this.#engine = engine;
    this.folder = work.path(`docker-${name}`);
    const authority = join(this.folder, "tls", notary.address);
    mkdirSync(authority, { recursive: true });
    copyFileSync(notary.ca, join(authority, "ca.crt"));
    writeFileSync(join(this.folder, "config.json"), "{}");
  }

  get trustFolder(): string {
    return join(this.folder, "trust");
  }

  get environment(): Readonly<Record<string, string>> {
    return {
      ...OLD_PASSPHRASES,
      DOCKER_CONFIG: this.folder,
      DOCKER_CONTENT_TRUST_SERVER: `https://${this.#notary.address}`,
      ...(this.#engine !== undefined && { DOCKER_HOST: this.#engine }),
    };
  }

  /** Docker's own command line, with content trust where nothing else is said. */
  docker(args: readonly string[], trust = "1"): Promise<Finished> {
    return this.#work.run("docker", args, { env: { ...this.environment, DOCKER_CONTENT_TRUST: trust } });
  }

  /** Notary's own client on Docker's folder. It has to succeed. */
  async notary(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const server = ["-s", `https://${this.#notary.address}`, "--tlscacert", this.#notary.ca, "-d", this.trustFolder];
    return await this.#work.must("notary", [...server, ...args], { ...options, env: { ...this.environment } });
  }

  /** Sets a repository up as Docker does: keys of its own, snapshots signed by the server. */
  async init(gun: string): Promise<void> {
    await this.notary(["init", "-p", gun]);
    await this.notary(["key", "rotate", gun, "snapshot", "-r"]);
  }

  /** Signs a tag; in `targets`, or in these roles. */
  async sign(gun: string, tag: string, image: PushedImage, ...roles: readonly string[]): Promise<void> {
    const { digest, size } = image.descriptor;
    const hash = ["--sha256", digest.slice("sha256:".length)];
    await this.notary(["addhash", "-p", gun, tag, String(size), ...hash, ...roles.flatMap((role) => ["-r", role])]);
  }

  /** Adds a signer as `docker trust signer add` does: a role of its own, and a part in the releases. */
  async addSigner(gun: string, name: string, publicKey: string): Promise<void> {
    for (const role of [`targets/${name}`, "targets/releases"]) {
      await this.notary(["delegation", "add", "-p", gun, role, publicKey, "--all-paths"]);
    }
  }
}
