import type { Digest } from "../oci/digest.ts";
import { DCT_RELEASES, type DctDelegated, type DctRepository } from "./verify.ts";

/** A tag as Docker's own pull understood it. */
export interface DctReleased {
  readonly tag: string;
  readonly digest: Digest;
  readonly length: number;
  /** Where it was looked up: `targets/releases` before `targets`. */
  readonly role: string;
  /** Signers whose own role says the same; none: the holder of the repository's key alone. */
  readonly signers: readonly string[];
}

/**
 * The tags that Docker pulls, in the order of their names: `targets/releases`, then `targets` (docker/cli, trust.go, before
 * its checks were taken out). What a signer's role alone says was never released.
 */
export function releasedTags(repository: DctRepository): readonly DctReleased[] {
  const found = new Map<string, DctReleased>();
  const signers = repository.delegations.filter(({ name }) => name !== DCT_RELEASES);
  for (const { name, targets } of sourcesOf(repository)) {
    for (const [tag, target] of targets) {
      if (found.has(tag)) continue;
      const also = signers.filter((signer) => isAllowed(signer, tag) && saysSame(signer, tag, target.digest));
      found.set(tag, { tag, ...target, role: name, signers: also.map(signerName).sort() });
    }
  }
  return [...found.values()].sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

type Source = {
  readonly name: string;
  readonly targets: ReadonlyMap<string, Omit<DctReleased, "tag" | "role" | "signers">>;
};

function sourcesOf({ delegations, targets }: DctRepository): readonly Source[] {
  const releases = delegations.find(({ name }) => name === DCT_RELEASES);
  const allowed = [...(releases?.file?.body.targets ?? [])].filter(([tag]) => releases && isAllowed(releases, tag));
  return [
    { name: DCT_RELEASES, targets: new Map(allowed) },
    { name: "targets", targets: targets.body.targets },
  ];
}

/** Paths of a role are beginnings, not patterns. */
function isAllowed({ paths }: DctDelegated, tag: string): boolean {
  return paths.some((path) => tag.startsWith(path));
}

function saysSame({ file }: DctDelegated, tag: string, digest: Digest): boolean {
  return file?.body.targets.get(tag)?.digest === digest;
}

/** `alice` of `targets/alice`. */
export function signerName({ name }: Pick<DctDelegated, "name">): string {
  return name.slice("targets/".length);
}
