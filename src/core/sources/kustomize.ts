import { type About, aOrAn, Collector } from "./collector.ts";
import { valuesImages } from "./helm-values.ts";
import { type KubernetesOptions, objectImages } from "./kubernetes.ts";
import { imageEntries } from "./kustomize-images.ts";
import type { Reading, SourceText } from "./mention.ts";
import { readNestedYaml } from "./nested-yaml.ts";
import type { SourceNode } from "./source-node.ts";
import { readYamlText, type YamlText } from "./yaml-text.ts";

/**
 * The images that a Kustomization or a Component names: those that `images:` puts in the place of others, by `name`,
 * `newName`, `newTag` and `digest`; those of patches that are written in it; and those of values for Helm charts. An entry
 * that changes the name alone says no version: the tag or digest stays that of the resource, which is a mention of its own,
 * and is pinned there.
 */
export function readKustomization(file: SourceText, options: KubernetesOptions = {}): Reading {
  const { documents, problems } = readYamlText(file);
  const collector = new Collector("kustomize", problems);
  for (const document of documents) new Kustomization(document, file, collector, options).read();
  return collector.reading();
}

class Kustomization {
  readonly #node: SourceNode;
  readonly #file: SourceText;
  readonly #collector: Collector;
  readonly #options: KubernetesOptions;
  /** An alias may repeat a patch any number of times. */
  readonly #nested = new Map<SourceNode, YamlText>();

  constructor(node: SourceNode, file: SourceText, collector: Collector, options: KubernetesOptions) {
    this.#node = node;
    this.#file = file;
    this.#collector = collector;
    this.#options = options;
  }

  read(): void {
    const node = this.#node;
    if (node.kind !== "map") {
      this.#collector.problem(node.place, "a document is no Kustomization", { found: aOrAn(node.kind) });
      return;
    }
    const images = node.get("images");
    if (images !== undefined) imageEntries(images, this.#file.text, this.#collector, this.#about());
    for (const patch of [...items(node, "patches"), ...items(node, "patchesJson6902")]) {
      this.#patch(patch.get("patch"), patch.get("target"));
    }
    for (const patch of items(node, "patchesStrategicMerge"))
      this.#patch(isInline(patch) ? patch : undefined, undefined);
    for (const chart of items(node, "helmCharts")) {
      const values = chart.get("valuesInline");
      if (values !== undefined) valuesImages(values, this.#file.text, this.#collector);
    }
  }

  #about(target?: SourceNode): About {
    const kind = target?.get("kind")?.text() ?? this.#node.get("kind")?.text() ?? "Kustomization";
    const name = target === undefined ? this.#node.get("metadata")?.get("name")?.text() : target.get("name")?.text();
    return { workload: { kind, namespace: target?.get("namespace")?.text(), name: name ?? this.#file.label } };
  }

  /** Of both kinds: a part of an object, or a list of what is done to one (RFC 6902). */
  #patch(text: SourceNode | undefined, target: SourceNode | undefined): void {
    for (const document of text === undefined ? [] : this.#documentsIn(text)) {
      if (document.kind !== "list") this.#object(document, target);
      for (const operation of document.items()) this.#operation(operation, target);
    }
  }

  #object(node: SourceNode, target: SourceNode | undefined): void {
    const to = { collector: this.#collector, text: this.#file.text };
    objectImages(node, target?.get("kind")?.text() ?? "patch", to, this.#options);
  }

  #documentsIn(text: SourceNode): readonly SourceNode[] {
    const known = this.#nested.get(text);
    if (known !== undefined) return known.documents;
    const read = readNestedYaml(text);
    this.#nested.set(text, read);
    for (const { place, finding } of read.problems) this.#collector.finding(place, finding);
    return read.documents;
  }

  #operation(operation: SourceNode, target: SourceNode | undefined): void {
    const about = this.#about(target);
    const path = operation.get("path")?.text() ?? "";
    const value = operation.get("value");
    if (/\/image(?:\/reference)?$/.test(path)) this.#collector.reference(value, about);
    else if (/containers\/[^/]+$/i.test(path)) this.#container(value, about);
    else if (/containers$/i.test(path)) for (const container of value?.items() ?? []) this.#container(container, about);
    else if (value?.kind === "map") this.#object(value, target);
  }

  #container(container: SourceNode | undefined, { workload }: About): void {
    const name = container?.get("name")?.text();
    this.#collector.reference(container?.get("image"), { workload: workload && { ...workload, container: name } });
  }
}

function items(node: SourceNode, name: string): readonly SourceNode[] {
  return node.get(name)?.items() ?? [];
}

/** Of the patches that are texts, those of several lines are patches; the others name a file. */
function isInline(patch: SourceNode): boolean {
  return patch.text()?.includes("\n") === true;
}
