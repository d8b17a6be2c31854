import { SIGNATURE_PREDICATE } from "../formats/envelope.ts";
import { typeName } from "../formats/predicates.ts";
import { algorithmName, ownHash } from "./algorithm.ts";
import type { Given } from "./given.ts";
import type { Peer } from "./peer.ts";
import type { StoredEntry, StoredSignature } from "./stored.ts";

/** What would have to be added for a peer to accept. */
export type Remedy =
  | "sign"
  | "sign-with-services"
  | "sign-every-platform"
  | "sign-here"
  | "sign-as-wanted"
  | "sign-with-p256"
  | "sign-without-key"
  | "sign-bundle"
  | "thin-out"
  | "notation";

/** Why a peer does not accept one signature. */
export interface Shortfall {
  readonly why: string;
  readonly remedy: Remedy;
  /** How many of the peer's questions it passed before: the higher, the nearer to acceptance. */
  readonly passed: number;
}

/** What a peer makes of one signature that it reads. */
export interface Appraisal {
  readonly signature: StoredSignature;
  readonly shortfall?: Shortfall | undefined;
  /** What its verdict hangs on that is not stored; where there is any, it is not known to accept. */
  readonly doubts: readonly string[];
}

type Answer = undefined | { readonly why: string; readonly remedy: Remedy } | { readonly doubt: string };

type Question = (signature: StoredSignature, peer: Peer, given: Given) => Answer;

/** Asks a peer's questions of a signature; the first that it fails is its shortfall. */
export function appraise(signature: StoredSignature, peer: Peer, given: Given): Appraisal {
  const doubts: string[] = [];
  for (const [passed, ask] of QUESTIONS.entries()) {
    const answer = ask(signature, peer, given);
    if (answer === undefined) continue;
    if ("why" in answer) return { signature, doubts, shortfall: { ...answer, passed } };
    doubts.push(answer.doubt);
  }
  return { signature, doubts };
}

/** `a bundle`, `an attestation (slsaprovenance1) in a bundle`, `a legacy signature`. */
export function describeForm({ form, predicateType }: StoredSignature): string {
  const isAttestation = predicateType !== undefined && predicateType !== SIGNATURE_PREDICATE;
  const type = isAttestation ? typeName(predicateType) : "";
  switch (form) {
    case "bundle":
      return isAttestation ? `an attestation (${type}) in a bundle` : "a bundle";
    case "cosign-legacy":
      return "a legacy signature";
    case "cosign-attestation":
      return `a legacy attestation (${type})`;
    case "notation":
      return "a Notary signature";
  }
}

// --- questions, in the order in which verifiers ask them ----------------------------------------------------------------

const isOfThisImage: Question = ({ isAbout }) =>
  isAbout ? undefined : { why: "what is stored is about another image", remedy: "sign" };

const takesMaker: Question = ({ maker }, { takesKeys, takesCertificates }) => {
  if (maker.kind === "key" && !takesKeys) {
    return { why: "it takes certificates only, and this is a bare key's", remedy: "sign-without-key" };
  }
  if (maker.kind === "certificate" && !takesCertificates) {
    return { why: "it takes bare keys only, and this is a certificate's", remedy: "sign" };
  }
  return undefined;
};

const isByWanted: Question = ({ wanted }) =>
  wanted === undefined || wanted.made ? undefined : { why: wanted.why, remedy: "sign-as-wanted" };

/** Certificates beside bundles are verified with their keys' own hash; all else with SHA-256 (see the peers' facts). */
const takesAlgorithm: Question = ({ form, maker }, peer) => {
  if (maker.kind === "unread" || maker.algorithm === undefined) return undefined;
  const { algorithm, variant } = maker;
  if (algorithm === "ed25519") return takesEd25519(variant);
  const own = ownHash(algorithm);
  if (own === undefined || variant === "ecdsa-sha256") return undefined;
  if (form === "bundle" && maker.kind === "certificate") return undefined;
  const name = algorithmName(algorithm);
  const otherwise =
    peer.otherHash === undefined || maker.kind === "certificate" ? "" : ` unless ${peer.otherHash} says so`;
  if (variant === undefined) return { doubt: `the ${name} key signed SHA-256: ${own} it does not verify${otherwise}` };
  return { why: `it verifies SHA-256${otherwise}, and this ${name} key signed ${own}`, remedy: "sign-with-p256" };
};

function takesEd25519(variant: string | undefined): Answer {
  if (variant === "usual") return undefined;
  if (variant === undefined) return { doubt: "the Ed25519 key signed in the pure form, which cosign itself does not" };
  return { why: "it verifies pure Ed25519, and this is Ed25519ph, as cosign writes it", remedy: "sign-with-p256" };
}

const namesThisPlace: Question = ({ form, repository }, { comparesName }, { repository: here }) => {
  if (!comparesName || form !== "cosign-legacy" || repository === undefined || repository === here) return undefined;
  if (here === undefined) return { doubt: `it is pulled as ${repository}, which the signature names` };
  return { why: `the signature names ${repository}, and the image is pulled as ${here}`, remedy: "sign-here" };
};

const hasScts: Question = ({ maker }, { withoutScts }, { ignoresScts }) => {
  if (withoutScts === undefined || ignoresScts || maker.kind !== "certificate" || maker.hasScts) return undefined;
  return { why: "no certificate log vouched for the certificate", remedy: "sign-with-services" };
};

const isLogged: Question = (signature, peer, given) => {
  const { maker, entries, form, unproven } = signature;
  if (maker.kind === "unread") return undefined;
  const isKey = maker.kind === "key";
  if (isKey ? !peer.wantsLog.ofKeys || given.ignoresLog : !peer.wantsLog.ofCertificates) return undefined;
  const wanted = form === "bundle" ? isBundled : isPromised;
  const isThere = entries.some(wanted);
  if (isThere && unproven === undefined) return undefined;
  if (isThere)
    return { why: `its log entry is not proven by the trust root given: ${unproven}`, remedy: "sign-with-services" };
  const option = isKey && peer.withoutLog !== undefined ? ` unless ${peer.withoutLog}` : "";
  const found = entries.length === 0 ? "none is stored" : `what is stored (${entries[0]?.kind}) is none that it reads`;
  return { why: `it wants a log entry${option}, and ${found}`, remedy: "sign-with-services" };
};

/** The kinds of entry that are read beside an envelope: a hash of the encoding is only what Rekor 2 records. */
const ENVELOPE_ENTRIES: readonly string[] = ["dsse 0.0.1", "intoto 0.0.2", "hashedrekord 0.0.2"];

function isBundled({ kind, isProven }: StoredEntry): boolean {
  return isProven && ENVELOPE_ENTRIES.includes(kind);
}

/** Annotations have a place for the log's promise and none for a proof. */
function isPromised({ isPromised: has }: StoredEntry): boolean {
  return has;
}

const isTimed: Question = ({ form, maker, entries, timestamps }, peer, { takesTimestamps }) => {
  const needed = maker.kind === "certificate" || (maker.kind === "key" && peer.wantsTimeOfKeys === true);
  if (!needed || form !== "bundle" || entries.some(isPromised)) return undefined;
  if (timestamps === 0) {
    return { why: "its log tells no time, and there is no timestamp", remedy: "sign-with-services" };
  }
  return peer.timestampOption === undefined || takesTimestamps
    ? undefined
    : { doubt: `it is told to take timestamps: ${peer.timestampOption}` };
};

const isListed: Question = ({ predicateType }, { statements }) =>
  statements !== "listed"
    ? undefined
    : {
        doubt: `the authority lists attestations of type ${predicateType ?? "unknown"}: as a signature it reads no bundle`,
      };

const QUESTIONS: readonly Question[] = [
  isOfThisImage,
  takesMaker,
  isByWanted,
  takesAlgorithm,
  namesThisPlace,
  hasScts,
  isLogged,
  isTimed,
  isListed,
];
