import { CountersignError } from "../../src/core/errors.ts";
import type { Binding } from "../../src/core/tags/binding.ts";
import type { SignedTag, SignedTags, TagAnswer, TagQuestion } from "../../src/core/tags/signed-tag.ts";
import { instant } from "../../src/core/time.ts";
import type { TagJudging } from "../../src/ops/judging.ts";
import { digest } from "./verdicts.ts";

export const PINNED_ROOT = digest("e");

/** What the metadata of a repository would say, were it read: for doors, which are told and do not read it themselves. */
export class FakeTags implements SignedTags {
  readonly asked: TagQuestion[] = [];
  /** Repositories with a pinned root, and what is bound in each, by tag and by digest. */
  readonly pinned = new Map<string, Map<string, SignedTag>>();
  misbehaviour: (() => void) | undefined;

  async resolve(question: TagQuestion): Promise<TagAnswer> {
    this.asked.push(question);
    this.misbehaviour?.();
    const { store, tag, digest: wanted, demand } = question;
    const bound = this.pinned.get(store.repository ?? "");
    const isLeftOut = tag === undefined && demand.digestPulls === "any";
    if (bound === undefined && demand.required) throw new CountersignError("no-pin", "no root is pinned");
    if (bound === undefined || isLeftOut) return { signedTag: undefined, requires: [] };
    const signedTag = bound.get(tag ?? wanted ?? "");
    if (signedTag === undefined) return unlisted(question);
    if (wanted !== undefined && signedTag.binding.digest !== wanted) {
      throw new CountersignError("binding-mismatch", "the tag is signed for another digest");
    }
    return { signedTag, requires: signedTag.binding.requires };
  }

  async isPinned(repository: string): Promise<boolean> {
    return this.pinned.has(repository);
  }

  bind(repository: string, binding: Pick<Binding, "tag" | "digest" | "length"> & Partial<Binding>): SignedTag {
    const bound = this.pinned.get(repository) ?? new Map<string, SignedTag>();
    this.pinned.set(repository, bound);
    const signedTag = signedTagOf({ gun: repository, binding: bindingOf(binding) });
    bound.set(binding.tag ?? binding.digest, signedTag);
    return signedTag;
  }

  /** The root is pinned, and nothing is bound. */
  pin(repository: string): void {
    this.pinned.set(repository, new Map());
  }

  /** As a door is given it. */
  judging(more: Partial<TagJudging> = {}): TagJudging {
    return { signedTags: this, isRequired: false, signedBy: noIdentities, ...more };
  }
}

function unlisted({ tag, demand }: TagQuestion): TagAnswer {
  if (tag === undefined && demand.digestPulls === "signed") return { signedTag: undefined, requires: [] };
  throw new CountersignError(tag === undefined ? "digest-unlisted" : "tag-unlisted", "no publisher binds it");
}

async function noIdentities(): Promise<never> {
  throw new Error("no binding asks for signatures here");
}

export function bindingOf(binding: Pick<Binding, "digest"> & Partial<Binding>): Binding {
  return {
    tag: "1.0",
    length: 1,
    mediaType: undefined,
    signedAt: instant(Date.UTC(2025, 11, 30)),
    requires: [],
    ...binding,
  };
}

export function signedTagOf(more: Partial<SignedTag> & { readonly binding: Binding }): SignedTag {
  return {
    gun: "registry.example/app",
    role: "targets",
    keyIds: ["a".repeat(64)],
    pin: { mode: "pinned", root: PINNED_ROOT, rootVersion: 1 },
    versions: { root: 1, timestamp: 3, snapshot: 2 },
    freshUntil: instant(Date.UTC(2026, 0, 8)),
    ...more,
  };
}
