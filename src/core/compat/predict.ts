import type { Finding } from "../errors.ts";
import { adviceFor } from "./advice.ts";
import type { Given } from "./given.ts";
import type { Peer } from "./peer.ts";
import { PEERS } from "./peers.ts";
import type { PredictedVerdict, Prediction } from "./prediction.ts";
import { type Appraisal, appraise, describeForm, type Remedy } from "./shortfall.ts";
import type { Shelf, StoredEvidence, StoredSignature, StoredSubject } from "./stored.ts";

/** What each peer makes of what is stored, in the order of the table. */
export function predict(stored: StoredEvidence, given: Given, peers: readonly Peer[] = PEERS): readonly Prediction[] {
  return peers.map((peer) => predictFor(peer, stored, given));
}

/** What a peer makes of one manifest. */
interface Outcome {
  readonly verdict: PredictedVerdict;
  readonly because: string;
  readonly sees: readonly StoredSignature[];
  readonly remedy?: Remedy | undefined;
  readonly chosen?: StoredSignature | undefined;
}

function predictFor(peer: Peer, stored: StoredEvidence, given: Given): Prediction {
  const perPlatform = peer.judges === "platforms" && stored.platforms.length > 0;
  const outcome = perPlatform ? ofPlatforms(peer, stored, given) : ofSubject(peer, stored.root, given);
  const { name, title, versions, asked } = peer;
  const { verdict, because, sees, remedy } = outcome;
  return {
    peer: name,
    title,
    versions,
    asked,
    verdict,
    because,
    sees,
    needs: [...peer.needs, ...trustNeeds(outcome.chosen), ...toldNeeds(peer, outcome.chosen, given)],
    add: remedy === undefined ? [] : adviceFor(remedy, peer, asMaker(given, outcome.chosen)),
  };
}

/** Where nobody was asked for, who made what is there is the one to sign again. */
function asMaker(given: Given, chosen: StoredSignature | undefined): Given {
  const signer = chosen?.maker.kind === "certificate" ? "identity" : "key";
  return { ...given, signer: given.signer ?? signer };
}

/** Services of their own are believed by default by nobody. */
function trustNeeds(chosen: StoredSignature | undefined): readonly string[] {
  if (chosen === undefined || chosen.form === "notation") return [];
  const isCertified = chosen.maker.kind === "certificate";
  if (!isCertified && chosen.entries.length === 0) return [];
  const what = isCertified ? "the authority and the log" : "the log";
  return [`trust in ${what} of this signature (by default only in Sigstore's public ones)`];
}

/** What it was taken to be told, where that counted. */
function toldNeeds(peer: Peer, chosen: StoredSignature | undefined, given: Given): readonly string[] {
  if (chosen === undefined || chosen.maker.kind === "unread") return [];
  const { withoutLog, withoutScts, timestampOption, wantsLog } = peer;
  const { maker, entries } = chosen;
  const isKey = maker.kind === "key";
  const isTold = {
    log: isKey && given.ignoresLog && wantsLog.ofKeys && entries.length === 0,
    scts: maker.kind === "certificate" && given.ignoresScts && !maker.hasScts,
    time: !isKey && given.takesTimestamps && chosen.form === "bundle" && !entries.some(({ isPromised }) => isPromised),
  };
  return [
    ...(isTold.log && withoutLog !== undefined ? [withoutLog] : []),
    ...(isTold.scts && withoutScts !== undefined ? [withoutScts] : []),
    ...(isTold.time && timestampOption !== undefined ? [timestampOption] : []),
  ];
}

// --- one manifest -----------------------------------------------------------------------------------------------------

function ofSubject(peer: Peer, subject: StoredSubject, given: Given): Outcome {
  const { sees, unseen, isHidden } = seenBy(peer, subject);
  if (peer.stopsAbove !== undefined && subject.referrers > peer.stopsAbove) {
    const because = `${subject.referrers} things refer to the image, and it stops above ${peer.stopsAbove}`;
    return { verdict: "refuses", because, sees, remedy: "thin-out" };
  }
  if (peer.looks === "notary") return ofNotary(sees, unseen);
  const appraisals = sees.map((signature) => withBroken(appraise(signature, peer, given), peer, subject));
  const met = appraisals.filter(({ shortfall }) => shortfall === undefined);
  const best = met.find(({ doubts }) => doubts.length === 0) ?? met[0];
  if (best !== undefined && (unseen === undefined || isAnyway(peer, best))) return accepted(best, sees);
  if (unseen !== undefined) return couldNotLook(unseen, sees);
  return refused(peer, subject, { sees, appraisals, isHidden });
}

/** What is no bundle here may be one there: that is not known. */
function withBroken(appraisal: Appraisal, peer: Peer, { brokenBundles }: StoredSubject): Appraisal {
  if (peer.stopsAtBroken !== true || brokenBundles === 0) return appraisal;
  const doubt = "it can read what is stored as a bundle and is none here, since it stops at one that it cannot read";
  return { ...appraisal, doubts: [...appraisal.doubts, doubt] };
}

interface Seen {
  readonly sees: readonly StoredSignature[];
  /** Why something of it could not be looked at. */
  readonly unseen: Finding | undefined;
  /** There are signatures that it would read if others were not there. */
  readonly isHidden: boolean;
}

const SHELVES: Readonly<Record<Peer["looks"], readonly Shelf[]>> = {
  "sig-tag": ["sig-tag"],
  bundles: ["referrers"],
  "bundles-then-sig-tag": ["referrers", "sig-tag"],
  notary: ["referrers"],
};

function seenBy(peer: Peer, { signatures, obstacles }: StoredSubject): Seen {
  const unseen = SHELVES[peer.looks].map((shelf) => obstacles[shelf]).find((finding) => finding !== undefined);
  const listed = signatures.filter(({ listing }) => listing !== "tag-beside-api");
  const legacy = listed.filter(({ form }) => form === "cosign-legacy");
  const bundles = listed.filter(({ form, version = "" }) => {
    return form === "bundle" && (peer.bundleVersions?.includes(version) ?? true);
  });
  switch (peer.looks) {
    case "sig-tag":
      return { sees: legacy, unseen, isHidden: false };
    case "bundles":
      return { sees: bundles, unseen, isHidden: false };
    case "bundles-then-sig-tag":
      return bundles.length === 0
        ? { sees: legacy, unseen, isHidden: false }
        : { sees: bundles, unseen, isHidden: legacy.length > 0 };
    case "notary":
      return { sees: listed.filter(({ form }) => form === "notation"), unseen, isHidden: false };
  }
}

/** What could not be looked at would not have changed it: a bundle that is there is looked at in any case. */
function isAnyway(peer: Peer, { signature, doubts }: Appraisal): boolean {
  return doubts.length === 0 && (peer.looks !== "bundles-then-sig-tag" || signature.form === "bundle");
}

function accepted({ signature, doubts }: Appraisal, sees: readonly StoredSignature[]): Outcome {
  const by = signature.wanted?.made === true ? ` by ${signature.wanted.by}` : "";
  if (doubts.length === 0) {
    return { verdict: "accepts", because: `it reads ${describeForm(signature)}${by}`, sees, chosen: signature };
  }
  const because = `it reads ${describeForm(signature)}${by}, and accepts it if ${doubts.join(", and if ")}`;
  return { verdict: "depends", because, sees, chosen: signature };
}

function couldNotLook(finding: Finding, sees: readonly StoredSignature[]): Outcome {
  return { verdict: "unknown", because: `could not look: ${finding.message} [${finding.code}]`, sees };
}

interface Failed {
  readonly sees: readonly StoredSignature[];
  readonly appraisals: readonly Appraisal[];
  readonly isHidden: boolean;
}

function refused(peer: Peer, subject: StoredSubject, { sees, appraisals, isHidden }: Failed): Outcome {
  const [nearest] = appraisals.toSorted((a, b) => passed(b) - passed(a));
  if (nearest?.shortfall === undefined) {
    return { verdict: "refuses", because: nothingToRead(peer, subject), sees, remedy: "sign" };
  }
  const { why, remedy } = nearest.shortfall;
  const what = `${describeForm(nearest.signature)}: ${why}`;
  if (!isHidden) return { verdict: "refuses", because: what, sees, remedy, chosen: nearest.signature };
  const because = `${what}; where there is a bundle it does not look at legacy signatures`;
  return { verdict: "refuses", because, sees, remedy: remedy === "sign-as-wanted" ? "sign-bundle" : remedy };
}

function passed({ shortfall }: Appraisal): number {
  return shortfall?.passed ?? 0;
}

const READS: Readonly<Record<Peer["looks"], string>> = {
  "sig-tag": "legacy signatures",
  bundles: "bundles",
  "bundles-then-sig-tag": "bundles and legacy signatures",
  notary: "Notary signatures",
};

/** What lies there instead says more than that nothing does. */
function nothingToRead(peer: Peer, { signatures }: StoredSubject): string {
  if (signatures.length === 0) return "nothing is stored that is a signature";
  const misplaced = signatures.find(({ listing }) => listing === "tag-beside-api");
  const beside = misplaced === undefined ? "" : ", and the fallback tag is not asked where a registry has the API";
  const forms = [...new Set(signatures.map(describeForm))];
  return `it reads ${READS[peer.looks]} only; stored is ${forms.join(", ")}${beside}`;
}

function ofNotary(sees: readonly StoredSignature[], unseen: Finding | undefined): Outcome {
  const [first] = sees;
  if (first === undefined) {
    if (unseen !== undefined) return couldNotLook(unseen, sees);
    return { verdict: "refuses", because: "there is no Notary signature", sees, remedy: "notation" };
  }
  const types = [...new Set(sees.map(({ envelopeType = "an unknown envelope" }) => envelopeType))].join(", ");
  const because = `there is a Notary signature (${types}); its trust store and trust policy decide, which are not looked at`;
  return { verdict: "depends", because, sees, chosen: first };
}

// --- an index, platform by platform -----------------------------------------------------------------------------------

function ofPlatforms(peer: Peer, { platforms, root }: StoredEvidence, given: Given): Outcome {
  const outcomes = platforms.map((subject) => ({ subject, outcome: ofSubject(peer, subject, given) }));
  const sees = outcomes.flatMap(({ outcome }) => outcome.sees);
  const bad = outcomes.filter(({ outcome }) => outcome.verdict !== "accepts");
  const [first] = bad.toSorted((a, b) => GRAVITY.indexOf(a.outcome.verdict) - GRAVITY.indexOf(b.outcome.verdict));
  if (first === undefined) {
    const [good] = outcomes;
    return {
      verdict: "accepts",
      because: `${good?.outcome.because}, for every platform`,
      sees,
      chosen: good?.outcome.chosen,
    };
  }
  const { subject, outcome } = first;
  const isIndexOnly = outcome.sees.length === 0 && ofSubject(peer, root, given).verdict === "accepts";
  const why = isIndexOnly
    ? "only the index is signed, and each platform is judged by its own signature"
    : outcome.because;
  const isPartial = bad.length < outcomes.length && outcome.remedy !== undefined;
  return {
    verdict: combined(outcomes.map(({ outcome: { verdict } }) => verdict)),
    because: `${subject.platform ?? subject.digest}: ${why}`,
    sees,
    remedy: isIndexOnly || isPartial ? "sign-every-platform" : outcome.remedy,
    chosen: outcome.chosen,
  };
}

/** Which platform's reason is told. */
const GRAVITY: readonly PredictedVerdict[] = ["unknown", "refuses", "depends"];

/** Not all alike: it depends on the platform that is pulled. */
function combined(verdicts: readonly PredictedVerdict[]): PredictedVerdict {
  if (verdicts.includes("unknown")) return "unknown";
  return verdicts.every((verdict) => verdict === "refuses") ? "refuses" : "depends";
}
