import { readFile } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { readYamlText, type SourceNode } from "../../core/sources/yaml-text.ts";
import { errnoOf } from "../disk/errors.ts";

/** One cluster, user or context as it stands in a file: paths in it are relative to the file's folder. */
export interface KubeconfigEntry {
  readonly name: string;
  /** What is under `cluster:`, `user:` or `context:`. */
  readonly value: SourceNode | undefined;
  readonly folder: string;
}

export type KubeconfigSection = "clusters" | "users" | "contexts";

/** All the files together: the first that has a name, or says which context is the current one, decides. */
export interface Kubeconfig {
  /** Where was looked. */
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
}

/**
 * The files of KUBECONFIG, else `~/.kube/config`, put together as kubectl does ("Organizing Cluster Access Using
 * kubeconfig Files"): a file that is not there says nothing, and of two entries of one name the second counts for nothing.
 *
 * @throws CountersignError `configuration-invalid`, without a word of what is in the file: it holds secrets.
 */
export async function readKubeconfig(surroundings: Surroundings): Promise<Kubeconfig> {
  const files = filesOf(surroundings);
  const parsed: ParsedFile[] = [];
  for (const path of files) {
    const text = await readIfThere(path);
    if (text !== undefined && text.trim() !== "") parsed.push(parseFile(path, text));
  }
  const merged = (section: KubeconfigSection) => new Map(parsed.toReversed().flatMap((file) => [...file[section]]));
  return {
    files,
    currentContext: parsed.find(({ currentContext }) => currentContext !== undefined)?.currentContext,
    clusters: merged("clusters"),
    users: merged("users"),
    contexts: merged("contexts"),
  };
}

function filesOf({ env, homeDirectory, workingDirectory }: Surroundings): readonly string[] {
  const named = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  const paths = named.length === 0 ? [join(homeDirectory, ".kube", "config")] : named;
  return [...new Set(paths.map((path) => resolve(workingDirectory, path)))];
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    if (bytes.byteLength <= LIMITS.kubeconfigBytes) return decodeUtf8(bytes);
    throw unusable(path, `${bytes.byteLength} bytes`, `at most ${LIMITS.kubeconfigBytes} bytes`);
  } catch (thrown) {
    if (thrown instanceof CountersignError) throw thrown;
    const code = errnoOf(thrown);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unusable(path, code ?? "bytes that are not UTF-8", "a kubeconfig file");
  }
}

interface ParsedFile extends Readonly<Record<KubeconfigSection, ReadonlyMap<string, KubeconfigEntry>>> {
  readonly currentContext: string | undefined;
}

function parseFile(path: string, text: string): ParsedFile {
  const { documents, problems } = readYamlText({ label: path, text });
  const [problem] = problems;
  if (problem !== undefined) throw unusable(placed(path, problem.place), "what is not YAML there", "a kubeconfig file");
  const [root, second] = documents;
  if (root?.kind !== "map" || second !== undefined) {
    throw unusable(path, second === undefined ? "no mapping" : "several documents", "one kubeconfig");
  }
  const current = root.get("current-context")?.text();
  return {
    clusters: entriesOf(path, root.get("clusters"), "cluster"),
    users: entriesOf(path, root.get("users"), "user"),
    contexts: entriesOf(path, root.get("contexts"), "context"),
    currentContext: current === "" ? undefined : current,
  };
}

function entriesOf(path: string, section: SourceNode | undefined, member: string): Map<string, KubeconfigEntry> {
  const entries = new Map<string, KubeconfigEntry>();
  for (const item of section?.items() ?? []) {
    const name = item.get("name")?.text();
    if (name === undefined || name === "") throw unusable(placed(path, item.place), "an entry without a name", "name:");
    if (entries.has(name)) throw unusable(placed(path, item.place), `a second ${member} ${name}`, "each name once");
    entries.set(name, { name, value: item.get(member), folder: dirname(path) });
  }
  return entries;
}

function placed(path: string, { line, column }: { line?: number | undefined; column?: number | undefined }): string {
  return [path, line, column].filter((part) => part !== undefined).join(":");
}

function unusable(where: string, found: string, wanted: string): CountersignError {
  return new CountersignError("configuration-invalid", "a kubeconfig cannot be used", {
    found: `${where}: ${found}`,
    wanted,
  });
}
