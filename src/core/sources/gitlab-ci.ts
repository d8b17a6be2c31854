import type { Use } from "./composed.ts";
import { GitlabJobs, type Job } from "./gitlab-jobs.ts";
import { type Expansion, expandGitlab } from "./gitlab-variables.ts";
import type { Reading, SourceText, Workload } from "./mention.ts";
import { Collected } from "./yaml-images.ts";
import { readYamlText, type SourceNode } from "./yaml-text.ts";

/**
 * The images that the jobs of a GitLab pipeline run in, and their services. What a job inherits, by `extends` or from
 * `default`, is told of for the job: its variables decide what it is. Files that are included are files of their own.
 */
export function readGitlabCi(file: SourceText): Reading {
  const { documents, problems } = readYamlText(file);
  const collected = new Collected("gitlab-ci", problems);
  const uses = documents.flatMap((document) => readDocument(collected, new GitlabJobs(document)));
  const sharing = new Sharing(file.text, uses);
  for (const { node, job, container, expansion } of uses) {
    const about = { platform: platformOf(node), fixed: sharing.whyFixed(expansion) };
    const name = node.kind === "map" ? (node.get("name") ?? node) : node;
    collected.image(expansion.text, name.place, workloadOf(job, container), about);
  }
  return collected.reading;
}

/** One image of one job, in one of the ways in which it can be read. */
interface JobImage {
  readonly node: SourceNode;
  readonly job: Job;
  readonly container: string;
  readonly expansion: Expansion;
}

function workloadOf({ name }: Job, container: string): Workload {
  return { kind: "job", name, container };
}

function readDocument(collected: Collected, jobs: GitlabJobs): readonly JobImage[] {
  const told = new Set<number>();
  const read = (job: Job): readonly JobImage[] => imagesOf(job).flatMap((named) => expandedOf(collected, job, named));
  const images = jobs.running.flatMap((job) => {
    for (const { node } of imagesOf(job)) told.add(node.start);
    return read(job);
  });
  // What no job of this file runs may be run by a file that includes it.
  const waiting = jobs.templates.flatMap((job) => imagesOf(job).map((named) => ({ job, named })));
  const others = waiting.filter(({ named }) => !told.has(named.node.start));
  return [...images, ...others.flatMap(({ job, named }) => expandedOf(collected, job, named))];
}

interface NamedImage {
  readonly node: SourceNode;
  readonly container: string;
}

/** What `!reference` points to is told of where it stands. */
function imagesOf(job: Job): readonly NamedImage[] {
  const image = job.image === undefined ? [] : [{ node: job.image, container: "image" }];
  const services = (job.services?.items() ?? []).map((node) => ({ node, container: serviceName(node) }));
  const isReferred = job.services?.tag === "!reference";
  return [...image, ...(isReferred ? [] : services)].filter(({ node }) => node.tag !== "!reference");
}

function serviceName(node: SourceNode): string {
  return node.get("alias")?.text() ?? "service";
}

function expandedOf(collected: Collected, job: Job, { node, container }: NamedImage): readonly JobImage[] {
  const name = node.kind === "map" ? (node.get("name") ?? node) : node;
  const text = collected.expanded(name, (whole) => whole);
  if (text === undefined) return [];
  try {
    return expandGitlab(text, job.definitions).map((expansion) => ({ node, job, container, expansion }));
  } catch (thrown) {
    collected.caught(thrown, name.place, text.text);
    return [];
  }
}

function platformOf(node: SourceNode): string | undefined {
  const platform = node.get("docker")?.get("platform")?.text();
  return platform?.includes("$") === true ? undefined : platform;
}

/** Which variables serve for one image and nothing else: a script would get the digest with the tag. */
class Sharing {
  readonly #images = new Map<SourceNode, Set<string>>();
  readonly #usedElsewhere: ReadonlySet<string>;

  constructor(text: string, uses: readonly JobImage[]) {
    // Where variables are used to name images.
    const naming = new Uint8Array(text.length);
    for (const { node, expansion } of uses) {
      naming.fill(1, node.start, node.end);
      for (const definition of expansion.definitions.values()) {
        naming.fill(1, definition.start, definition.end);
        const images = this.#images.get(definition) ?? new Set();
        this.#images.set(definition, images.add(expansion.text.text));
      }
    }
    const others = [...text.matchAll(VARIABLE)].filter(({ index }) => naming[index] === 0);
    this.#usedElsewhere = new Set(others.map(([, name = ""]) => name));
  }

  whyFixed({ text, definitions }: Expansion): string | undefined {
    const shared = text.uses.find((use) => this.#isShared(use, definitions));
    return shared && `the variable ${shared.variable} serves for something else as well`;
  }

  #isShared(use: Use, definitions: ReadonlyMap<Use, SourceNode>): boolean {
    const definition = definitions.get(use);
    if (definition === undefined) return false;
    return (this.#images.get(definition)?.size ?? 0) > 1 || this.#usedElsewhere.has(use.variable);
  }
}

/** As GitLab, shells and PowerShell write one. */
const VARIABLE = /(?:\$\{?|%|env:)([A-Za-z_][A-Za-z0-9_]*)/g;
