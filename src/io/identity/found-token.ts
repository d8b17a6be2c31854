import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import type { Instant } from "../../core/time.ts";
import { checkToken, type IdentityToken, parseIdentityToken } from "../../core/trust/token.ts";

/** A token, and where it came from: printable, as in "signs with the identity of GitHub Actions". */
export interface FoundToken {
  readonly token: IdentityToken;
  readonly source: string;
}

export interface Expected {
  /** Who the token has to be for: the client id of the certificate authority. */
  readonly audience: string;
  readonly now: () => Instant;
}

/**
 * The token that a source gave, if it does. White space around it, which editors and shells leave there, is taken off.
 *
 * @throws CountersignError `token-invalid`, which names the source.
 */
export function acceptToken(given: string | Uint8Array, source: string, { audience, now }: Expected): FoundToken {
  try {
    const token = parseIdentityToken((typeof given === "string" ? given : textOf(given)).trim());
    checkToken(token, { audience, now: now() });
    return { token, source };
  } catch (thrown) {
    throw thrown instanceof CountersignError ? named(source, thrown) : thrown;
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw new CountersignError("token-invalid", "this is not an identity token", {
      found: `${bytes.byteLength} bytes that are no text`,
      wanted: "a JSON Web Token",
    });
  }
}

/** An error that says whose it is. Its causes stay behind: what a peer said may be in them. */
export function named(source: string, { code, message, found, wanted, next }: CountersignError): CountersignError {
  return new CountersignError(code, `${source}: ${message}`, { found, wanted, next });
}
