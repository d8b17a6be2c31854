import { type CertificateIdentity, foldCase, GITHUB_ISSUER } from "../trust/identity.ts";
import type { SignedBy } from "./verdict.ts";

/**
 * Who a signature counts for. Who, not how many: one key is one signer, and one subject of one issuer is, an address in
 * whatever case (few providers tell them apart). Whom a policy names counts as the policy says.
 */
export function signerId(signedBy: SignedBy): string {
  if (signedBy.terms?.person !== undefined) return signedBy.terms.person;
  return signedBy.kind === "key" ? signedBy.fingerprint : identityId(signedBy.identity);
}

function identityId({ issuer, subjectKind, subject }: CertificateIdentity): string {
  return JSON.stringify([issuer, subjectKind, subjectKind === "email" ? foldCase(subject) : subject]);
}

const REF_OF_WORKFLOW = /(?<=^https:\/\/github\.com\/[^/@]+\/[^/@]+\/\.github\/workflows\/[^/@]+)@.*$/;

/** Behind what ran: `https://gitlab.example/acme/app//.gitlab-ci.yml@refs/tags/v1`. */
const REF = /@refs\/.*$/s;

/**
 * The same to a policy, by whichever of its names somebody is wanted: a workflow that ran for two tags is one workflow, or
 * whoever may push tags could meet any threshold alone.
 */
export function personOf(identity: CertificateIdentity): string {
  const { issuer, subjectKind, subject } = identity;
  if (issuer === GITHUB_ISSUER) {
    return identityId({ ...identity, subject: foldCase(subject.replace(REF_OF_WORKFLOW, "")) });
  }
  return identityId(subjectKind === "uri" ? { ...identity, subject: subject.replace(REF, "") } : identity);
}
