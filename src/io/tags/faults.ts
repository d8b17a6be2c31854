import type { FaultTable } from "../tuf/faults.ts";

/** What a registry serves has its own reasons, each of them a refusal: docs/signed-tags.md, "What a refusal means". */
export const SERVED_FAULTS: FaultTable = {
  codes: {
    malformed: "metadata-malformed",
    start: "signature-threshold",
    signatures: "signature-threshold",
    "root-chain": "root-chain-broken",
    "root-gap": "root-version-gap",
    expired: "frozen",
    "root-expired": "root-expired",
    older: "rollback",
    forked: "forked",
    "not-listed": "mix-and-match",
    vanished: "role-vanished",
    absent: "mix-and-match",
  },
};

/** Where nobody could be asked, what is kept may have expired: then nothing is known of what is current. */
export const KEPT_FAULTS: FaultTable = {
  codes: { ...SERVED_FAULTS.codes, expired: "trust-stale", "root-expired": "trust-stale", absent: "trust-stale" },
  next: (fault) =>
    fault === "expired" || fault === "root-expired" || fault === "absent"
      ? "ask the registry again while it can be reached; check this machine's clock"
      : undefined,
};
