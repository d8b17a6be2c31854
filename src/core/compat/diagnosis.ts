import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { SignedTag } from "../tags/signed-tag.ts";
import type { Prediction } from "./prediction.ts";
import type { StoredEvidence } from "./stored.ts";

/** What lies beside an image and what others will make of it. */
export interface Diagnosis {
  readonly image: string;
  /** `location[:tag]@digest` */
  readonly name: string;
  readonly digest: Digest;
  /** What it was reached by, where a root of the repository is pinned. The others go by the registry's own tag. */
  readonly signedTag?: SignedTag | undefined;
  readonly stored: StoredEvidence;
  readonly predictions: readonly Prediction[];
  /** What could not be looked at. */
  readonly obstacles: readonly Finding[];
  /** What is stored as a signature and is none. */
  readonly broken: readonly Finding[];
}
