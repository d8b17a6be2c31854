import { looksLikeList } from "./list.ts";
import type { SourceKind } from "./mention.ts";
import { readYamlText } from "./yaml-text.ts";

/** Kinds of files, as `--source-kind` takes them. */
export const FILE_KINDS = [
  "kubernetes",
  "kustomize",
  "helm-values",
  "compose",
  "dockerfile",
  "github-actions",
  "gitlab-ci",
  "list",
] as const satisfies readonly SourceKind[];

export type FileKind = (typeof FILE_KINDS)[number];

/** Written by people who name theirs after what they are about: `dockerfile.go` is no Dockerfile. */
const CODE =
  /\.(?:c|cc|cpp|cs|css|dockerignore|go|h|html?|java|js|json|kt|lua|md|mjs|php|pl|png|py|rb|rs|rst|scala|sh|svg|swift|ts|tsx|vim|ya?ml)$/i;
const DOCKERFILE =
  /^(?:Dockerfile|Containerfile)(?:[._-].+)?$|(?:^|\.)(?:dockerfile|containerfile|Dockerfile|Containerfile)$/;
const YAML = /\.ya?ml$/i;

/** By where a file is and what it is called there; the first that matches. Paths have slashes. */
const BY_NAME: readonly { readonly kind: FileKind; readonly path: RegExp }[] = [
  { kind: "github-actions", path: /(?:^|\/)\.(?:github|gitea|forgejo)\/workflows\/[^/]+\.ya?ml$/ },
  { kind: "github-actions", path: /(?:^|\/)action\.ya?ml$/ },
  { kind: "gitlab-ci", path: /(?:^|\/)(?:[^/]*\.)?gitlab-ci(?:[.-][^/]*)?\.ya?ml$|(?:^|\/)\.gitlab\/ci\/.*\.ya?ml$/ },
  { kind: "kustomize", path: /(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/ },
  { kind: "compose", path: /(?:^|\/)(?:docker-)?compose(?:[._-][^/]*)?\.ya?ml$|\.compose\.ya?ml$/ },
  { kind: "helm-values", path: /(?:^|\/)(?:values(?:[._-][^/]*)?|[^/]*[._-]values)\.ya?ml$/ },
  { kind: "list", path: /(?:^|\/)images(?:[._-][^/]*)?\.(?:txt|list)$/ },
];

/** What a file is by its name; undefined where only what it says can tell. */
export function kindByName(path: string): FileKind | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (DOCKERFILE.test(name) && !CODE.test(name)) return "dockerfile";
  return BY_NAME.find((rule) => rule.path.test(path))?.kind;
}

/** Whether a file in a folder can be a source: no other is opened. */
export function canBeSource(path: string): boolean {
  return kindByName(path) !== undefined || isYaml(path) || /\.json$/i.test(path);
}

export function isYaml(path: string): boolean {
  return YAML.test(path);
}

const API_VERSION = /^["']?apiVersion["']?[ \t]*:/m;
const KIND = /^["']?kind["']?[ \t]*:/m;
const KUSTOMIZATION = /^["']?kind["']?[ \t]*:[ \t]*["']?(?:Kustomization|Component)["']?[ \t]*(?:#.*)?\r?$/m;
const ON = /^(?:on|"on"|'on')[ \t]*:/m;
const JOBS = /^jobs[ \t]*:/m;
const RUNS = /^runs[ \t]*:/m;
const USING = /^[ \t]+using[ \t]*:/m;

/** What JSON is: an object of Kubernetes, or several; also one that breaks off. */
function isKubernetesJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).some(isKubernetesObject);
  } catch {
    return /^\s*\{\s*"(?:apiVersion|kind)"\s*:/.test(text);
  }
}

/** Told already, and perhaps megabytes of something else. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isKubernetesObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && "apiVersion" in value && "kind" in value;
}

/** What YAML can write otherwise than line by line: `{apiVersion: v1, kind: Pod}`, all of it indented, JSON with a comment. */
function isKubernetesYaml(text: string): boolean {
  if (!/\bapiVersion\b/.test(text) || !/\bkind\b/.test(text) || isJson(text)) return false;
  const { documents } = readYamlText({ label: "", text });
  return documents.some((root) => root.get("apiVersion") !== undefined && root.get("kind") !== undefined);
}

/** What a file of YAML or JSON is by what it says: Kubernetes objects first, they say it themselves. */
export function kindByYaml(marked: string): FileKind | undefined {
  const text = marked.replace(/^\u{feff}/u, "");
  if (/^\s*[{[]/.test(text) && isKubernetesJson(text)) return "kubernetes";
  if (KUSTOMIZATION.test(text) && /^["']?apiVersion["']?[ \t]*:[ \t]*["']?kustomize\.config\.k8s\.io\//m.test(text))
    return "kustomize";
  if (API_VERSION.test(text) && KIND.test(text)) return "kubernetes";
  if (ON.test(text) && JOBS.test(text)) return "github-actions";
  if (RUNS.test(text) && USING.test(text)) return "github-actions";
  if (isKubernetesYaml(text)) return "kubernetes";
  return hasServices(text) ? "compose" : undefined;
}

/** A mapping of names: a list is what other tools have under `services`. */
function hasServices(text: string): boolean {
  const heading = /^(?:services|"services"|'services')[ \t]*:[ \t]*(?:#.*)?\r?$/m.exec(text);
  if (heading === null) return false;
  const first = firstSaid(text, heading.index + heading[0].length);
  return /^[ \t]+(?!-)[^\s:]+[ \t]*:/.test(first);
}

/** The first line from a place on that says something. */
function firstSaid(text: string, from: number): string {
  for (let at = from; at < text.length; ) {
    const feed = text.indexOf("\n", at);
    const line = text.slice(at, feed === -1 ? text.length : feed);
    if (!/^\s*(?:#|$)/.test(line)) return line;
    at = feed === -1 ? text.length : feed + 1;
  }
  return "";
}

const FROM = /^[ \t]*FROM[ \t]+\S/im;
const SCRIPT = /^[ \t]+(?:script|extends|trigger)[ \t]*:/m;
const IMAGE = /^[ \t]*image[ \t]*:/m;

/** Of a file that was named, or of standard input: something it has to be. */
export function kindByText(text: string): FileKind | undefined {
  const known = kindByYaml(text);
  if (known !== undefined) return known;
  if (looksLikeList(text)) return "list";
  if (isDockerfile(text)) return "dockerfile";
  if (SCRIPT.test(text)) return "gitlab-ci";
  return IMAGE.test(text) ? "helm-values" : undefined;
}

/** The first line that says something is an instruction that may come first, and an image is built on. */
function isDockerfile(text: string): boolean {
  return /^[ \t]*(?:FROM|ARG)[ \t]/i.test(firstSaid(text, 0)) && FROM.test(text);
}
