import { LIMITS } from "../limits.ts";
import { readCompose } from "./compose.ts";
import type { CustomPath } from "./custom-paths.ts";
import { FILE_KINDS, type FileKind, isYaml, kindByName, kindByText, kindByYaml } from "./detect.ts";
import { readDockerfile } from "./dockerfile.ts";
import { readGithubActions } from "./github-actions.ts";
import { readGitlabCi } from "./gitlab-ci.ts";
import { readHelmValues } from "./helm-values.ts";
import { readKubernetes } from "./kubernetes.ts";
import { readKustomization } from "./kustomize.ts";
import { readList, unlikeList } from "./list.ts";
import type { Reading, SourceText } from "./mention.ts";
import { placesIn } from "./places.ts";
import { problemAt } from "./slot.ts";
import { readYamlText } from "./yaml-text.ts";

export interface ReadOptions {
  /** What the user says that files are; a file found in a folder that is something else is passed over. */
  readonly kind?: FileKind | undefined;
  /** The user named this very file: it has to be something. */
  readonly isNamed?: boolean | undefined;
  /** Where the file is, with slashes; its label says less where the user stands in the same folder. */
  readonly path?: string | undefined;
  readonly customPaths?: readonly CustomPath[] | undefined;
  readonly ownerLabels?: readonly string[] | undefined;
}

const NOTHING: Reading = { mentions: [], problems: [] };

/**
 * What a file says, by the rules of its kind, which its place, its name or its text tells. A file that was found in a folder
 * and is nothing of ours says nothing; one that nobody can read says so.
 */
export function readSource(file: SourceText, options: ReadOptions = {}): Reading {
  const { mentions, problems } = readAny(file, options);
  if (problems.length <= LIMITS.sourceProblems) return { mentions, problems };
  const more = `${problems.length - LIMITS.sourceProblems} more`;
  const about = { found: more, wanted: "a file that can be read", next: "correct those that are told of first" };
  const rest = problemAt({ source: file.label }, "there is more in this file that cannot be read", about);
  return { mentions, problems: [...problems.slice(0, LIMITS.sourceProblems), rest] };
}

function readAny(file: SourceText, options: ReadOptions): Reading {
  const { kind: wanted, isNamed = false } = options;
  if (isNamed) {
    const kind = wanted ?? kindOf(file, options) ?? kindByText(file.text);
    return kind === undefined ? { mentions: [], problems: [whatIsIt(file)] } : readAs(kind, file, options);
  }
  const kind = kindOf(file, options);
  if (wanted !== undefined && kind !== wanted) return NOTHING;
  if (kind !== undefined) return readAs(kind, file, options);
  return isYaml(file.label) ? { mentions: [], problems: readYamlText(file).problems } : NOTHING;
}

function kindOf({ label, text }: SourceText, { path = label }: ReadOptions): FileKind | undefined {
  return kindIn(label, text) ?? kindIn(path, text);
}

/** An action's name and that of values are common ones: Kubernetes objects are found under any. */
function kindIn(path: string, text: string): FileKind | undefined {
  const byName = kindByName(path);
  const isCommon = byName === "github-actions" || byName === "helm-values";
  if (byName !== undefined && !isCommon) return byName;
  const isText = isYaml(path) || /\.json$/i.test(path);
  return (isText ? kindByYaml(text) : undefined) ?? byName;
}

function readAs(kind: FileKind, file: SourceText, options: ReadOptions): Reading {
  switch (kind) {
    case "kubernetes":
      return readKubernetes(file, options);
    case "kustomize":
      return readKustomization(file, options);
    case "helm-values":
      return readHelmValues(file);
    case "compose":
      return readCompose(file);
    case "dockerfile":
      return readDockerfile(file);
    case "github-actions":
      return readGithubActions(file);
    case "gitlab-ci":
      return readGitlabCi(file);
    case "list":
      return readList(file);
  }
}

/** Of a list with one line that is none, that line is what matters. */
function whatIsIt(file: SourceText): ReturnType<typeof problemAt> {
  const odd = unlikeList(file.text);
  const place = odd === undefined ? { source: file.label } : placesIn(file)(odd.at);
  return problemAt(place, "it is not plain what this file is", {
    found: odd?.said ?? (file.text.trim() === "" ? "nothing" : "nothing but comments"),
    wanted: `one of ${FILE_KINDS.join(", ")}`,
    next: "correct the line, or say what the file is with --source-kind",
  });
}
