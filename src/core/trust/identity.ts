import { CountersignError } from "../errors.ts";

/**
 * Who a signing certificate speaks for. Only made from a certificate whose chain was proven.
 * Sigstore's certificates carry one subject alternative name and say which issuer vouched for it (Fulcio, docs/oid-info.md).
 */
export interface CertificateIdentity {
  /** The one subject alternative name: an address, a URI, a user name. */
  readonly subject: string;
  readonly subjectKind: "email" | "uri" | "other-name";
  /** The OIDC issuer; empty where a private authority wrote none. */
  readonly issuer: string;
  /** What else the issuer said of the workload; present ones only. */
  readonly claims: Readonly<Partial<Record<ClaimName, string>>>;
}

/** Fulcio's extensions below 1.3.6.1.4.1.57264.1 beside the issuer: the last number of their OID, by the name of the flag. */
export const CLAIMS = {
  "github-workflow-trigger": 2,
  "github-workflow-sha": 3,
  "github-workflow-name": 4,
  "github-workflow-repository": 5,
  "github-workflow-ref": 6,
  "build-signer-uri": 9,
  "build-signer-digest": 10,
  "runner-environment": 11,
  "source-repository-uri": 12,
  "source-repository-digest": 13,
  "source-repository-ref": 14,
  "source-repository-identifier": 15,
  "source-repository-owner-uri": 16,
  "source-repository-owner-identifier": 17,
  "build-config-uri": 18,
  "build-config-digest": 19,
  "build-trigger": 20,
  "run-invocation-uri": 21,
  "source-repository-visibility": 22,
  "deployment-environment": 23,
  "token-subject": 24,
} as const;

export type ClaimName = keyof typeof CLAIMS;

/** What a text has to be: exactly this, or wholly matched by this pattern. Never guessed, never a part of it. */
export interface TextCondition {
  /** `any-case`: the same but for the case of ASCII letters, as host names and GitHub's names are compared. */
  readonly kind: "exact" | "any-case" | "pattern";
  /** As it was written. */
  readonly text: string;
  matches(value: string): boolean;
  /** Of a text that is not the wanted one and looks like it: what tells them apart. */
  nearMiss?(value: string): string | undefined;
}

/** Who is wanted. */
export interface IdentityCondition {
  readonly subject: TextCondition;
  readonly issuer: TextCondition;
  readonly claims: readonly { readonly name: ClaimName; readonly condition: TextCondition }[];
  /** How it is printed, where its parts would say it less clearly. */
  readonly label?: string | undefined;
}

/** @throws CountersignError `usage` for an empty text: nobody is called that, and elsewhere it means anybody. */
export function exactly(text: string): TextCondition {
  requireText(text);
  return { kind: "exact", text, matches: (value) => value === text, nearMiss: (value) => nearMissOf(value, text) };
}

/** The same text, ASCII letters in either case. Letters that only look alike are others. @throws as `exactly`. */
export function inAnyCase(text: string): TextCondition {
  requireText(text);
  return { kind: "any-case", text, matches: (value) => foldCase(value) === foldCase(text) };
}

function requireText(text: string): void {
  if (text !== "") return;
  throw new CountersignError("usage", "nobody is named", { found: "an empty text", wanted: "a name" });
}

function nearMissOf(value: string, text: string): string | undefined {
  if (foldCase(value) === foldCase(text)) return "only upper and lower case differ";
  const [foreign] = value.match(/\P{ASCII}/u) ?? [];
  if (foreign === undefined || /\P{ASCII}/u.test(text)) return undefined;
  const code = foreign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  return `it has a character that is not plain ASCII (U+${code})`;
}

/** ASCII letters alone: others that look alike stay others. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The issuer of GitHub Actions' tokens. */
export const GITHUB_ISSUER = "https://token.actions.githubusercontent.com";
