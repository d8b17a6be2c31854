import type { ReasonCode } from "../../core/reasons.ts";

/** What can be wrong with metadata that a repository serves: the attacks of TUF 1.0.34, 1.5.2, and what is merely broken. */
export type Fault =
  /** Not metadata, or to be read in two ways. */
  | "malformed"
  /** The root that everything starts from is not signed as it asks. */
  | "start"
  | "signatures"
  /** A new root lacks signatures of the root before it, or its own. */
  | "root-chain"
  /** A new root is not the next one. */
  | "root-gap"
  | "expired"
  | "root-expired"
  /** Older than what was seen before. */
  | "older"
  /** Another content than was seen before, under the same version. */
  | "forked"
  /** Not the file, or not the version, that is listed one level up. */
  | "not-listed"
  /** A file that was listed before is no longer. */
  | "vanished"
  /** Listed, and not there. */
  | "absent";

/** How a user of repositories calls these. */
export interface FaultTable {
  readonly codes: Readonly<Record<Fault, ReasonCode>>;
  /** What to do about it, where that is not what the code says already. */
  readonly next?: ((fault: Fault, name: string) => string | undefined) | undefined;
}

/** Trust roots: whatever is wrong with a repository, what came of it before counts as long as it is valid. */
export const TRUST_ROOT_FAULTS: FaultTable = {
  codes: {
    malformed: "trust-rejected",
    start: "trust-invalid",
    signatures: "trust-rejected",
    "root-chain": "trust-rejected",
    "root-gap": "trust-rejected",
    expired: "trust-stale",
    "root-expired": "trust-stale",
    older: "trust-rejected",
    forked: "trust-rejected",
    "not-listed": "trust-rejected",
    vanished: "trust-rejected",
    absent: "not-found",
  },
  next: (fault, name) => {
    if (fault === "absent") return "check the address of the trust repository";
    if (fault !== "expired" && fault !== "root-expired") return undefined;
    return `check this machine's clock; if it is right, whoever runs ${name} has to publish anew`;
  },
};
