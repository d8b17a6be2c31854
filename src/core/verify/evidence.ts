import type { Finding } from "../errors.ts";
import type { UntrustedCandidate } from "../formats/envelope.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { SignedTag } from "../tags/signed-tag.ts";

export type { UntrustedCandidate } from "../formats/envelope.ts";

/** What is to be judged. */
export interface Subject {
  /** As it is printed: `registry/repository:tag@digest`. */
  readonly name: string;
  /** `registry/repository`; undefined for layouts and archives that nobody gave a name. */
  readonly repository: string | undefined;
  readonly descriptor: Descriptor;
  /** Of an index: what it lists and what would be run with it. Of what an index lists: the index. */
  readonly alsoRuns?: readonly Digest[] | undefined;
  readonly signedTag?: FoundTag | undefined;
}

/**
 * What was found out of the reference that an image was reached by: what its publisher signed, proven; or that no root says whom
 * to believe; or that it is by digest, of which none is wanted. Absent where nobody looked.
 */
export type FoundTag = SignedTag | "unpinned" | "exempt";

/** Everything gathered about one subject. Evidence only adds: more of it never turns an acceptance into a refusal. */
export interface Evidence {
  readonly subject: Subject;
  readonly candidates: readonly UntrustedCandidate[];
  /** What could not be read, and why: not looked at (so "unsigned" cannot be said), or not the bytes its digest names. */
  readonly obstacles: readonly Finding[];
}
