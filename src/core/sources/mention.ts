import type { Finding } from "../errors.ts";

/** What a source is, and by whose rules images are looked for in it. */
export type SourceKind =
  | "kubernetes"
  | "kustomize"
  | "helm-values"
  | "compose"
  | "dockerfile"
  | "github-actions"
  | "gitlab-ci"
  | "list"
  | "registry"
  | "cluster";

/** A file as it was read, and what it is called in messages. */
export interface SourceText {
  readonly label: string;
  readonly text: string;
}

/** Where something stands: in a file with line and column, both from 1; in a cluster or a registry without. */
export interface SourcePlace {
  /** The file as the user named it (or below the folder that was named), `cluster://production`, `registry://host/prefix`. */
  readonly source: string;
  readonly line?: number | undefined;
  /** In characters (UTF-16 code units) of the line, as editors count them. */
  readonly column?: number | undefined;
}

/** What runs an image. */
export interface Workload {
  /** `Deployment`, `CronJob`; `service` of Compose, `stage` of a Dockerfile, `job` of a pipeline. */
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  /** The container in it, or the step. */
  readonly container?: string | undefined;
  /** Who answers for it: from labels and annotations, or CODEOWNERS. */
  readonly owner?: string | undefined;
}

/**
 * How a mention is pinned: the characters from `start` to `end` of the text (UTF-16 offsets; equal where nothing is there
 * yet) are replaced by `before`, the digest, `after`. For `nginx:1.27` that is an insertion behind the tag with `before: "@"`;
 * for Kustomize and Helm it may be a whole line `digest: …` of its own.
 */
export interface PinSlot {
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
}

/** One place that names an image. */
export interface Mention {
  /** As an engine would read it there: variables by their defaults, name, tag and digest put together. Not normalised. */
  readonly image: string;
  readonly kind: SourceKind;
  readonly place: SourcePlace;
  readonly workload?: Workload | undefined;
  /** `linux/arm64`, where the source asks for one. */
  readonly platform?: string | undefined;
  /** How it is pinned; absent where it cannot be: `fixed` says why. */
  readonly slot?: PinSlot | undefined;
  /** "the name comes from the build argument BASE, which has no default": why it cannot be pinned in place. */
  readonly fixed?: string | undefined;
}

/** What could not be read, and where: `source-invalid`, or why a cluster or a registry could not be listed. */
export interface SourceProblem {
  readonly place: SourcePlace;
  readonly finding: Finding;
}

/** What a source says, in the order in which it stands there. Nothing is left out silently. */
export interface Reading {
  readonly mentions: readonly Mention[];
  readonly problems: readonly SourceProblem[];
}

/** `deploy/web.yaml:12:16`, as terminals make it a link. */
export function placeName({ source, line, column }: SourcePlace): string {
  return [source, line, column].filter((part) => part !== undefined).join(":");
}
