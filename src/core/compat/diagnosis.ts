import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Prediction } from "./prediction.ts";
import type { StoredEvidence } from "./stored.ts";

/** What lies beside an image and what others will make of it. */
export interface Diagnosis {
  readonly image: string;
  /** `location[:tag]@digest` */
  readonly name: string;
  readonly digest: Digest;
  readonly stored: StoredEvidence;
  readonly predictions: readonly Prediction[];
  /** What could not be looked at. */
  readonly obstacles: readonly Finding[];
  /** What is stored as a signature and is none. */
  readonly broken: readonly Finding[];
}
