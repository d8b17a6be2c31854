import { signerMember } from "../core/audit/facts.ts";
import { formatReference } from "../core/oci/reference.ts";
import type { PinState } from "../core/pins/choose.ts";
import type { SettledPin } from "../core/pins/locking.ts";
import type { Pinnable } from "../core/pins/pinnable.ts";
import { formatInstant, instant } from "../core/time.ts";
import { problemMember } from "./audit/json.ts";
import { findingMember, formatDocument } from "./json.ts";
import type { CheckReport, PinReport } from "./pin.ts";

/** docs/schemas/pin.json. */
export function pinDocument({ mode, pins, problems, files, lock, diff, weakened }: PinReport): string {
  return formatDocument("pin", {
    mode,
    summary: { ...tallyOf(pins.map(({ state }) => state)), unread: problems.length },
    images: pins.map(pinMember),
    problems: problems.map(problemMember),
    files,
    lock: { file: lock.file, changed: lock.changes },
    diff: mode === "diff" ? diff : undefined,
    weakened,
  });
}

/** The same, of a check. */
export function checkDocument({ pinnables, drifts, problems, lock }: CheckReport): string {
  const found = new Map(drifts.map(({ mention, finding }) => [mention, finding]));
  const images = pinnables.map((pinnable) => {
    const finding = found.get(pinnable.mention);
    const reasons = finding === undefined ? [] : [findingMember(finding)];
    const [state, verdict] = finding === undefined ? ["kept", null] : [finding.code, "refused"];
    return { ...mentionMember(pinnable), digest: pinnable.reference.digest ?? null, state, verdict, reasons };
  });
  const summary = { kept: images.length - drifts.length, drift: drifts.length, unread: problems.length };
  return formatDocument("pin", {
    mode: "check",
    summary,
    images,
    problems: problems.map(problemMember),
    files: [],
    lock: { file: lock, changed: false },
    weakened: [],
  });
}

function pinMember(pin: SettledPin): Readonly<Record<string, unknown>> {
  const { state, after, judged, from, held, offered, reasons, recalledFrom } = pin;
  return {
    ...mentionMember(pin),
    name: formatReference(after),
    digest: after.digest ?? null,
    state,
    verdict: verdictOf(pin),
    reasons: reasons.map(findingMember),
    before: from,
    recalledFrom: recalledFrom === undefined ? undefined : formatInstant(recalledFrom),
    offered,
    waiting: held && {
      digest: held.digest,
      since: formatInstant(held.since),
      until: formatInstant(instant(held.until)),
    },
    signers: judged?.signers.map(signerMember),
    because: judged?.because,
    rule: judged?.rule,
    warnings: judged?.warnings.length ? judged.warnings.map(findingMember) : undefined,
    platforms: judged?.platforms,
  };
}

function mentionMember({ mention, reference }: Pinnable): Readonly<Record<string, unknown>> {
  const { image, kind, place, workload } = mention;
  return { image, name: formatReference(reference), kind, place, workload };
}

/** null where nothing was judged. */
function verdictOf({ state, judged }: SettledPin): string | null {
  if (state === "refused" || state === "undetermined") return state;
  if (state === "fixed") return "refused";
  return judged === undefined || judged.status === "not verified" ? null : judged.status;
}

function tallyOf(states: readonly PinState[]): Readonly<Record<PinState, number>> {
  const tally = { pinned: 0, moved: 0, kept: 0, held: 0, refused: 0, undetermined: 0, fixed: 0 };
  for (const state of states) tally[state] += 1;
  return tally;
}
