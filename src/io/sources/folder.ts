import type { Dirent } from "node:fs";
import { opendir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { CountersignError, findingUnlessInterrupted } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { canBeSource } from "../../core/sources/detect.ts";
import type { SourceProblem } from "../../core/sources/mention.ts";
import { onDisk, throwIfAborted } from "../disk/errors.ts";
import type { Excluded } from "./exclude.ts";

/** A file that may be a source. */
export interface FoundFile {
  readonly label: string;
  /** Absolute, no part of it a link. */
  readonly path: string;
}

export interface FolderContents {
  readonly files: readonly FoundFile[];
  readonly problems: readonly SourceProblem[];
}

/**
 * The files below a folder that may be sources, in the order of their paths. Links are not followed: what lies in the folder
 * is found where it lies, and what lies elsewhere is not what was named. The templates of a Helm chart are no manifests.
 *
 * @param path Of the folder: absolute, no part of it a link.
 */
export async function filesBelow(
  path: string,
  label: string,
  isExcluded: Excluded,
  signal?: AbortSignal,
): Promise<FolderContents> {
  const walk = new Walk(path, isExcluded, signal);
  await walk.enter(path, label, "", 0);
  return walk;
}

class Walk implements FolderContents {
  readonly files: FoundFile[] = [];
  readonly problems: SourceProblem[] = [];
  readonly #root: string;
  readonly #isExcluded: Excluded;
  readonly #signal: AbortSignal | undefined;
  #entries = 0;

  constructor(root: string, isExcluded: Excluded, signal: AbortSignal | undefined) {
    this.#root = root;
    this.#isExcluded = isExcluded;
    this.#signal = signal;
  }

  /** @param below The path from the folder that was named; empty for itself. */
  async enter(path: string, label: string, below: string, depth: number): Promise<void> {
    throwIfAborted(this.#signal);
    if (depth > LIMITS.sourceFolderDepth) return this.#tooMuch(label, `folders ${depth} deep`);
    const entries = await this.#entriesOf(path, label);
    const isChart = entries.some(({ name }) => name === "Chart.yaml");
    for (const entry of entries) {
      const { name } = entry;
      const place = { path: join(path, name), label: joined(label, name), below: joined(below, name) };
      if (this.#entries > LIMITS.sourceEntries || this.#isExcluded(place.below)) continue;
      if (isChart && name === "templates" && entry.isDirectory()) this.#chart(place.label);
      else if (entry.isDirectory()) await this.enter(place.path, place.label, place.below, depth + 1);
      else if (entry.isSymbolicLink()) await this.#link(place.path, place.label);
      else if (entry.isFile() && canBeSource(place.label)) this.files.push({ path: place.path, label: place.label });
    }
  }

  async #entriesOf(path: string, label: string): Promise<readonly Dirent[]> {
    const entries: Dirent[] = [];
    try {
      await onDisk(`read ${label}`, async () => {
        for await (const entry of await opendir(path)) {
          this.#entries += 1;
          if (this.#entries > LIMITS.sourceEntries) break;
          entries.push(entry);
        }
      });
    } catch (thrown) {
      this.problems.push({ place: { source: label || "." }, finding: findingUnlessInterrupted(thrown) });
    }
    if (this.#entries > LIMITS.sourceEntries)
      this.#tooMuch(label, `more than ${LIMITS.sourceEntries} files and folders`);
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A link whose end is in the folder is found there, unless nothing else leads to it; a link to nothing is nothing. */
  async #link(path: string, label: string): Promise<void> {
    const end = await realpath(path).catch(() => undefined);
    if (end === undefined) return;
    const isFolder = (await stat(end).catch(() => undefined))?.isDirectory() === true;
    if (!isFolder && !canBeSource(label)) return;
    if (isBelow(this.#root, end)) {
      const isLeftOut = this.#isLeftOut(end);
      if (!isLeftOut && (isFolder || canBeSource(end))) return;
      if (!isFolder) return void this.files.push({ path: end, label });
    }
    this.#problem(
      label,
      "a link leads out of the folder and was not followed",
      isFolder ? "a folder elsewhere" : "a file elsewhere",
      {
        wanted: "what is looked through in the folder",
        next: "name what it leads to as well, or leave it out with --exclude",
      },
    );
  }

  /** With a folder, all that lies in it. */
  #isLeftOut(end: string): boolean {
    const names = relative(this.#root, end).split(sep);
    return names.some((_, at) => this.#isExcluded(names.slice(0, at + 1).join("/")));
  }

  #chart(label: string): void {
    this.#problem(label, "the templates of a Helm chart name no images before they are rendered", "a chart", {
      wanted: "what helm template makes of it",
      next: "render the chart and name what comes out: helm template … | countersign audit -",
    });
  }

  #tooMuch(label: string, found: string): void {
    const finding = new CountersignError("limit-reached", "there is more in the folder than is looked through", {
      found,
      wanted: "a smaller folder, or --exclude for what is no source",
    });
    this.problems.push({ place: { source: label || "." }, finding: findingUnlessInterrupted(finding) });
  }

  #problem(
    label: string,
    message: string,
    found: string,
    about: { readonly wanted: string; readonly next: string },
  ): void {
    const finding = new CountersignError("source-invalid", message, { found, ...about });
    this.problems.push({ place: { source: label || "." }, finding: findingUnlessInterrupted(finding) });
  }
}

/** Labels have slashes on every system. */
function joined(label: string, name: string): string {
  return label === "" || label.endsWith("/") ? `${label}${name}` : `${label}/${name}`;
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
