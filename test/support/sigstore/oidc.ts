import { sign } from "node:crypto";
import type { JsonObject } from "../../../src/core/json.ts";
import { ISSUER, SUBJECT } from "./authority.ts";
import { digest, type FakeKey, fakeKey } from "./keys.ts";
import { NOW, seconds } from "./times.ts";

export interface TokenOptions {
  readonly issuer?: string;
  readonly audience?: string | readonly string[];
  /** `dev@example.com` by default; null for a workload, which has none. */
  readonly email?: string | null;
  readonly emailVerified?: boolean;
  readonly sub?: string;
  /** When it is issued, milliseconds since 1970. */
  readonly at?: number;
  /** Seconds; negative for one that is expired. */
  readonly expiresIn?: number;
  readonly nonce?: string;
  /** More claims, or others in place of those above. */
  readonly claims?: JsonObject;
  /** Signs in the issuer's name. */
  readonly signer?: FakeKey;
}

export interface IssuerOptions {
  readonly url?: string;
  readonly algorithm?: "ES256" | "RS256";
  readonly now?: () => number;
}

/** An OpenID provider's tokens and keys; `server.ts` makes it answer. */
export class FakeIssuer {
  readonly url: string;
  readonly algorithm: "ES256" | "RS256";
  readonly key: FakeKey;
  readonly #now: () => number;

  constructor(options: IssuerOptions = {}) {
    this.url = options.url ?? ISSUER;
    this.algorithm = options.algorithm ?? "ES256";
    this.key = fakeKey(this.algorithm === "ES256" ? "p256" : "rsa2048");
    this.#now = options.now ?? (() => NOW);
  }

  get keyId(): string {
    return digest(this.key.spki).toString("hex").slice(0, 16);
  }

  /** RFC 7517. */
  jwks(): JsonObject {
    const { kty = "", crv, x, y, n, e } = this.key.publicKey.export({ format: "jwk" });
    const numbers =
      this.algorithm === "ES256" ? { crv: crv ?? "", x: x ?? "", y: y ?? "" } : { n: n ?? "", e: e ?? "" };
    return { keys: [{ kty, ...numbers, kid: this.keyId, use: "sig", alg: this.algorithm }] };
  }

  /** An ID token (RFC 7519, OpenID Connect Core §2). */
  token({ at = this.#now(), issuer = this.url, signer = this.key, ...options }: TokenOptions = {}): string {
    const header = { alg: this.algorithm, kid: this.keyId, typ: "JWT" };
    const input = [header, claimsOf({ ...options, issuer, at })].map(encodePart).join(".");
    const key = { key: signer.privateKey, dsaEncoding: "ieee-p1363" } as const;
    return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
  }
}

function claimsOf(options: TokenOptions & { readonly issuer: string; readonly at: number }): JsonObject {
  const { issuer, audience = "sigstore", email = SUBJECT, emailVerified = true, at, expiresIn = 300, nonce } = options;
  const issued = Number(seconds(at)) + Math.min(expiresIn, 0);
  return {
    iss: issuer,
    aud: audience,
    sub: options.sub ?? email ?? "workload",
    iat: issued,
    nbf: issued,
    exp: issued + Math.abs(expiresIn),
    ...(email === null ? {} : { email, email_verified: emailVerified }),
    ...(nonce === undefined ? {} : { nonce }),
    ...options.claims,
  };
}

function encodePart(part: JsonObject): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

const STRANGER = new FakeIssuer();

/** A token whose signature nobody can check: for what reads claims only. */
export function token(options: TokenOptions = {}): string {
  return STRANGER.token(options);
}

/** What GitHub says of a workflow's run; any of it may be replaced. */
export function githubClaims(claims: JsonObject = {}): JsonObject {
  const { repository = "example/app", ref = "refs/heads/main" } = claims;
  const workflow = `${String(repository)}/.github/workflows/release.yml@${String(ref)}`;
  const sha = digest(Buffer.from(workflow)).toString("hex").slice(0, 40);
  return {
    sub: `repo:${String(repository)}:ref:${String(ref)}`,
    repository,
    repository_id: "1001",
    repository_owner: String(repository).split("/")[0] ?? "",
    repository_owner_id: "1000",
    repository_visibility: "public",
    ref,
    sha,
    event_name: "push",
    workflow: "release",
    workflow_ref: workflow,
    workflow_sha: sha,
    job_workflow_ref: workflow,
    job_workflow_sha: sha,
    runner_environment: "github-hosted",
    run_id: "1",
    run_attempt: "1",
    ...claims,
  };
}
