import { CountersignError, type Finding } from "../errors.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { WithdrawnList } from "../policy/document.ts";
import { parseWithdrawn, requireNamed, requireRecent, withdrawnFindings } from "../policy/withdrawn.ts";
import { examineBlob } from "./blob.ts";
import type { Requirement } from "./requirement.ts";

/** A list of withdrawn digests as it was found: nothing of it is believed yet. */
export interface UntrustedWithdrawn {
  /** As it is printed. */
  readonly label: string;
  readonly bytes: Uint8Array;
  /** The Sigstore bundles that come with it: any of them. */
  readonly bundles: readonly Uint8Array[];
}

/**
 * Requires that somebody of these has signed exactly these bytes.
 *
 * @throws CountersignError `policy-untrusted`.
 */
export function requireSigned({ label, bytes, bundles }: UntrustedWithdrawn, signers: Requirement): void {
  const blob = { name: label, digest: digestOf(bytes), content: { kind: "bytes", bytes } } as const;
  const reports = bundles.map((bundle) => examineBlob(bundle, blob, signers));
  if (reports.some(({ accepted }) => accepted)) return;
  const [finding] = reports.flatMap((report) => report.finding ?? []);
  throw new CountersignError("policy-untrusted", `the list of withdrawn digests ${label} is not signed by who has to`, {
    found: finding === undefined ? "no signature" : `${finding.message}: ${finding.found ?? "nothing else"}`,
    wanted: finding?.wanted,
    next: "get the list and its bundle again from whoever keeps it",
  });
}

/**
 * What a list takes back, once somebody whom the policy names has signed exactly these bytes, and lately enough. They are
 * read after that.
 *
 * @throws CountersignError `policy-untrusted`, `policy-invalid`, `trust-stale`: an image cannot be told from one that was
 * taken back then.
 */
export function proveWithdrawn(
  found: UntrustedWithdrawn,
  { name, maxAge }: Pick<WithdrawnList, "name" | "maxAge">,
  signers: Requirement,
): ReadonlyMap<Digest, Finding> {
  requireSigned(found, signers);
  const { bytes, label } = found;
  const list = parseWithdrawn(bytes, label);
  requireNamed(list, { label, name });
  requireRecent(list, { label, maxAge }, signers.now);
  return withdrawnFindings(list);
}
