import type { PeerName } from "./peer.ts";
import type { StoredSignature } from "./stored.ts";

/** `depends`: on what is not stored. `unknown`: not all could be looked at. */
export type PredictedVerdict = "accepts" | "refuses" | "depends" | "unknown";

export interface Prediction {
  readonly peer: PeerName;
  readonly title: string;
  readonly versions: string;
  readonly asked: string;
  readonly verdict: PredictedVerdict;
  readonly because: string;
  /** Those that it finds, of the manifest that it judges first. */
  readonly sees: readonly StoredSignature[];
  /** What it has to be told or to trust, whatever is stored. */
  readonly needs: readonly string[];
  /** What to do so that it accepts; empty where it does. */
  readonly add: readonly string[];
}
