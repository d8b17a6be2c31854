import { Composed } from "./composed.ts";
import { matrixValues } from "./github-matrix.ts";
import type { Reading, SourceText, Workload } from "./mention.ts";
import { Collected, composedOf } from "./yaml-images.ts";
import { readYamlText, type SourceNode } from "./yaml-text.ts";

/**
 * The images of a workflow (`container`, `services`, `uses: docker://…`) or an action (`runs.image: docker://…`, steps) of
 * GitHub Actions. Other people's workflows and actions are not looked into: their files are theirs. An expression is followed
 * where it is a value of the matrix that stands in the file.
 */
export function readGithubActions(file: SourceText): Reading {
  const { documents, problems } = readYamlText(file);
  const collected = new Collected("github-actions", problems);
  for (const document of documents) {
    for (const { name, value } of document.get("jobs")?.entries() ?? [])
      new JobReader(file, collected, name, value).read();
    readAction(collected, document);
  }
  return collected.reading;
}

const DOCKER = "docker://";

function readAction(collected: Collected, document: SourceNode): void {
  const runs = document.get("runs");
  if (runs === undefined) return;
  const name = document.get("name")?.text() ?? "action";
  const image = runs.get("image");
  // Anything else is the path of a Dockerfile.
  if (image?.text()?.startsWith(DOCKER) === true) readUses(collected, image, { kind: "action", name });
  readSteps(collected, runs.get("steps"), (step) => ({ kind: "action", name, container: step }));
}

function readSteps(collected: Collected, steps: SourceNode | undefined, workloadOf: (step: string) => Workload): void {
  for (const [index, step] of (steps?.items() ?? []).entries()) {
    const uses = step.get("uses");
    if (uses?.text()?.startsWith(DOCKER) !== true) continue;
    const name = step.get("name")?.text() ?? step.get("id")?.text();
    readUses(collected, uses, workloadOf(name ?? `step ${index + 1}`));
  }
}

function readUses(collected: Collected, node: SourceNode, workload: Workload): void {
  const text = collected.expanded(node, (whole) => whole.slice(DOCKER.length));
  if (text !== undefined) collected.image(text, node.place, workload);
}

const EXPRESSION = /\$\{\{/;
/** A value of the matrix and nothing else. */
const OF_MATRIX = /\$\{\{\s*matrix\.([\w-]+(?:\.[\w-]+)*)\s*\}\}/g;

class JobReader {
  readonly #file: SourceText;
  readonly #collected: Collected;
  readonly #name: string;
  readonly #job: SourceNode;
  #others: ReadonlySet<string> | undefined;

  constructor(file: SourceText, collected: Collected, name: string, job: SourceNode) {
    this.#file = file;
    this.#collected = collected;
    this.#name = name;
    this.#job = job;
  }

  read(): void {
    this.#readImage(imageOf(this.#job.get("container")), "container");
    for (const { name, value } of this.#job.get("services")?.entries() ?? []) {
      this.#readImage(imageOf(value), name);
    }
    readSteps(this.#collected, this.#job.get("steps"), (step) => this.#workload(step));
  }

  #workload(container: string): Workload {
    return { kind: "job", name: this.#name, container };
  }

  /** An empty name is no container (GitHub Docs, "jobs.<job_id>.container"). */
  #readImage(node: SourceNode | undefined, container: string): void {
    if (node === undefined || node.text() === "") return;
    const text = this.#collected.expanded(node, (whole) => whole);
    if (text === undefined) return;
    const keys = new Set([...text.text.matchAll(OF_MATRIX)].map(([, key = ""]) => key));
    const [key] = keys;
    const isOther = EXPRESSION.test(text.text.replaceAll(OF_MATRIX, ""));
    if (key === undefined || isOther || keys.size > 1) {
      this.#collected.image(withoutScheme(text), node.place, this.#workload(container));
    } else this.#readMatrix(node, text, key, container);
  }

  #readMatrix(node: SourceNode, text: Composed, key: string, container: string): void {
    const values = matrixValues(this.#job, key);
    if (typeof values === "string") {
      this.#collected.problem(
        node.place,
        `it cannot be told which image is meant: ${values}`,
        text.text,
        "values that stand in the file",
      );
      return;
    }
    const isAlone = text.text.replace(OF_MATRIX, "") === "";
    const fixed = this.#whyFixed(key, isAlone);
    for (const value of values) {
      const literal = composedOf(value);
      if (literal === undefined || (isAlone && literal.text === "")) continue;
      const image = isAlone ? literal : Composed.foreign(text.text.replaceAll(OF_MATRIX, () => literal.text));
      this.#collected.image(withoutScheme(image), isAlone ? value.place : node.place, this.#workload(container), {
        fixed,
      });
    }
  }

  /** A value of the matrix can be pinned where it is an image and serves for nothing else. */
  #whyFixed(key: string, isAlone: boolean): string | undefined {
    if (!isAlone) return `a part of it comes from matrix.${key}, which is no image`;
    this.#others ??= this.#keysElsewhere();
    return this.#others.has(key) ? `matrix.${key} serves for something else as well` : undefined;
  }

  /** What the job uses of its matrix where it names no image. */
  #keysElsewhere(): ReadonlySet<string> {
    const services = (this.#job.get("services")?.entries() ?? []).map(({ value }) => value);
    const images = [this.#job.get("container"), ...services].map((node) => imageOf(node));
    const { start, end } = this.#job;
    const naming = new Uint8Array(this.#file.text.length);
    for (const image of images) if (image !== undefined) naming.fill(1, image.start, image.end);
    const used = [...this.#file.text.slice(start, end).matchAll(/matrix\.([\w-]+(?:\.[\w-]+)*)/g)];
    return new Set(used.filter(({ index }) => naming[start + index] === 0).map(([, key = ""]) => key));
  }
}

function imageOf(node: SourceNode | undefined): SourceNode | undefined {
  return node?.kind === "map" ? node.get("image") : node;
}

/** `container: docker://node:22` is read by the runner too. */
function withoutScheme(text: Composed): Composed {
  return text.text.startsWith(DOCKER) ? text.slice(DOCKER.length) : text;
}
