import { CountersignError } from "../errors.ts";
import { binPrefix, isBin } from "./bins.ts";
import type { TargetsRole } from "./metadata.ts";

/**
 * Whether a role delegates where it may: signers to nobody but bins of their own, and bins to nobody, since two of them could claim
 * one name otherwise. Of a bin whose role was read, `bits` says how many bins that has: stages are not signed as a whole, and bins
 * of another number put among the role's would hide what it binds.
 *
 * @throws CountersignError `metadata-malformed`.
 */
export function checkPlace(name: string, { bins, delegations, binBits }: TargetsRole, bits?: number): void {
  const isNested = name !== "targets" && delegations.length > 0;
  const isOwn = bins === undefined || (bins.prefix === binPrefix(name) && !isBin(name));
  if (isNested || !isOwn) {
    throw new CountersignError("metadata-malformed", `${name} delegates to what is not its own`, {
      found: isNested ? (delegations[0]?.name ?? "") : bins?.prefix,
      wanted: isBin(name) ? "nothing" : binPrefix(name),
    });
  }
  if (bits === undefined || binBits === bits) return;
  throw new CountersignError("metadata-malformed", `${name} is a bin of another number of bins`, {
    found: binBits === undefined ? "no number" : `one of ${2 ** binBits}`,
    wanted: `one of ${2 ** bits}`,
  });
}
