import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type JsonObject, parseJsonObject } from "../../../src/core/json.ts";
import type { ClaimName } from "../../../src/core/trust/identity.ts";
import type { SeenRequest } from "../http-server.ts";
import { type Answer, answered, bytesIn, grpcError, jsonBody, objectIn, pathOf, Refusal, textIn } from "./answer.ts";
import { certificatePem, type FakeAuthority, type IssueOptions } from "./authority.ts";
import type { FakeCertificateLog } from "./certificate-log.ts";
import { elementsIn, sequence } from "./der.ts";
import { fakeKey } from "./keys.ts";
import { DAY, MINUTE } from "./times.ts";

/** What may be wrong with a certificate that is given all the same. */
export type FulcioFault = "other-key" | "other-identity" | "expired" | "no-sct" | "detached-sct" | "no-certificate";

export interface FulcioParts {
  readonly authority: FakeAuthority;
  readonly certificateLog: FakeCertificateLog;
  readonly now: () => number;
}

/** Fulcio's API v2 (fulcio.proto). A token's claims are believed whoever signed it. */
export function fulcio(parts: FulcioParts, request: SeenRequest, fault?: string): Answer {
  return answered(() => {
    switch (`${request.method} ${pathOf(request)}`) {
      case "POST /api/v2/signingCert":
        return signingCertificate(parts, request, fault);
      case "GET /api/v2/trustBundle":
        return { status: 200, body: { chains: [{ certificates: parts.authority.chain.map(certificatePem) }] } };
      case "GET /api/v2/configuration":
        return {
          status: 200,
          body: { issuers: [{ wildcardIssuerUrl: "*", audience: "sigstore", challengeClaim: "" }] },
        };
      default:
        throw new Refusal(404, "Not Found");
    }
  }, grpcError);
}

function signingCertificate(parts: FulcioParts, request: SeenRequest, fault: string | undefined): Answer {
  const json = jsonBody(request);
  const claims = readToken(tokenOf(request, json), parts.now());
  const identity = identityOf(claims);
  const publicKey = provenKey(json, identity.challenge);
  const issue = { publicKey, notBefore: parts.now() - 5000, ...identity.issue, ...faulty(fault, parts.now()) };
  const { leaf, chain } = parts.authority.issue(issue);
  const certificates = { certificates: (fault === "no-certificate" ? [] : chain).map(certificatePem) };
  if (fault !== "detached-sct") return { status: 200, body: { signedCertificateEmbeddedSct: { chain: certificates } } };
  const sct = Buffer.from(JSON.stringify(parts.certificateLog.vouchBeside(leaf, parts.now()))).toString("base64");
  return {
    status: 200,
    body: { signedCertificateDetachedSct: { chain: certificates, signedCertificateTimestamp: sct } },
  };
}

function faulty(fault: string | undefined, now: number): Partial<IssueOptions> {
  switch (fault) {
    case "other-key":
      return { publicKey: fakeKey().publicKey };
    case "other-identity":
      return { subject: { email: "somebody-else@example.com" } };
    case "expired":
      return { notBefore: now - DAY, notAfter: now - DAY + 10 * MINUTE };
    case "no-sct":
    case "detached-sct":
      return { sctBy: [] };
    default:
      return {};
  }
}

function tokenOf({ headers }: SeenRequest, json: JsonObject): string {
  const [, bearer] = /^Bearer (.+)$/i.exec(headers.authorization ?? "") ?? [];
  return bearer ?? textIn(objectIn(json, "credentials"), "oidcIdentityToken");
}

function readToken(token: string, now: number): JsonObject {
  const [, payload = "", ...rest] = token.split(".");
  if (rest.length !== 1) throw new Refusal(401, "There was an error processing the identity token");
  const reading = { what: "the token", code: "malformed-signature", maxBytes: 64 << 10 } as const;
  const claims = parseJsonObject(Buffer.from(payload, "base64url"), reading);
  if (Number(claims["exp"]) * 1000 <= now) throw new Refusal(401, "the identity token is expired");
  if (![claims["aud"]].flat().includes("sigstore"))
    throw new Refusal(401, "the identity token is for another audience");
  return claims;
}

interface Identity {
  /** What the new key signs to show that its holder asks. */
  readonly challenge: string;
  readonly issue: Pick<IssueOptions, "subject" | "issuer" | "claims">;
}

function identityOf(claims: JsonObject): Identity {
  const sub = textIn(claims, "sub");
  const issuer = textIn(claims, "iss");
  const { email, job_workflow_ref: workflow } = claims;
  if (typeof workflow === "string") {
    const subject = { uri: `https://github.com/${workflow}` };
    return { challenge: sub, issue: { issuer, subject, claims: githubExtensions(claims) } };
  }
  if (typeof email === "string") {
    if (claims["email_verified"] !== true) throw new Refusal(400, "the address of the identity token is not verified");
    return { challenge: email, issue: { issuer, subject: { email } } };
  }
  const subject = URL.canParse(sub) ? { uri: sub } : { otherName: sub };
  return { challenge: sub, issue: { issuer, subject, claims: { "token-subject": sub } } };
}

/** fulcio, docs/oid-info.md, for GitHub's claims. */
function githubExtensions(claims: JsonObject): Readonly<Partial<Record<ClaimName, string>>> {
  const claim = (name: string) => String(claims[name] ?? "");
  const github = (path: string) => `https://github.com/${path}`;
  return {
    "github-workflow-trigger": claim("event_name"),
    "github-workflow-sha": claim("sha"),
    "github-workflow-name": claim("workflow"),
    "github-workflow-repository": claim("repository"),
    "github-workflow-ref": claim("ref"),
    "build-signer-uri": github(claim("job_workflow_ref")),
    "build-signer-digest": claim("job_workflow_sha"),
    "runner-environment": claim("runner_environment"),
    "source-repository-uri": github(claim("repository")),
    "source-repository-digest": claim("sha"),
    "source-repository-ref": claim("ref"),
    "source-repository-identifier": claim("repository_id"),
    "source-repository-owner-uri": github(claim("repository_owner")),
    "source-repository-owner-identifier": claim("repository_owner_id"),
    "build-config-uri": github(claim("workflow_ref")),
    "build-config-digest": claim("workflow_sha"),
    "build-trigger": claim("event_name"),
    "run-invocation-uri": github(
      `${claim("repository")}/actions/runs/${claim("run_id")}/attempts/${claim("run_attempt")}`,
    ),
    "source-repository-visibility": claim("repository_visibility"),
    "token-subject": claim("sub"),
  };
}

/** The key to certify, once its holder has shown that it has the private half. */
function provenKey(json: JsonObject, challenge: string): KeyObject {
  if (json["certificateSigningRequest"] !== undefined) return requestedKey(bytesIn(json, "certificateSigningRequest"));
  const asked = objectIn(json, "publicKeyRequest");
  const key = createPublicKey(textIn(objectIn(asked, "publicKey"), "content"));
  const proof = bytesIn(asked, "proofOfPossession");
  if (hashesFor(key).some((hash) => verify(hash, Buffer.from(challenge), key, proof))) return key;
  throw new Refusal(400, "The signature supplied in the request could not be verified");
}

function hashesFor(key: KeyObject): readonly (string | null)[] {
  return key.asymmetricKeyType === "ed25519" ? [null] : ["sha256", "sha384", "sha512"];
}

/** RFC 2986: version, subject, key; the request is signed with that key. */
function requestedKey(pem: Buffer): KeyObject {
  const text = pem.toString("latin1").replace(/-----[^-]+-----|\s/g, "");
  const [info, , signature] = elementsIn(elementsIn(Buffer.from(text, "base64"))[0]?.content ?? Buffer.of());
  const [, , spki] = elementsIn(info?.content ?? Buffer.of());
  if (info === undefined || spki === undefined || signature === undefined) throw new Refusal(400, "no signing request");
  const key = createPublicKey({ key: sequence(spki.content), format: "der", type: "spki" });
  const signed = signature.content.subarray(1);
  if (hashesFor(key).some((hash) => verify(hash, info.whole, key, signed))) return key;
  throw new Refusal(400, "the signing request is not signed with its key");
}
