import { Collector, isNull } from "./collector.ts";
import { imageIn, isImageName, type ValuesImage } from "./helm-image.ts";
import type { Reading, SourcePlace, SourceText, Workload } from "./mention.ts";
import { findingAbout } from "./slot.ts";
import type { SourceNode } from "./source-node.ts";
import { readYamlText } from "./yaml-text.ts";

/**
 * The images that values of a Helm chart name, by the conventions that charts keep: a mapping of `repository`, `tag` and
 * perhaps `registry` and `digest`; `image: name` beside `tag` or `imageTag`; a whole reference in `image`, `sidecarImage`, in
 * containers that are handed on as they are, and below `images`. What only the chart knows, as the version where no tag is
 * given, is a problem: the rendered chart says it.
 */
export function readHelmValues(file: SourceText): Reading {
  const { documents, problems } = readYamlText(file);
  const collector = new Collector("helm-values", problems);
  for (const document of documents) valuesImages(document, file.text, collector);
  return collector.reading();
}

/** The same of values that stand in a file of another kind. */
export function valuesImages(values: SourceNode, text: string, collector: Collector): void {
  new Values(values, text, collector).read();
}

/** Where a value stands: the names that lead to it. */
interface Spot {
  readonly path: string;
  /** The last of the names that is no place in a list. */
  readonly name: string;
  readonly isBelowImages: boolean;
  /** In a container that a chart hands on to Kubernetes as it is. */
  readonly isInContainer: boolean;
}

class Values {
  readonly #root: SourceNode;
  readonly #text: string;
  readonly #collector: Collector;

  constructor(root: SourceNode, text: string, collector: Collector) {
    this.#root = root;
    this.#text = text;
    this.#collector = collector;
  }

  read(): void {
    this.#visit(this.#root, { path: "", name: "", isBelowImages: false, isInContainer: false });
  }

  #visit(node: SourceNode, spot: Spot): void {
    if (node.kind === "scalar") this.#scalar(node, spot);
    for (const [index, item] of node.items().entries()) {
      const isInContainer = /containers$/i.test(spot.name);
      this.#visit(item, { ...spot, path: `${spot.path}[${index}]`, isInContainer });
    }
    const image = imageIn(node, spot.name, this.#root, this.#text);
    if (image !== undefined) this.#composed(image, spot.path);
    for (const { name, value } of node.entries()) {
      if (image?.members.includes(name) === true) continue;
      const path = spot.path === "" ? name : `${spot.path}.${name}`;
      this.#visit(value, { ...spot, path, name, isBelowImages: spot.isBelowImages || name === "images" });
    }
  }

  #scalar(node: SourceNode, spot: Spot): void {
    const text = node.text() ?? "";
    if (isNull(node) || text === "") return;
    const about = { workload: workloadOf(spot.path) };
    const isImage = spot.name === "image";
    if (isImage && (spot.isInContainer || hasVersion(text) || findingAbout(text) !== undefined)) {
      this.#collector.reference(node, about);
    } else if (isImage) this.#withoutVersion(node.place, text);
    else if ((isImageName(spot.name) || spot.isBelowImages) && hasVersion(text) && findingAbout(text) === undefined) {
      this.#collector.reference(node, about);
    }
  }

  #composed({ name, image, place, pin }: ValuesImage, path: string): void {
    const finding = findingAbout(image ?? name);
    if (finding !== undefined) this.#collector.finding(place, finding);
    else if (image === undefined) this.#withoutVersion(place, name);
    else this.#collector.mention({ image, place, ...pin, workload: workloadOf(path) });
  }

  #withoutVersion(place: SourcePlace, name: string): void {
    this.#collector.problem(place, "only the chart knows which image this is", {
      found: `${name} without all that makes up a reference`,
      wanted: "a repository with a tag or a digest",
      next: "say it here, or render the chart and name what comes out: helm template … | countersign audit -",
    });
  }
}

function workloadOf(path: string): Workload {
  return { kind: "values", name: path };
}

/** A tag or a digest behind the last slash. */
function hasVersion(text: string): boolean {
  return /[:@][^/]+$/.test(text);
}
