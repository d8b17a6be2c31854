import { CountersignError } from "../errors.ts";
import { binPrefix, isBin } from "./bins.ts";
import type { TargetsRole } from "./metadata.ts";

/**
 * Signers delegate to nobody but bins of their own, and bins to nobody: two of them could not claim one name otherwise.
 *
 * @throws CountersignError `metadata-malformed`.
 */
export function checkPlace(name: string, { bins, delegations }: TargetsRole): void {
  const isNested = name !== "targets" && delegations.length > 0;
  const wanted = isBin(name) ? "nothing" : binPrefix(name);
  const found = isNested ? (delegations[0]?.name ?? "") : bins?.prefix;
  if (!isNested && (bins === undefined || (bins.prefix === wanted && !isBin(name)))) return;
  throw new CountersignError("metadata-malformed", `${name} delegates to what is not its own`, { found, wanted });
}
