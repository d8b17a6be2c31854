import type { Finding } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Window } from "../policy/document.ts";
import { describeAge, formatInstant, type Instant } from "../time.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { Requirement } from "./requirement.ts";
import { describeSignedBy, type SignedBy } from "./verdict.ts";

/**
 * When a signature has to have been made: by the earliest time that is proven for it. A later one can be had for any old
 * signature.
 */
export function checkTimes(
  signedBy: SignedBy,
  proof: SignatureProof | undefined,
  window: Window | undefined,
  requirement: Pick<Requirement, "maxAge" | "now">,
): Finding | undefined {
  const { maxAge, now } = requirement;
  const from = window?.from;
  // Not distrusted yet is trusted.
  const until = window?.until !== undefined && window.until <= now ? window.until : undefined;
  if (from === undefined && until === undefined && maxAge === undefined) return undefined;
  const signedAt = proof?.signedAt;
  const wanted = describeTimes({ from, until, maxAge, now });
  if (signedAt === undefined) return unproven(signedBy, wanted);
  const found = `${describeSignedBy(signedBy)}, ${formatInstant(signedAt)} (${describeAge(signedAt, now)})`;
  if ((from !== undefined && (signedAt < from || now < from)) || (until !== undefined && signedAt >= until)) {
    const message = "the signer was not trusted when this was signed";
    return { code: "signer-distrusted", message, found, wanted };
  }
  if (maxAge === undefined) return undefined;
  if (signedAt > now + LIMITS.clockSkewMs) {
    const message = "what was signed is of the future, and its age cannot be told: one of two clocks is wrong";
    return { code: "timestamp-invalid", message, found, wanted };
  }
  if (now - signedAt <= maxAge) return undefined;
  return { code: "evidence-old", message: "what was signed is too old", found, wanted };
}

function unproven(signedBy: SignedBy, wanted: string): Finding {
  return {
    code: "timestamp-missing",
    message: "nothing proves when the signature was made",
    found: `${describeSignedBy(signedBy)}, at no proven time`,
    wanted: `a proven time, ${wanted}`,
  };
}

interface Times {
  readonly from: Instant | undefined;
  readonly until: Instant | undefined;
  readonly maxAge: number | undefined;
  readonly now: Instant;
}

/** `from 2026-09-01T00:00:00Z on, at most 90 days ago`. */
function describeTimes({ from, until, maxAge, now }: Times): string {
  return [
    ...(from === undefined ? [] : [`from ${formatInstant(from)} on`]),
    ...(until === undefined ? [] : [`before ${formatInstant(until)}`]),
    ...(maxAge === undefined ? [] : [`at most ${describeSpan(maxAge, now)}`]),
  ].join(", ");
}

function describeSpan(maxAge: number, now: Instant): string {
  return maxAge < 1000 ? "a moment ago" : describeAge((now - maxAge) as Instant, now);
}
