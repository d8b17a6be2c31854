import { type About, aOrAn, type Collector, isNull } from "./collector.ts";
import { emptySlot, memberSlot } from "./member-slot.ts";
import type { Mention, PinSlot, SourcePlace } from "./mention.ts";
import { findingAbout, referenceSlot } from "./slot.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";

/** What a list of Kustomize's images says. */
export function imageEntries(list: SourceNode, text: string, collector: Collector, about: About): void {
  if (isNull(list)) return;
  if (list.kind !== "list") collector.problem(list.place, "not a list of images", { found: aOrAn(list.kind) });
  for (const item of list.items()) new Entry(item, text, collector, about).read();
}

class Entry {
  readonly #item: SourceNode;
  readonly #text: string;
  readonly #collector: Collector;
  readonly #about: About;

  constructor(item: SourceNode, text: string, collector: Collector, about: About) {
    this.#item = item;
    this.#text = text;
    this.#collector = collector;
    this.#about = about;
  }

  read(): void {
    const name = this.#textOf("newName") ?? this.#textOf("name");
    const tag = this.#textOf("newTag");
    const digest = this.#textOf("digest");
    if (name === undefined) this.#problem("an entry names no image", "a mapping with a name");
    else if (tag === undefined && digest === undefined) this.#withoutVersion(name);
    else this.#withVersion(name, tag, digest);
  }

  #withVersion(name: string, tag: string | undefined, digest: string | undefined): void {
    const image = `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
    const place = this.#place();
    const finding = findingAbout(image);
    if (finding !== undefined) this.#collector.finding(place, finding);
    else this.#collector.mention({ image, place, ...orFixed(this.#slot(tag, digest)), ...this.#about });
  }

  /** The new name may have a tag of its own: Kustomize joins what it is given. */
  #withoutVersion(name: string): void {
    const newName = this.#item.get("newName");
    const isWhole = /@|:[^/]*$/.test(newName?.text() ?? "");
    if (isWhole) this.#collector.reference(newName, this.#about);
    else if (this.#textOf("tagSuffix") !== undefined) {
      this.#problem(`nobody knows the tag of ${name} here: it is another one with a suffix`, "the whole tag: newTag");
    }
  }

  #problem(message: string, wanted: string): void {
    this.#collector.problem(this.#item.place, message, {
      wanted,
      next: "write it out, or name what kustomize build prints",
    });
  }

  /** Where its version stands, else its name. */
  #place(): SourcePlace {
    const entry = this.#entry("digest") ?? this.#entry("newTag");
    return entry === undefined ? this.#item.place : this.#item.placeOf(entry.value.start);
  }

  /**
   * The digest gets a member of its own beside the tag: of both, Kustomize makes `name:tag@digest` since 4.5.3, and
   * `name@digest` before (its pull request 4406). What a digest behind the tag in `newTag` makes is no name to the earlier
   * ones that the images of an overlay would find again.
   */
  #slot(tag: string | undefined, digest: string | undefined): PinSlot | undefined {
    const own = this.#item.entries().find(({ name }) => name === "digest");
    const newTag = this.#entry("newTag");
    if (digest !== undefined) return own && referenceSlot(`@${digest}`, behindAt(own.value));
    if (newTag === undefined || tag === undefined) return undefined;
    if (tag.includes("@")) return referenceSlot(tag, (from, to) => newTag.value.span(from, to));
    return own === undefined ? memberSlot(this.#text, this.#item, newTag, "digest") : emptySlot(this.#text, own);
  }

  #entry(name: string): SourceEntry | undefined {
    return this.#textOf(name) === undefined ? undefined : this.#item.entries().find((entry) => entry.name === name);
  }

  /** Empty is as good as absent, to Kustomize too. */
  #textOf(name: string): string | undefined {
    return this.#item.get(name)?.text() || undefined;
  }
}

function orFixed(slot: PinSlot | undefined): Pick<Mention, "slot" | "fixed"> {
  return slot === undefined ? { fixed: "the version does not stand in the file as it is read" } : { slot };
}

/** For a digest without the `@` that it has in a reference. */
function behindAt(value: SourceNode) {
  return (from: number, to: number) => value.span(from - 1, to - 1);
}
