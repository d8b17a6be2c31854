import { isObject, type JsonObject } from "../json.ts";
import { exactly, type IdentityCondition } from "./identity.ts";
import { decodeJwt } from "./jwt.ts";
import type { IdentityToken } from "./token.ts";

/**
 * Whom a certificate for this token would name, as Fulcio's public configuration has it (fulcio, config/identity): any of
 * these. Only good to look whether somebody has signed already; empty where the token does not tell.
 */
export function foreseenIdentities(token: IdentityToken): readonly IdentityCondition[] {
  const { claims } = decodeJwt(token.reveal());
  const subject = foreseenSubject(token, claims);
  if (subject === undefined) return [];
  return foreseenIssuers(token, claims).map((issuer) => ({
    subject: exactly(subject),
    issuer: exactly(issuer),
    claims: [],
  }));
}

function foreseenSubject(token: IdentityToken, claims: JsonObject): string | undefined {
  const { job_workflow_ref: githubWorkflow, ci_config_ref_uri: gitlabPipeline } = claims;
  if (typeof githubWorkflow === "string") return `https://github.com/${githubWorkflow}`;
  if (typeof gitlabPipeline === "string") return `https://${gitlabPipeline}`;
  return token.emailVerified ? token.email : undefined;
}

/** Sigstore's own provider passes on whom its user logged in with, and certificates name that one. */
function foreseenIssuers(token: IdentityToken, claims: JsonObject): readonly string[] {
  const federated = claims["federated_claims"];
  const connector = isObject(federated) ? federated["connector_id"] : undefined;
  return typeof connector === "string" ? [connector, token.issuer] : [token.issuer];
}

/** Whether the source repository is one that not everybody may see, so that its name is news to readers of a log. */
export function isOfPrivateRepository(token: IdentityToken): boolean {
  const { repository_visibility: github, project_visibility: gitlab } = decodeJwt(token.reveal()).claims;
  return [github, gitlab].some((visibility) => visibility === "private" || visibility === "internal");
}
