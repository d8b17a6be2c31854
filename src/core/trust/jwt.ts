import { CountersignError } from "../errors.ts";
import { type JsonObject, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** A JSON Web Token as it was written (RFC 7515, compact serialisation); nobody has checked who signed it. */
export interface UntrustedJwt {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** What the signature is over. */
  readonly signedText: string;
  readonly signature: Uint8Array;
}

/**
 * Reads three parts of strict base64url and strict JSON. What it says of a text that is none never repeats any of it: it
 * is a secret, or was meant to be one.
 *
 * @throws CountersignError `token-invalid`, `limit-reached` (JSON nested too deeply).
 */
export function decodeJwt(text: string): UntrustedJwt {
  if (text.length > LIMITS.identityTokenBytes) {
    throw invalidToken(`${text.length} characters`, `at most ${LIMITS.identityTokenBytes}`);
  }
  const parts = text.split(".");
  const [header = "", claims = "", signature = ""] = parts;
  if (parts.length !== 3) throw invalidToken(describeParts(parts.length), "three parts with dots between them");
  return {
    header: readHeader(header),
    claims: readPart(claims, "claims"),
    signedText: `${header}.${claims}`,
    signature: readBytes(signature, "signature"),
  };
}

/** RFC 7515 §10.7: whoever made an unsigned one could have made it up. */
function readHeader(part: string): JsonObject {
  const header = readPart(part, "header");
  const { alg: algorithm } = header;
  if (typeof algorithm !== "string" || algorithm === "") throw invalidToken("no signature algorithm", "a signed token");
  if (algorithm.toLowerCase() === "none") throw invalidToken("the algorithm none", "a signed token");
  // RFC 7515 §4.1.11: none of the extensions that it may demand is understood here.
  if (header["crit"] !== undefined) throw invalidToken("critical extensions", "a token without any");
  return header;
}

function readPart(part: string, name: string): JsonObject {
  const what = `the ${name} of the identity token`;
  return parseJsonObject(readBytes(part, name), { what, code: "token-invalid", maxBytes: LIMITS.identityTokenBytes });
}

function readBytes(part: string, name: string): Uint8Array {
  const bytes = decodeBase64Url(part);
  if (bytes !== undefined && bytes.byteLength > 0) return bytes;
  const found = part === "" ? `an empty ${name}` : `a ${name} that is no base64url`;
  throw invalidToken(found, "base64url without padding");
}

/** As `decodeBase64`, for the URL alphabet without padding (RFC 4648 §5). */
function decodeBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? new Uint8Array(bytes) : undefined;
}

/** Parts of base64url, three of a signed token or five of an encrypted one (RFC 7516), which deserves to be told so. */
const PARTS = /^([A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?$/;

/** Whether a text is written like a token, good or bad, rather than like anything else: a path, say. */
export function looksLikeJwt(text: string): boolean {
  const [, header = ""] = PARTS.exec(text) ?? [];
  return /^\s*\{/.test(Buffer.from(header, "base64url").toString("latin1"));
}

function describeParts(count: number): string {
  if (count === 5) return "5 parts, as an encrypted token has";
  return count === 1 ? "a text without dots" : `${count} parts`;
}

function invalidToken(found: string, wanted: string): CountersignError {
  return new CountersignError("token-invalid", "this is not an identity token", { found, wanted });
}
