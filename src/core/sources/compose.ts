import { LIMITS } from "../limits.ts";
import { readDockerfileText } from "./dockerfile.ts";
import type { Reading, SourceText } from "./mention.ts";
import { placesIn } from "./places.ts";
import { interpolate } from "./variables.ts";
import { Collected } from "./yaml-images.ts";
import { readYamlText, type SourceNode } from "./yaml-text.ts";

/**
 * The images of a Compose file (Compose Specification; a Swarm stack is one too): of services, of volumes that are images,
 * and what services are built from where that stands in the file. Variables have their defaults. What `include` and `extends`
 * name are files of their own: they are read where they are named, so that each image is told of at its place.
 */
export function readCompose(file: SourceText): Reading {
  const { documents, problems } = readYamlText(file);
  const collected = new Collected("compose", problems);
  const inline = new InlineDockerfiles(file, collected);
  for (const document of documents) {
    for (const { name, value } of document.get("services")?.entries() ?? []) {
      readService(collected, inline, name, value);
    }
  }
  return collected.reading;
}

const BUILT =
  "the service is built under this name as well, and what is built cannot be named by a digest beforehand; with" +
  " pull_policy: build it is not pulled";

function readService(collected: Collected, inline: InlineDockerfiles, name: string, service: SourceNode): void {
  const image = present(service.get("image"));
  const build = present(service.get("build"));
  if (image !== undefined && isPulled(service, build)) {
    const text = collected.expanded(image, interpolate);
    const platform = plainText(service.get("platform"));
    const fixed = build && BUILT;
    if (text !== undefined) collected.image(text, image.place, { kind: "service", name }, { platform, fixed });
  }
  for (const volume of service.get("volumes")?.items() ?? []) readVolume(collected, name, volume);
  for (const context of build === undefined ? [] : contextsOf(build)) readContext(collected, name, context);
  const dockerfile = build?.get("dockerfile_inline");
  if (dockerfile !== undefined) inline.read(name, dockerfile);
}

/** `!reset` takes away what another file says. */
function present(node: SourceNode | undefined): SourceNode | undefined {
  return node?.tag === "!reset" ? undefined : node;
}

/**
 * An image that is built as well is pulled first, unless the policy says otherwise (Compose Specification, "Using build and
 * image"), and Swarm only pulls: whoever can push the name decides what runs.
 */
function isPulled(service: SourceNode, build: SourceNode | undefined): boolean {
  const policy = service.get("pull_policy")?.text();
  return build === undefined || (policy !== "build" && policy !== "never");
}

function readVolume(collected: Collected, name: string, volume: SourceNode): void {
  const source = volume.get("source");
  if (volume.get("type")?.text() !== "image" || source === undefined) return;
  const image = collected.expanded(source, interpolate);
  if (image !== undefined) collected.image(image, source.place, { kind: "service", name, container: "volume" });
}

/** The Dockerfiles of services; an anchor can make one text those of thousands. */
class InlineDockerfiles {
  readonly #file: SourceText;
  readonly #collected: Collected;
  #left: number = LIMITS.inlineCharacters;

  constructor(file: SourceText, collected: Collected) {
    this.#file = file;
    this.#collected = collected;
  }

  read(service: string, node: SourceNode): void {
    const length = node.text()?.length ?? 0;
    if (length > this.#left) {
      const wanted = `at most ${LIMITS.inlineCharacters} characters in all services, or files of their own`;
      this.#collected.problem(
        node.place,
        "Dockerfiles in the file are too long to read",
        `${length} more characters`,
        wanted,
      );
      return;
    }
    this.#left -= length;
    const source = this.#collected.expanded(node, interpolate);
    if (source === undefined) return;
    const workloadOf = (_stage: string, step: string) => ({ kind: "service", name: service, container: step });
    this.#collected.add(readDockerfileText(source, placesIn(this.#file), workloadOf));
  }
}

/** The values of `additional_contexts`, which is a mapping or a list of `name=value`. */
function contextsOf(build: SourceNode): readonly SourceNode[] {
  const contexts = build.get("additional_contexts");
  return [...(contexts?.items() ?? []), ...(contexts?.entries() ?? []).map(({ value }) => value)];
}

const IMAGE_CONTEXT = /^(?:[^=:]*=)?docker-image:\/\//;

function readContext(collected: Collected, name: string, node: SourceNode): void {
  const text = collected.expanded(node, interpolate);
  const [scheme] = IMAGE_CONTEXT.exec(text?.text ?? "") ?? [];
  if (text === undefined || scheme === undefined) return;
  const workload = { kind: "service", name, container: "build context" };
  collected.image(text.slice(scheme.length), node.place, workload);
}

/** What is said without variables. */
function plainText(node: SourceNode | undefined): string | undefined {
  const text = node?.text();
  return text?.includes("$") === true ? undefined : text;
}
