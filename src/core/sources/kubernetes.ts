import type { JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type About, aOrAn, Collector, isNull } from "./collector.ts";
import { type CustomPath, type Found, valuesAt, WELL_KNOWN_PATHS } from "./custom-paths.ts";
import { nodeOfJson } from "./json-nodes.ts";
import { imageEntries } from "./kustomize-images.ts";
import type { Reading, SourceKind, SourceText, Workload } from "./mention.ts";
import { OWNER_LABELS, ownerOf } from "./owners.ts";
import type { SourceNode } from "./source-node.ts";
import { readYamlText } from "./yaml-text.ts";

export interface KubernetesOptions {
  /** Where custom resources name images, beside those that are well known. */
  readonly customPaths?: readonly CustomPath[] | undefined;
  /** Labels and annotations that say who answers for an object; `OWNER_LABELS` where none are given. */
  readonly ownerLabels?: readonly string[] | undefined;
}

/**
 * The images that the Kubernetes objects of a file name, YAML or JSON: those of containers of all three kinds and of image
 * volumes, in pods and in every template of one, be it in a Deployment or in a custom resource; and what the paths to images
 * in custom resources lead to. Data of ConfigMaps and Secrets is never looked into.
 */
export function readKubernetes(file: SourceText, options: KubernetesOptions = {}): Reading {
  const { documents, problems } = readYamlText(file);
  const walk = new Walk(new Collector("kubernetes", problems), options, file.text);
  for (const document of documents) walk.document(document);
  return walk.collector.reading();
}

/** The images that one object names which is in no file, in the same way. */
export function imagesOfObject(
  object: JsonObject,
  from: { readonly source: string; readonly kind?: SourceKind },
  options: KubernetesOptions = {},
): Reading {
  const walk = new Walk(new Collector(from.kind ?? "cluster"), options, "");
  walk.document(nodeOfJson(object, { source: from.source }));
  return walk.collector.reading();
}

/**
 * The images of an object, or of a part of one, in a file of another kind: a patch.
 *
 * @param kind What it is a part of, where it does not say that itself.
 */
export function objectImages(
  node: SourceNode,
  kind: string,
  to: { readonly collector: Collector; readonly text: string },
  options: KubernetesOptions,
): void {
  const walk = new Walk(to.collector, options, to.text);
  if (isObject(node)) walk.document(node);
  else walk.part(node, kind);
}

/** They carry other people's files and schemas, where images may be spoken of that nobody runs. */
const NOT_SEARCHED: ReadonlySet<string> = new Set(["ConfigMap", "Secret", "CustomResourceDefinition"]);
const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"];

/** An object while its images are looked for. */
interface Owner {
  readonly object: SourceNode;
  readonly kind: string;
}

class Walk {
  readonly collector: Collector;
  readonly #paths: readonly CustomPath[];
  readonly #ownPaths: ReadonlySet<CustomPath>;
  readonly #ownerLabels: readonly string[];
  readonly #text: string;

  constructor(collector: Collector, { customPaths = [], ownerLabels = OWNER_LABELS }: KubernetesOptions, text: string) {
    this.collector = collector;
    this.#paths = [...WELL_KNOWN_PATHS, ...customPaths];
    this.#ownPaths = new Set(customPaths);
    this.#ownerLabels = ownerLabels;
    this.#text = text;
  }

  document(node: SourceNode): void {
    if (isObject(node)) this.#object(node, 1);
    else this.#tellNoObject(node);
  }

  part(node: SourceNode, kind: string): void {
    const owner = { object: node, kind };
    if (isPodSpec(node)) this.#pod(node, owner);
    else this.#members(node, owner, 1);
  }

  #tellNoObject(node: SourceNode): void {
    const found = node.kind === "map" ? "a mapping without a kind" : aOrAn(node.kind);
    const wanted = "objects with a kind";
    this.collector.problem(node.place, "a document is no Kubernetes object", { found, wanted });
  }

  /** @param kind What items of a typed list are, which need not say it themselves. */
  #object(object: SourceNode, depth: number, kind = object.get("kind")?.text() ?? ""): void {
    if (depth > LIMITS.sourceDepth || NOT_SEARCHED.has(kind)) return;
    const items = object.get("items");
    if (kind.endsWith("List") && items?.kind === "list") {
      for (const item of items.items()) this.#item(item, depth, kind.slice(0, -"List".length));
      return;
    }
    const owner = { object, kind };
    if (kind === "Pod") this.#pod(object.get("spec"), owner);
    else this.#members(object, owner, depth);
    this.#images(owner);
    for (const path of this.#paths) if (fits(path, owner)) this.#path(path, owner);
  }

  #item(item: SourceNode, depth: number, listed: string): void {
    const own = item.get("kind")?.text();
    if (item.kind === "map" && (own !== undefined || listed !== "")) this.#object(item, depth + 1, own ?? listed);
    else this.#tellNoObject(item);
  }

  /** Templates of pods have a name that says so, wherever they stand: `template`, `workerTemplate`. Objects may hold others. */
  #members(node: SourceNode, owner: Owner, depth: number): void {
    if (depth > LIMITS.sourceDepth) return;
    for (const { name, value } of node.entries()) {
      const spec = /template$/i.test(name) ? value.get("spec") : undefined;
      if (spec !== undefined && isPodSpec(spec)) this.#pod(spec, owner, value);
      else this.#below(value, owner, depth + 1);
    }
  }

  #below(node: SourceNode, owner: Owner, depth: number): void {
    if (node.kind === "list") for (const item of node.items()) this.#below(item, owner, depth + 1);
    else if (isObject(node) && node.get("spec")?.kind === "map") this.#object(node, depth);
    else if (isObject(node) && NOT_SEARCHED.has(node.get("kind")?.text() ?? "")) return;
    else this.#members(node, owner, depth);
  }

  #pod(spec: SourceNode | undefined, owner: Owner, template?: SourceNode): void {
    if (spec === undefined || isNull(spec)) return;
    for (const list of CONTAINERS) {
      for (const container of spec.get(list)?.items() ?? []) {
        this.#reference(container.get("image"), owner, container.get("name")?.text(), template);
      }
    }
    for (const volume of spec.get("volumes")?.items() ?? []) {
      this.#reference(volume.get("image")?.get("reference"), owner, volume.get("name")?.text(), template);
    }
  }

  #reference(
    node: SourceNode | undefined,
    owner: Owner,
    container: string | undefined,
    template?: SourceNode | undefined,
  ): void {
    this.collector.reference(node, this.#about(owner, container, template));
  }

  #about({ object, kind }: Owner, container: string | undefined, template?: SourceNode): About {
    const metadata = object.get("metadata");
    const name = metadata?.get("name")?.text() ?? metadata?.get("generateName")?.text() ?? "";
    const workload: Workload = {
      kind,
      namespace: metadata?.get("namespace")?.text(),
      name,
      container,
      owner: ownerOf([object, template], this.#ownerLabels),
    };
    return { workload };
  }

  /** What Flux hands on to Kustomize (`spec.images` of its Kustomization), and a Kustomization itself. */
  #images(owner: Owner): void {
    if (owner.kind !== "Kustomization") return;
    const about = this.#about(owner, undefined);
    for (const list of [owner.object.get("images"), owner.object.get("spec")?.get("images")]) {
      if (list !== undefined) imageEntries(list, this.#text, this.collector, about);
    }
  }

  #path(path: CustomPath, owner: Owner): void {
    for (const found of valuesAt(owner.object, path.steps)) {
      const { node } = found;
      if (node.kind === "map" && (isPodSpec(node) || !this.#ownPaths.has(path))) this.#pod(node, owner);
      else this.#reference(node, owner, nameOf(found));
    }
  }
}

/** By its kind alone: one whose version was forgotten names images all the same. */
function isObject(node: SourceNode): boolean {
  return node.get("kind")?.text() !== undefined;
}

function isPodSpec(spec: SourceNode): boolean {
  return CONTAINERS.some((list) => spec.get(list)?.kind === "list");
}

function fits({ kind, group }: CustomPath, owner: Owner): boolean {
  if (kind !== owner.kind) return false;
  const [own, version] = owner.object.get("apiVersion")?.text()?.split("/") ?? [];
  return group === undefined || group === (version === undefined ? "" : own);
}

/** What the step or container is called whose image a path leads to: by the innermost name below the object's own members. */
function nameOf({ through }: Found): string | undefined {
  return through
    .slice(2)
    .toReversed()
    .map((node) => node.get("name")?.text())
    .find((name) => name !== undefined);
}
