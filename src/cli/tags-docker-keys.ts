import type { KeyObject } from "node:crypto";
import { type PublicKey, publicKeyFrom } from "../core/crypto/public-key.ts";
import { parseDctKeyFile } from "../core/dct/key-file.ts";
import { type DctKey, plainKeyId } from "../core/dct/keys.ts";
import { CountersignError } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { LIMITS } from "../core/limits.ts";
import { readKey, warnOfReaders } from "../io/keys/content.ts";
import { openKey, readKeyFile } from "../io/keys/keyfile.ts";
import type { AskPassword } from "../io/keys/passphrase.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { fromEnvironment } from "./tags-passphrase.ts";

/** A key of Docker's that was opened. */
export interface OpenedDockerKey {
  readonly privateKey: KeyObject;
  /** To be kept under: a new one where the environment names one for the role, else the one that it had. */
  readonly passphrase: Uint8Array;
}

/** What opens the keys of Docker and of Notary's own client, by what they were for; the first that is set counts. */
const ROOT_VARIABLES: readonly string[] = ["DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE", "NOTARY_ROOT_PASSPHRASE"];
const TARGETS_VARIABLES: readonly string[] = [
  "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE",
  "NOTARY_TARGETS_PASSPHRASE",
];
const SIGNER_VARIABLES: readonly string[] = [
  "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE",
  "NOTARY_DELEGATION_PASSPHRASE",
];

/** Docker's private keys on this machine, by their ids. */
export class DockerKeys {
  readonly #context: Context;
  readonly #output: Output;
  readonly #files: ReadonlyMap<string, string>;
  readonly #ask: (role: string) => AskPassword;
  readonly #opened = new Map<string, Promise<OpenedDockerKey>>();

  constructor(
    context: Context,
    output: Output,
    files: ReadonlyMap<string, string>,
    ask: (role: string) => AskPassword,
  ) {
    this.#context = context;
    this.#output = output;
    this.#files = files;
    this.#ask = ask;
  }

  /** The path of a key's file; undefined where it is not here. */
  fileOf(key: PublicKey): string | undefined {
    return this.#files.get(plainKeyId(key));
  }

  /**
   * Opens a key. undefined where it is not here.
   *
   * @param role What it is called from now on: `root`, `targets` or a signer's name.
   * @throws CountersignError `key-password`, `key-invalid`.
   */
  async open(key: PublicKey, role: string): Promise<OpenedDockerKey | undefined> {
    const path = this.fileOf(key);
    if (path === undefined) return undefined;
    const opened = await this.#open(path, role);
    requireSame(opened.privateKey, key, path);
    return opened;
  }

  /**
   * Every other root key that is here: roots were rotated, and consumers may know an older one. One that cannot be opened is
   * said and passed over.
   */
  async openOtherRoots(known: ReadonlySet<string>): Promise<readonly KeyObject[]> {
    const opened: KeyObject[] = [];
    for (const path of await this.#rootFiles()) {
      try {
        const { privateKey } = await this.#open(path, "root");
        if (!known.has(publicKeyFrom(privateKey, path).fingerprint)) opened.push(privateKey);
      } catch (thrown) {
        if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
        this.#output.warn(`an older root key vouches for nothing: ${explainBriefly(thrown)}`);
      }
    }
    return opened;
  }

  async #rootFiles(): Promise<readonly string[]> {
    const roots: string[] = [];
    for (const path of this.#files.values()) {
      const { content } = await readKey(path, this.#context);
      if (parseDctKeyFile(content)?.role === "root") roots.push(path);
    }
    if (roots.length <= LIMITS.dctRootKeys) return roots;
    throw new CountersignError("limit-reached", "Docker's folder has more root keys than are looked through", {
      found: String(roots.length),
      wanted: `at most ${LIMITS.dctRootKeys}`,
    });
  }

  /** Once: a passphrase is asked for once. */
  #open(path: string, role: string): Promise<OpenedDockerKey> {
    const opening = this.#opened.get(path) ?? this.#openFile(path, role);
    this.#opened.set(path, opening);
    return opening;
  }

  async #openFile(path: string, role: string): Promise<OpenedDockerKey> {
    const found = await readKey(path, this.#context);
    warnOfReaders(found, this.#output.warn);
    const variables = role === "root" ? ROOT_VARIABLES : role === "targets" ? TARGETS_VARIABLES : SIGNER_VARIABLES;
    const { env } = this.#context;
    const passphrase = variables.map((name) => env[name]).find((value) => (value ?? "") !== "");
    let given: Uint8Array = Buffer.from(passphrase ?? "");
    const privateKey = await openKey(readKeyFile(found.content, path), path, async () => {
      if (passphrase === undefined) given = await this.#ask(role)({ what: `Docker's ${role} key`, isNew: false });
      return given;
    }).catch((thrown: unknown) => {
      throw withVariables(thrown, role, variables);
    });
    const renewed = fromEnvironment(env, role);
    return { privateKey, passphrase: renewed === undefined ? given : Buffer.from(renewed) };
  }
}

function withVariables(thrown: unknown, role: string, variables: readonly string[]): unknown {
  if (!(thrown instanceof CountersignError) || thrown.code !== "key-password") return thrown;
  const { message, found, wanted } = thrown;
  const next = `give the passphrase of Docker's ${role} key in ${variables.join(" or ")}, at the prompt or on standard input`;
  return new CountersignError("key-password", message, { found, wanted, next, cause: thrown });
}

/** The name of a file is a claim: what is in it decides. */
function requireSame(privateKey: KeyObject, { fingerprint }: PublicKey, path: string): void {
  const found = publicKeyFrom(privateKey, path).fingerprint;
  if (found === fingerprint) return;
  throw new CountersignError("key-invalid", "a key file of Docker's holds another key than its name says", {
    found: `${path}: ${found}`,
    wanted: fingerprint,
  });
}

/** What a key is called in messages. */
export function describeDctKeys(keys: readonly DctKey[]): string {
  return keys.map(({ plainId }) => `${plainId.slice(0, 12)}…`).join(", ");
}
