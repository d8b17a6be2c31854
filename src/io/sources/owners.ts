import { lstat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { CODEOWNERS_PATHS, type OwnersOf, readCodeowners } from "../../core/sources/codeowners.ts";
import { readSourceFile } from "./file.ts";

/** Who answers for files, by the CODEOWNERS of the repositories that they are in. Every repository is asked once. */
export class FileOwners {
  readonly #roots = new Map<string, Promise<string | undefined>>();
  readonly #rules = new Map<string, Promise<OwnersOf>>();

  /** @param path Absolute, no part of it a link. */
  async ownerOf(path: string): Promise<string | undefined> {
    const root = await this.#rootOf(dirname(path));
    if (root === undefined) return undefined;
    const rules = this.#rules.get(root) ?? rulesIn(root);
    this.#rules.set(root, rules);
    return (await rules)(relative(root, path).split(sep).join("/"));
  }

  #rootOf(folder: string): Promise<string | undefined> {
    const known = this.#roots.get(folder) ?? this.#findRoot(folder);
    this.#roots.set(folder, known);
    return known;
  }

  async #findRoot(folder: string): Promise<string | undefined> {
    // A file in a work tree of its own, and in a submodule.
    if ((await lstat(join(folder, ".git")).catch(() => undefined)) !== undefined) return folder;
    const above = dirname(folder);
    return above === folder ? undefined : await this.#rootOf(above);
  }
}

async function rulesIn(root: string): Promise<OwnersOf> {
  for (const path of CODEOWNERS_PATHS) {
    try {
      const { text } = await readSourceFile(join(root, path), path);
      return readCodeowners(text, path.startsWith(".gitlab/"));
    } catch (thrown) {
      // Nobody is named by a file that is not there or cannot be read.
      if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
    }
  }
  return () => undefined;
}
