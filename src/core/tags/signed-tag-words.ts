import type { Finding } from "../errors.ts";
import { describeAge, type Instant } from "../time.ts";
import type { SignedTag } from "./signed-tag.ts";

/** Enough of a root's digest to compare by; the whole of it is in the JSON. */
const ROOT_SHOWN = "sha256:".length + 12;

/** `bound by targets, root sha256:1f2e3d4c5b6a… pinned`; of a digest alone `released by …`. */
export function describeSignedTag(signedTag: SignedTag): string {
  const { binding, role } = signedTag;
  return `${binding.tag === undefined ? "released" : "bound"} by ${role}, ${describeRoot(signedTag)}`;
}

/** `root sha256:1f2e3d4c5b6a… pinned`. */
export function describeRoot({ pin }: Pick<SignedTag, "pin">): string {
  return `root ${pin.root.slice(0, ROOT_SHOWN)}… ${PINNED[pin.mode]}`;
}

const PINNED: Readonly<Record<SignedTag["pin"]["mode"], string>> = {
  pinned: "pinned",
  tofu: "trusted on first use",
  dct: "vouched for by a Docker Content Trust root",
};

/**
 * Whether an image was reached by a binding that is recent enough; undefined where it was. What says no time is too old. Without
 * a pin nobody knows whether there is one: that is no refusal.
 */
export function checkBinding(
  signedTag: SignedTag | "unpinned" | "exempt" | undefined,
  maxAge: number | undefined,
  now: Instant,
): Finding | undefined {
  if (signedTag === "exempt") return undefined;
  if (signedTag === undefined || signedTag === "unpinned") return unknownRoot(signedTag === undefined);
  if (maxAge === undefined) return undefined;
  const { signedAt } = signedTag.binding;
  if (signedAt !== undefined && now - signedAt <= maxAge) return undefined;
  return {
    code: "binding-old",
    message: "the publisher has not confirmed the tag for too long",
    found: signedAt === undefined ? "a binding without a time" : `bound ${describeAge(signedAt, now)}`,
    wanted: `bound at most ${describeAge((now - maxAge) as Instant, now)}`,
  };
}

function unknownRoot(isNameless: boolean): Finding {
  return {
    code: "no-pin",
    message: isNameless ? "the image was not reached by a signed tag" : "no root of this repository is pinned",
    found: isNameless ? "a place where none was looked for" : "no pin",
    wanted: "a signed tag of a pinned root",
  };
}

/** Where the registry's own tag names something else than the signed one: worth a look, and no more than that. */
export function divergenceOf({ binding, registryDigest }: SignedTag): Finding | undefined {
  if (registryDigest === undefined || registryDigest === binding.digest) return undefined;
  return {
    code: "tag-moved",
    message: "the registry's tag names another digest than the signed one, which counts",
    found: registryDigest,
    wanted: binding.digest,
    next: "ask the publisher which of the two is meant; until it is signed, the registry's is not used",
  };
}

/** What an acceptance by a signed tag has to say beside. */
export function tagWarnings(signedTag: SignedTag): readonly Finding[] {
  const { unheard } = signedTag;
  const divergence = divergenceOf(signedTag);
  return [...(unheard === undefined ? [] : [unheard]), ...(divergence === undefined ? [] : [divergence])];
}
