import { X509Certificate } from "node:crypto";
import { encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { parsePemBlocks } from "../../core/crypto/pem.ts";
import { type PublicKey, publicKeyPem } from "../../core/crypto/public-key.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { IdentityToken } from "../../core/trust/token.ts";
import { peerText } from "../http/redact.ts";
import { withSecrets } from "../http/secrets.ts";
import type { ServiceAnswer } from "../http/service.ts";
import { type Ask, below, JSON_HEADERS } from "./log.ts";

export interface CertificateRequest {
  readonly token: IdentityToken;
  readonly publicKey: PublicKey;
  /** Signs with the key that the certificate is for. */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>;
}

/** What binds a key to an identity for some minutes. */
export interface IssuedCertificate {
  /** DER, the leaf first, then what leads to the root, as the authority gave them. */
  readonly certificates: readonly Uint8Array[];
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

export interface CertificateAuthority {
  /** As it is printed. */
  readonly host: string;
  /**
   * A certificate for the key, checked for being about it; whether its authority is trusted is for the trust root to say.
   *
   * @throws CountersignError what the ServiceClient throws; `token-invalid` where the authority refuses the token,
   * `protocol-error` where it answers with something that cannot be signed with. The token is in none of them.
   */
  certify(request: CertificateRequest): Promise<IssuedCertificate>;
}

const WHAT = "the signing certificate";

/** Fulcio's API v2 (fulcio.proto). */
export function fulcio(ask: Ask, base: URL, now: () => number): CertificateAuthority {
  const { host } = base;
  return {
    host,
    async certify(request) {
      return await withSecrets([request.token.reveal()], async () => {
        const answer = await askWithEitherClaim(ask, base, request);
        return checkCertificates(readChain(answer, host), request.publicKey, host, now());
      });
    },
  };
}

// --- asking -----------------------------------------------------------------------------------------------------------

/**
 * The key's holder proves to have it by signing a claim of the token: the verified address, where there is one, else the
 * subject. Which one is the authority's setting for each issuer; it is looked up where the usual one was refused.
 */
async function askWithEitherClaim(ask: Ask, base: URL, request: CertificateRequest): Promise<ServiceAnswer> {
  const { issuer, subject, subjectForProof } = request.token;
  const answer = await askFor(ask, base, request, subjectForProof);
  const isUndecided = answer.status === 400 && subjectForProof !== subject;
  if (!isUndecided || (await challengeClaim(ask, base, issuer)) !== "sub") return accepted(answer, base.host);
  return accepted(await askFor(ask, base, request, subject), base.host);
}

async function askFor(
  ask: Ask,
  base: URL,
  { token, publicKey, sign }: CertificateRequest,
  challenge: string,
): Promise<ServiceAnswer> {
  const proof = await sign(encodeUtf8(challenge));
  const algorithm = publicKey.algorithm.startsWith("ecdsa") ? "ECDSA" : publicKey.algorithm.toUpperCase();
  const body: JsonObject = {
    credentials: { oidcIdentityToken: token.reveal() },
    publicKeyRequest: {
      publicKey: { algorithm, content: publicKeyPem(publicKey) },
      proofOfPossession: encodeBase64(proof),
    },
  };
  return await ask({
    method: "POST",
    url: below(base, "api/v2/signingCert"),
    what: WHAT,
    headers: JSON_HEADERS,
    body: encodeUtf8(JSON.stringify(body)),
    expect: [200, 201, 400, 401, 403],
    maxBytes: LIMITS.authorityAnswerBytes,
  });
}

function accepted(answer: ServiceAnswer, host: string): ServiceAnswer {
  if (answer.status < 400) return answer;
  const text = messageIn(answer);
  throw new CountersignError("token-invalid", `${host} gives no certificate for this identity token`, {
    found: `${answer.status}${text === undefined ? "" : ` (${text})`}`,
    wanted: "a token of an issuer that it knows, for its audience, that has not expired",
  });
}

function messageIn({ bytes }: ServiceAnswer): string | undefined {
  const json = parseOrNothing(bytes);
  const text = isObject(json) && typeof json["message"] === "string" ? peerText(json["message"]) : "";
  return text === "" ? undefined : text;
}

function parseOrNothing(bytes: Uint8Array): JsonValue | undefined {
  try {
    return parse(bytes);
  } catch {
    return undefined;
  }
}

function parse(bytes: Uint8Array): JsonValue {
  return parseJson(bytes, {
    what: "the certificate authority's answer",
    code: "protocol-error",
    maxBytes: LIMITS.authorityAnswerBytes,
  });
}

/** What the authority wants signed for tokens of an issuer; undefined where it does not say. */
async function challengeClaim(ask: Ask, base: URL, issuer: string): Promise<string | undefined> {
  const answer = await ask({
    url: below(base, "api/v2/configuration"),
    what: "the certificate authority's configuration",
    expect: [200, 404, 501],
    maxBytes: LIMITS.authorityAnswerBytes,
  });
  const json = answer.status === 200 ? parseOrNothing(answer.bytes) : undefined;
  const issuers = isObject(json) && Array.isArray(json["issuers"]) ? (json["issuers"] as readonly JsonValue[]) : [];
  const own = issuers.find((each) => isObject(each) && each["issuerUrl"] === issuer);
  return isObject(own) && typeof own["challengeClaim"] === "string" ? own["challengeClaim"] : undefined;
}

// --- the answer -------------------------------------------------------------------------------------------------------

function readChain({ bytes }: ServiceAnswer, host: string): readonly Uint8Array[] {
  const json = parse(bytes);
  const embedded = isObject(json) ? json["signedCertificateEmbeddedSct"] : undefined;
  if (isObject(json) && isObject(json["signedCertificateDetachedSct"])) {
    // A bundle has no place for it: whoever asks for one would refuse the signature.
    throw unusable(
      host,
      "a certificate with its timestamp of the certificate log beside it",
      "with it inside (an embedded SCT)",
    );
  }
  const chain = isObject(embedded) && isObject(embedded["chain"]) ? embedded["chain"]["certificates"] : undefined;
  const texts = Array.isArray(chain) ? (chain as readonly JsonValue[]) : [];
  const blocks = texts.every((text) => typeof text === "string")
    ? parsePemBlocks(texts.join("\n"), LIMITS.bundleCertificates)
    : undefined;
  if (texts.length === 0 || blocks?.every(({ label }) => label === "CERTIFICATE") !== true) {
    throw unusable(host, texts.length === 0 ? "no certificate" : "text that is not PEM certificates", "a chain in PEM");
  }
  return blocks.map(({ content }) => content);
}

function checkCertificates(
  certificates: readonly Uint8Array[],
  publicKey: PublicKey,
  host: string,
  now: number,
): IssuedCertificate {
  const [leaf = new Uint8Array()] = certificates;
  const certificate = parseCertificate(leaf, host);
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  if (!spki.equals(publicKey.spki))
    throw unusable(host, "a certificate for another key", "one for the key that was sent");
  const notAfter = certificate.validToDate.getTime();
  if (notAfter > now) return { certificates, notAfter };
  throw new CountersignError("protocol-error", `${host} gave a certificate that has expired`, {
    found: `one that was valid until ${certificate.validToDate.toISOString()}`,
    wanted: `one that is valid at ${new Date(now).toISOString()}`,
    next: "check this machine's clock; nothing was signed",
  });
}

function parseCertificate(der: Uint8Array, host: string): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw unusable(host, "something that is no certificate", "an X.509 certificate");
  }
}

function unusable(host: string, found: string, wanted: string): CountersignError {
  return new CountersignError("protocol-error", `${host} gave a certificate that cannot be signed with`, {
    found,
    wanted,
    next: `nothing was signed; report it to the operator of ${host}`,
  });
}
