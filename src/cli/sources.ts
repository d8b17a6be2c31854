import { realpath, stat } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Mention, Reading, SourceProblem, SourceText } from "../core/sources/mention.ts";
import { type ReadOptions, readSource } from "../core/sources/read.ts";
import { ifPresent, onDisk } from "../io/disk/errors.ts";
import { excluding } from "../io/sources/exclude.ts";
import { decodeSource, readSourceFile, type SourceFile } from "../io/sources/file.ts";
import { type FoundFile, filesBelow } from "../io/sources/folder.ts";
import { FileOwners } from "../io/sources/owners.ts";
import type { Context } from "./context.ts";
import { readNamedFile, readStandardInput } from "./named-file.ts";
import type { SourceOptions } from "./source-options.ts";

export type { SourceFile };

/** What sources say, in the order in which they were named. */
export interface Sources extends Reading {
  /** Those that name an image, as they were read. */
  readonly files: readonly SourceFile[];
  /** Reads a file of them again, by the same rules: as it would be after it was changed. */
  readonly read: (file: SourceText) => Reading;
}

/** What is no file: answered by the adapters, page by page. */
export interface Catalogs {
  listRegistry(source: string): AsyncIterable<Reading>;
  readCluster(source: string): AsyncIterable<Reading>;
}

const STANDARD_INPUT = "-";

/**
 * Looks for images in all that a command line names: files, folders, `-` for standard input, `registry://…`, `cluster://…`.
 * What cannot be read is a problem, and the rest is read. A file that is named twice, or lies in a folder that is named too,
 * is read once.
 *
 * @param catalogs Where registries and clusters are sources too.
 * @throws CountersignError `usage` for what is not there; `interrupted`.
 */
export async function readSources(
  context: Context,
  sources: readonly string[],
  options: SourceOptions,
  catalogs?: Catalogs,
): Promise<Sources> {
  if (sources.filter((source) => source === STANDARD_INPUT).length > 1) {
    throw new CountersignError("usage", "standard input can be read once", { found: "- twice" });
  }
  const reader = new SourceReader(context, options, catalogs);
  for (const source of sources) await reader.take(source);
  return reader;
}

class SourceReader implements Sources {
  readonly mentions: Mention[] = [];
  readonly problems: SourceProblem[] = [];
  readonly files: SourceFile[] = [];
  readonly #context: Context;
  readonly #options: SourceOptions;
  readonly #catalogs: Catalogs | undefined;
  readonly #owners = new FileOwners();
  readonly #seen = new Set<string>();
  /** What is known of files beside what the flags say, by label. */
  readonly #known = new Map<string, ReadOptions>();

  constructor(context: Context, options: SourceOptions, catalogs: Catalogs | undefined) {
    this.#context = context;
    this.#options = options;
    this.#catalogs = catalogs;
  }

  readonly read = (file: SourceText): Reading => readSource(file, { ...this.#options, ...this.#known.get(file.label) });

  async take(source: string): Promise<void> {
    if (source === STANDARD_INPUT) return await this.#takeStandardInput();
    const [scheme] = /^(?:registry|cluster):\/\//.exec(source) ?? [];
    if (scheme !== undefined) return await this.#takeCatalog(source, scheme === "registry://");
    const path = await this.#pathOf(source);
    const found = await onDisk(`read ${source}`, () => stat(path));
    if (found.isDirectory()) return await this.#takeFolder(source, path);
    const label = source.split(sep).join("/");
    if (found.isFile()) return await this.#takeFile({ label, path }, true);
    this.#known.set(label, { isNamed: true });
    // A program's output in the place of a file: `<(helm template …)`.
    this.#takeBytes(label, await readNamedFile(this.#context, source, WISH));
  }

  async #pathOf(source: string): Promise<string> {
    const path = resolve(this.#context.workingDirectory, source);
    const there = await onDisk(`find ${source}`, () => ifPresent(() => realpath(path)));
    if (source !== "" && there !== undefined) return there;
    // A pipe has a name under /dev/fd and no path of its own.
    if (source !== "" && (await stat(path).catch(() => undefined)) !== undefined) return path;
    throw new CountersignError("usage", "there is no such file or folder", {
      found: source === "" ? "an empty name" : source,
      wanted: "a file, a folder, - for standard input, registry://HOST[/PREFIX] or cluster://[CONTEXT]",
      next: "images themselves are named in a file, one a line, or to countersign verify",
    });
  }

  async #takeFolder(source: string, path: string): Promise<void> {
    const named = source
      .split(sep)
      .join("/")
      .replace(/(?<=[^/])\/+$/, "");
    const label = named === "." ? "" : named;
    const { files, problems } = await filesBelow(path, label, excluding(this.#options.exclude), this.#context.signal);
    this.problems.push(...problems);
    for (const file of files) await this.#takeFile(file, false);
  }

  async #takeFile({ label, path }: FoundFile, isNamed: boolean): Promise<void> {
    if (this.#seen.has(path)) return;
    this.#seen.add(path);
    this.#known.set(label, { isNamed, path: path.split(sep).join("/") });
    try {
      const file = await readSourceFile(path, label, this.#context.signal);
      const { mentions, problems } = this.read(file);
      this.problems.push(...problems);
      if (mentions.length === 0) return;
      this.files.push(file);
      this.mentions.push(...ownedBy(await this.#owners.ownerOf(path), mentions));
    } catch (thrown) {
      this.#problem(label, thrown);
    }
  }

  async #takeStandardInput(): Promise<void> {
    this.#known.set(STANDARD_INPUT, { isNamed: true });
    this.#takeBytes(STANDARD_INPUT, await readStandardInput(this.#context, WISH));
  }

  #takeBytes(label: string, bytes: Uint8Array): void {
    try {
      const { mentions, problems } = this.read({ label, text: decodeSource(bytes) });
      this.mentions.push(...mentions);
      this.problems.push(...problems);
    } catch (thrown) {
      this.#problem(label, thrown);
    }
  }

  async #takeCatalog(source: string, isRegistry: boolean): Promise<void> {
    if (this.#catalogs === undefined) {
      throw new CountersignError("usage", "only files and folders can be read here", { found: source });
    }
    const pages = isRegistry ? this.#catalogs.listRegistry(source) : this.#catalogs.readCluster(source);
    for await (const { mentions, problems } of pages) {
      this.mentions.push(...mentions);
      this.problems.push(...problems);
    }
  }

  #problem(label: string, thrown: unknown): void {
    this.problems.push({ place: { source: label }, finding: findingUnlessInterrupted(thrown) });
  }
}

const WISH = { flag: "SOURCE", holds: "what names images", maxBytes: LIMITS.sourceFileBytes };

/** Labels of a workload go before whoever answers for the file that it stands in. */
function ownedBy(owner: string | undefined, mentions: readonly Mention[]): readonly Mention[] {
  if (owner === undefined) return mentions;
  return mentions.map((mention) => {
    const { workload } = mention;
    return workload === undefined || workload.owner !== undefined
      ? mention
      : { ...mention, workload: { ...workload, owner } };
  });
}
