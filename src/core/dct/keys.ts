import { constants, createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { decodeUtf8, encodeBase64, encodeHex } from "../bytes.ts";
import { type Certificate, parseCertificate } from "../crypto/certificate.ts";
import { DER, derParts, readDer, readingDer, readOid } from "../crypto/der.ts";
import { parsePemBlocks } from "../crypto/pem.ts";
import { type PublicKey, publicKeyFrom } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { canonicalJson } from "../tags/canonical.ts";
import { base64Of, malformed, objectOf, textOf } from "./members.ts";

/** A public key in Docker Content Trust's metadata: plain, or inside a certificate as root keys are. */
export interface DctKey {
  /** As metadata lists it: the hash of the key object, certificate included. */
  readonly id: string;
  /** The hash of the plain key: the name of the file that holds its private half. The same as `id` for plain keys. */
  readonly plainId: string;
  readonly key: PublicKey;
  /** The first certificate, which is the key's own, of a key that comes in certificates. */
  readonly certificate: Certificate | undefined;
}

const PLAIN_TYPES: ReadonlySet<string> = new Set(["ecdsa", "rsa", "ed25519"]);
const CERTIFIED_TYPES: ReadonlyMap<string, string> = new Map([
  ["ecdsa-x509", "ecdsa"],
  ["rsa-x509", "rsa"],
]);

/**
 * Reads one key and computes its id anew (Notary, tuf/data/keys.go).
 *
 * @throws CountersignError `keyid-mismatch`, `metadata-malformed`, `key-weak` for keys that nothing is believed from.
 */
export function readDctKey(id: string, value: JsonValue, where: string): DctKey {
  const json = objectOf(value, "a key", where);
  const type = textOf(json["keytype"], "keytype", where);
  const content = base64Of(objectOf(json["keyval"], "keyval", where)["public"], "keyval.public", where);
  const real = keyIdOf(type, content);
  if (real !== id) {
    throw new CountersignError("keyid-mismatch", `a key of ${where} has an id that is not its hash`, {
      found: id,
      wanted: real,
    });
  }
  const plainType = CERTIFIED_TYPES.get(type);
  const label = `key ${id.slice(0, 12)}…`;
  if (plainType !== undefined) return certifiedKey({ id, plainType, content, label, where });
  if (!PLAIN_TYPES.has(type)) throw malformed(where, `a key of type ${type}`, "ecdsa, rsa or ed25519");
  return { id, plainId: id, key: plainKey(type, content, label, where), certificate: undefined };
}

/** What a key is called: SHA-256 of its canonical JSON with an empty private half. */
function keyIdOf(keytype: string, content: Uint8Array): string {
  const json = canonicalJson({ keytype, keyval: { private: null, public: encodeBase64(content) } });
  return encodeHex(createHash("sha256").update(json).digest());
}

/** The id that Notary gives a key without a certificate, and the name of its file. */
export function plainKeyId(key: PublicKey): string {
  if (key.algorithm === "ed25519") return keyIdOf("ed25519", key.spki.slice(-RAW_ED25519_BYTES));
  return keyIdOf(key.algorithm === "rsa" ? "rsa" : "ecdsa", key.spki);
}

const RAW_ED25519_BYTES = 32;
/** RFC 8410, section 4: what precedes a raw Ed25519 key. */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function plainKey(type: string, content: Uint8Array, label: string, where: string): PublicKey {
  const isRaw = type === "ed25519" && content.byteLength === RAW_ED25519_BYTES;
  const spki = isRaw ? Buffer.concat([ED25519_PREFIX, content]) : Buffer.from(content);
  const key = publicKeyFrom(decodeSpki(spki, where), label);
  const isAsNamed = type === "ecdsa" ? key.algorithm.startsWith("ecdsa-") : key.algorithm === type;
  if (isAsNamed) return key;
  throw malformed(where, `a key of type ${type} that holds ${key.algorithm}`, `a key of type ${type}`);
}

function decodeSpki(spki: Buffer, where: string): KeyObject {
  try {
    return createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch {
    throw malformed(where, "a key that is none", "a SubjectPublicKeyInfo");
  }
}

interface CertifiedContent {
  readonly id: string;
  readonly plainType: string;
  readonly content: Uint8Array;
  readonly label: string;
  readonly where: string;
}

/** The leaf comes first; what follows are authorities above it, in which Docker never put trust. */
function certifiedKey({ id, plainType, content, label, where }: CertifiedContent): DctKey {
  const blocks = parsePemBlocks(decodeUtf8(content), LIMITS.trustedRootCertificates);
  const [leaf] = blocks ?? [];
  if (leaf?.label !== "CERTIFICATE") throw malformed(where, "a key in no certificate", "certificates in PEM");
  const certificate = parseCertificate(leaf.content, `the certificate of ${label}`, "metadata-malformed");
  const key = plainKey(plainType, certificate.spki, label, where);
  return { id, plainId: keyIdOf(plainType, key.spki), key, certificate };
}

const COMMON_NAME = "2.5.4.3";

/** The common name of a certificate's subject, which binds a root key to one repository. */
export function commonNameOf(certificate: Certificate): string | undefined {
  return readingDer("a certificate's subject", "metadata-malformed", () => {
    const attributes = derParts(readDer(certificate.subject), DER.sequence).flatMap((set) => derParts(set, DER.set));
    const names = attributes.map((attribute) => derParts(attribute, DER.sequence));
    const [, value] = names.find(([oid]) => readOid(oid) === COMMON_NAME) ?? [];
    return value === undefined ? undefined : Buffer.from(value.content).toString("utf8");
  });
}

/** A signature beside a file of metadata. */
export interface DctSignature {
  readonly keyId: string;
  readonly method: string;
  readonly signature: Uint8Array;
}

/** Salt as long as the hash: what Notary makes and takes. */
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } as const;

/**
 * Whether the key made the signature over `data` (Notary, tuf/signed/verifiers.go): SHA-256 for all curves, ECDSA as r and
 * s side by side. Never throws: what a peer sends as a signature is at worst wrong.
 */
export function isDctSignature({ key }: DctKey, { method, signature }: DctSignature, data: Uint8Array): boolean {
  try {
    switch (method.toLowerCase()) {
      case "ecdsa":
        if (!key.algorithm.startsWith("ecdsa-")) return false;
        return verify("sha256", data, { key: key.keyObject, dsaEncoding: "ieee-p1363" }, signature);
      case "rsapss":
        return key.algorithm === "rsa" && verify("sha256", data, { key: key.keyObject, ...PSS }, signature);
      case "rsapkcs1v15":
        return key.algorithm === "rsa" && verify("sha256", data, key.keyObject, signature);
      case "eddsa":
        return key.algorithm === "ed25519" && verify(null, data, key.keyObject, signature);
      default:
        return false;
    }
  } catch {
    return false;
  }
}
