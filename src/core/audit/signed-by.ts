import type { Instant } from "../time.ts";
import type { Audit, AuditedImage, AuditedSigner } from "./audit.ts";

/** Whose signatures are asked for. */
export type Who =
  /** A key by its fingerprint, `SHA256:…`, or by how that begins. */
  | { readonly kind: "fingerprint"; readonly start: string }
  /** Issuer and subject with a space between. */
  | { readonly kind: "identity"; readonly id: string }
  /** A subject; what a policy or the audit calls somebody. */
  | { readonly kind: "name"; readonly name: string };

/** Shorter beginnings of a fingerprint may be anything. */
const FINGERPRINT = /^(?:SHA256:[0-9a-f]{4,64}|[0-9a-f]{12,64})$/i;
const FINGERPRINT_LENGTH = "SHA256:".length + 64;

export function parseWho(text: string): Who {
  if (FINGERPRINT.test(text))
    return { kind: "fingerprint", start: `SHA256:${text.replace(/^SHA256:/i, "").toLowerCase()}` };
  return /^\S+:\/\/\S+ \S/.test(text) ? { kind: "identity", id: text } : { kind: "name", name: text };
}

/** Whether nobody else can be meant: then nothing found is an answer, and no slip of the pen. */
export function isExact(who: Who): boolean {
  return who.kind === "identity" || (who.kind === "fingerprint" && who.start.length === FINGERPRINT_LENGTH);
}

export function matchesWho(who: Who, signer: Pick<AuditedSigner, "kind" | "id" | "name" | "as">): boolean {
  if (who.kind === "fingerprint") return signer.kind === "key" && signer.id.startsWith(who.start);
  if (who.kind === "identity") return signer.kind === "identity" && signer.id === who.id;
  return namesOf(signer).includes(who.name);
}

/** What somebody is called: by the policy, by the audit, by the certificate or by the file of the key. */
function namesOf({
  kind,
  id,
  name,
  as,
}: Pick<AuditedSigner, "kind" | "id" | "name" | "as">): readonly (string | undefined)[] {
  const own = kind === "identity" ? id.slice(id.indexOf(" ") + 1) : name.replace(/ \(SHA256:[0-9a-f]+…?\)$/, "");
  return [as, name, own];
}

/** One image as an audit saw it. */
export interface Sighting {
  /** The audit's reference time. */
  readonly at: Instant;
  /** It is in the last audit of its sources; else it was in an earlier one. */
  readonly isCurrent: boolean;
  readonly image: AuditedImage;
}

export function sightingsOf({ at, images }: Audit, isCurrent = true): readonly Sighting[] {
  return images.map((image) => ({ at, isCurrent, image }));
}

/** What somebody signed. */
export interface SignedImage extends Sighting {
  /** Theirs alone. */
  readonly signers: readonly AuditedSigner[];
  /** When they signed it last, as far as that is proven. */
  readonly signedAt?: Instant | undefined;
}

export interface SignedBy {
  /** Who was meant, each once; nobody where none of them signed anything that was accepted. */
  readonly signers: readonly AuditedSigner[];
  readonly since?: Instant | undefined;
  /** Proven to be signed since then, the newest first. */
  readonly signed: readonly SignedImage[];
  /** Signed at a time that nothing proves: since then, or before. */
  readonly unproven: readonly SignedImage[];
  /** How many are proven to be signed before. */
  readonly earlier: number;
  /** What could not be looked at: it may be theirs as well. */
  readonly unseen: readonly Sighting[];
}

/**
 * What somebody signed since a time, and where it is used, as audits saw it. They know of signatures that were accepted: of
 * somebody whom the standard does not name, and of a signature beside one that was enough, they say nothing.
 */
export function signedBy(sightings: readonly Sighting[], who: Who, since?: Instant): SignedBy {
  const theirs = sightings.flatMap((sighting) => signedImage(sighting, who));
  const isLate = ({ signedAt }: SignedImage) => signedAt !== undefined && (since === undefined || signedAt >= since);
  const late = theirs.filter(isLate);
  const unproven = theirs.filter((one) => !isLate(one) && one.signers.some(({ signedAt }) => signedAt === undefined));
  return {
    signers: distinctSigners(theirs),
    since,
    signed: late.toSorted((a, b) => (b.signedAt ?? 0) - (a.signedAt ?? 0)),
    unproven,
    earlier: theirs.length - late.length - unproven.length,
    unseen: sightings.filter(({ isCurrent, image }) => isCurrent && image.verdict === "undetermined"),
  };
}

function signedImage(sighting: Sighting, who: Who): readonly SignedImage[] {
  const signers = sighting.image.signers.filter((signer) => matchesWho(who, signer));
  if (signers.length === 0) return [];
  const times = signers.flatMap(({ signedAt }) => (signedAt === undefined ? [] : signedAt));
  return [{ ...sighting, signers, signedAt: times.toSorted((a, b) => b - a)[0] }];
}

function distinctSigners(images: readonly SignedImage[]): readonly AuditedSigner[] {
  const byId = new Map<string, AuditedSigner>();
  for (const signer of images.flatMap(({ signers }) => signers)) if (!byId.has(signer.id)) byId.set(signer.id, signer);
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
