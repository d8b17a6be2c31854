import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { decodeBase64, decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { SourceNode } from "../../core/sources/yaml-text.ts";
import { errnoOf } from "../disk/errors.ts";
import type { KubeconfigEntry } from "./kubeconfig.ts";

/** The members of one entry of a kubeconfig. What is wrong with one is said without its value, which may be a secret. */
export class Fields {
  readonly folder: string;
  readonly what: string;
  readonly #value: SourceNode | undefined;

  /** @param what "the cluster production". */
  constructor({ value, folder }: Pick<KubeconfigEntry, "value" | "folder">, what: string) {
    this.#value = value;
    this.folder = folder;
    this.what = what;
  }

  /** undefined where there is none, and where it is empty: to kubectl that is the same. */
  text(name: string): string | undefined {
    const text = this.#value?.get(name)?.text();
    return text === "" ? undefined : text;
  }

  flag(name: string): boolean {
    const text = this.text(name);
    if (text === undefined || text === "false") return false;
    if (text === "true") return true;
    throw this.unusable(name, "neither true nor false", "true or false");
  }

  node(name: string): SourceNode | undefined {
    return this.#value?.get(name);
  }

  has(name: string): boolean {
    const node = this.#value?.get(name);
    return node !== undefined && (node.kind !== "scalar" || (node.text() ?? "") !== "");
  }

  texts(name: string): readonly string[] {
    return (this.#value?.get(name)?.items() ?? []).map((item) => item.text() ?? "");
  }

  /** A path in it, which is relative to the file that it stands in. */
  path(name: string): string | undefined {
    const path = this.text(name);
    return path === undefined ? undefined : resolve(this.folder, path);
  }

  /** PEM: `NAME-data` in base64 counts before the file of `NAME`. */
  async fileOrData(name: string): Promise<string | undefined> {
    const data = this.text(`${name}-data`);
    if (data !== undefined) return this.#decoded(`${name}-data`, data);
    const path = this.path(name);
    return path === undefined ? undefined : await readSmall(path, `${name} of ${this.what}`);
  }

  #decoded(name: string, data: string): string {
    const bytes = decodeBase64(data.replace(/\s+/g, ""));
    if (bytes === undefined) throw this.unusable(name, "what is not base64", "base64");
    return decodeUtf8(bytes);
  }

  unusable(name: string, found: string, wanted: string): CountersignError {
    return new CountersignError("configuration-invalid", `${this.what} of the kubeconfig cannot be used`, {
      found: `${name}: ${found}`,
      wanted,
    });
  }
}

/** @throws CountersignError `configuration-invalid` without its content. */
export async function readSmall(path: string, what: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.byteLength <= LIMITS.credentialBytes) return decodeUtf8(bytes);
  } catch (thrown) {
    throw new CountersignError("configuration-invalid", `${what} cannot be read`, {
      found: `${path}: ${errnoOf(thrown) ?? "bytes that are not UTF-8"}`,
    });
  }
  throw new CountersignError("configuration-invalid", `${what} cannot be read`, {
    found: `${path}: a file that is too large`,
    wanted: `at most ${LIMITS.credentialBytes} bytes`,
  });
}
