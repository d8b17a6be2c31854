import type { Finding } from "../../core/errors.ts";
import { findingMember } from "../../core/explain.ts";
import type { PendingRole, Publication, RoleSummary, SignerSummary } from "../../core/tags/admin-results.ts";
import type { Binding } from "../../core/tags/binding.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { formatInstant, type Instant } from "../../core/time.ts";

/** The members that the JSON documents on signed tags have in common: docs/schemas/trust.json. */

type Member = Readonly<Record<string, unknown>>;

export function timeMember(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at);
}

export function roleMember({ name, keyIds, threshold, version, expires }: RoleSummary): Member {
  return {
    name,
    keyIds,
    threshold,
    version: version ?? null,
    expires: expires === undefined ? null : formatInstant(expires),
  };
}

export function signerMember(signer: SignerSummary): Member {
  const { tags, isTerminating, bindings } = signer;
  return { ...roleMember(signer), tags, terminating: isTerminating, bindings };
}

export function pinMember(pin: RootPin): Member {
  const { gun, location, rootVersion, root, rootKeyIds, threshold, mode, firstSeen } = pin;
  return { gun, location, rootVersion, root, rootKeyIds, threshold, mode, firstSeen: formatInstant(firstSeen) };
}

export function bindingMember(binding: Binding): Member {
  const { tag, digest, length, mediaType, signedAt, source, supersedes, note, requires, revoked } = binding;
  return {
    tag: tag ?? null,
    digest,
    length,
    mediaType,
    signedAt: timeMember(signedAt),
    source,
    supersedes,
    note,
    requires,
    revoked: revoked && { at: formatInstant(revoked.at), reason: revoked.reason },
  };
}

export function publicationMember(publication: Publication): Member {
  if (publication.state === "pending") return { state: "pending", waiting: publication.waiting };
  if (publication.state === "staged") {
    return { state: "staged", roles: publication.roles, finding: findingMember(publication.finding) };
  }
  return { state: "published", head: publication.head, warnings: publication.warnings.map(findingMember) };
}

export function pendingMember(pending: PendingRole): Member {
  const { role, version, signedBy, open, missing, tag } = pending;
  return { role, version, signedBy, open, missing, tag };
}

/** What nothing came about with, among others of a call. */
export interface FailedName {
  readonly name: string;
  readonly finding: Finding;
}

export function failedMember({ name, finding }: FailedName): Member {
  return { name, finding: findingMember(finding) };
}
