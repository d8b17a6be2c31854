import { CountersignError } from "../errors.ts";
import { type JsonObject, type JsonValue, kindOf } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { printable } from "../printable.ts";
import { describeAge, formatInstant, type Instant, isInstant } from "../time.ts";
import { decodeJwt } from "./jwt.ts";

interface Claims {
  /** Who made it: a URL. */
  readonly issuer: string;
  /** Whom the issuer knows by this name. */
  readonly subject: string;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  /** Who it is meant for: whoever else gets it must refuse it. */
  readonly audience: readonly string[];
  readonly expiresAt: Instant;
  readonly notBefore: Instant | undefined;
}

/**
 * An OpenID Connect token that says who signs. Whoever holds its text can sign in that name until it expires, so the
 * text is shown by nothing but `reveal`: not by printing, inspecting or JSON.
 *
 * Its signature was not checked here: the certificate authority does that before it believes any of this.
 */
export class IdentityToken implements Claims {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  readonly audience: readonly string[];
  readonly expiresAt: Instant;
  readonly notBefore: Instant | undefined;
  readonly #text: string;

  constructor(text: string, claims: Claims) {
    this.issuer = claims.issuer;
    this.subject = claims.subject;
    this.email = claims.email;
    this.emailVerified = claims.emailVerified;
    this.audience = claims.audience;
    this.expiresAt = claims.expiresAt;
    this.notBefore = claims.notBefore;
    this.#text = text;
  }

  /** What Fulcio wants the new key's signature over: the address that was verified, else the subject. */
  get subjectForProof(): string {
    return this.email !== undefined && this.emailVerified ? this.email : this.subject;
  }

  /** The token itself: for the request to the certificate authority, and for nothing that is printed. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return `identity token for ${this.subjectForProof} by ${this.issuer}`;
  }

  toJSON(): Claims {
    return { ...this };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/**
 * Reads an identity token's claims, strictly: of what they are called, none may be missing or of another type.
 *
 * @throws CountersignError `token-invalid`, `limit-reached`; no message holds a piece of the token.
 */
export function parseIdentityToken(text: string): IdentityToken {
  return identityTokenOf(text, decodeJwt(text).claims);
}

/** The same for a token whose claims were read already. */
export function identityTokenOf(text: string, claims: JsonObject): IdentityToken {
  return new IdentityToken(text, {
    issuer: requiredName(claims, "iss"),
    subject: requiredName(claims, "sub"),
    email: optionalName(claims, "email"),
    emailVerified: readVerified(claims["email_verified"]),
    audience: readAudience(claims["aud"]),
    expiresAt: requiredTime(claims, "exp"),
    notBefore: claims["nbf"] === undefined ? undefined : requiredTime(claims, "nbf"),
  });
}

/**
 * Whether an authority that knows itself as `audience` could accept the token now. It decides for itself; asking it
 * with a token that cannot do would only get an answer that says less.
 *
 * @throws CountersignError `token-invalid` with what was found and wanted.
 */
export function checkToken(token: IdentityToken, { audience, now }: { audience: string; now: Instant }): void {
  if (!token.audience.includes(audience)) throw otherAudience(token, audience);
  checkTimes(token, now);
  if (token.email === undefined || token.emailVerified) return;
  throw new CountersignError("token-invalid", "the issuer has not verified the address in the identity token", {
    found: `${token.email}, not verified by ${token.issuer}`,
    wanted: "an address that its issuer has verified",
    next: "verify the address with the issuer, then get a new token",
  });
}

function otherAudience({ audience: meant }: IdentityToken, audience: string): CountersignError {
  const shown = meant.slice(0, SHOWN_AUDIENCES).join(", ");
  const more = meant.length > SHOWN_AUDIENCES ? ` and ${meant.length - SHOWN_AUDIENCES} more` : "";
  return new CountersignError("token-invalid", "the identity token is meant for somebody else", {
    found: `the audience ${shown}${more}`,
    wanted: `the audience ${audience}`,
    next: `get a token for the audience ${audience}`,
  });
}

const SHOWN_AUDIENCES = 3;

/** An issuer's clock may be ahead of ours; a token that has run out is of no use to anyone. */
function checkTimes({ expiresAt, notBefore }: IdentityToken, now: Instant): void {
  if (expiresAt <= now) {
    throw new CountersignError("token-invalid", "the identity token has expired", {
      found: `it was valid until ${formatInstant(expiresAt)}, ${describeAge(expiresAt, now)}`,
      wanted: "one that is valid now",
      next: "get a new token right before signing, and check this machine's clock",
    });
  }
  if (notBefore === undefined || notBefore <= now + LIMITS.clockSkewMs) return;
  throw new CountersignError("token-invalid", "the identity token is not valid yet", {
    found: `it is valid from ${formatInstant(notBefore)}, ${describeAge(notBefore, now)}`,
    wanted: "one that is valid now",
    next: "check this machine's clock",
  });
}

// --- claims -----------------------------------------------------------------------------------------------------------

/** A name that is printed and compared: not empty, of a sane length, nothing in it that is not seen. */
function requiredName(claims: JsonObject, claim: string): string {
  const value = claims[claim];
  if (typeof value !== "string") throw unusableClaim(claim, kindOf(value), "a string");
  if (value === "") throw unusableClaim(claim, "an empty string", "a name");
  if (value.length > LIMITS.identityNameCharacters) {
    throw unusableClaim(claim, `${value.length} characters`, `at most ${LIMITS.identityNameCharacters}`);
  }
  if (printable(value) !== value) throw unusableClaim(claim, "characters that cannot be seen", "a printable name");
  return value;
}

/** Go's libraries read an empty address as none, Fulcio's among them. */
function optionalName(claims: JsonObject, claim: string): string | undefined {
  return claims[claim] === undefined || claims[claim] === "" ? undefined : requiredName(claims, claim);
}

/** Some issuers write it as a string, and Fulcio takes that. */
function readVerified(value: JsonValue | undefined): boolean {
  if (value === undefined || value === false || value === "false") return false;
  if (value === true || value === "true") return true;
  throw unusableClaim("email_verified", kindOf(value), "true or false");
}

/** RFC 7519 §4.1.3: one, or a list of them. */
function readAudience(value: JsonValue | undefined): readonly string[] {
  const list: readonly JsonValue[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  if (list.length === 0) throw unusableClaim("aud", "nothing", "at least one audience");
  if (list.length > LIMITS.tokenAudiences) {
    throw unusableClaim("aud", `${list.length} audiences`, `at most ${LIMITS.tokenAudiences}`);
  }
  return list.map((one) => requiredName({ aud: one }, "aud"));
}

/** RFC 7519 §2, NumericDate: seconds, perhaps with a fraction. */
function requiredTime(claims: JsonObject, claim: string): Instant {
  const value = claims[claim];
  if (typeof value !== "number") throw unusableClaim(claim, kindOf(value), "seconds since 1970");
  const milliseconds = Math.floor(value * 1000);
  if (isInstant(milliseconds)) return milliseconds;
  throw unusableClaim(claim, "no time that a calendar has", "seconds since 1970");
}

function unusableClaim(claim: string, found: string, wanted: string): CountersignError {
  return new CountersignError("token-invalid", `the identity token's claim ${claim} cannot be used`, { found, wanted });
}
