import type { JsonObject } from "../../../src/core/json.ts";
import type { Extension } from "./certificates.ts";
import { octets } from "./der.ts";
import { digest, type FakeKey, fakeKey } from "./keys.ts";
import { NOW } from "./times.ts";

/** Which precertificate a log vouches for, and when. */
export interface Precertificate {
  /** Of the certificate that signs it. */
  readonly issuerSpki: Uint8Array;
  /** The TBSCertificate without the list of SCTs. */
  readonly tbs: Uint8Array;
  readonly at?: number | undefined;
}

export interface CertificateLogOptions {
  readonly name?: string;
  readonly baseUrl?: string;
  readonly operator?: string;
  readonly key?: FakeKey;
}

/** A certificate transparency log (RFC 6962) that signs and keeps nothing. */
export class FakeCertificateLog {
  readonly name: string;
  readonly baseUrl: string;
  readonly operator: string;
  readonly key: FakeKey;

  constructor(options: CertificateLogOptions = {}) {
    this.name = options.name ?? "ctfe.example.com";
    this.baseUrl = options.baseUrl ?? `https://${this.name}`;
    this.operator = options.operator ?? "example.com";
    this.key = options.key ?? fakeKey();
  }

  /** RFC 6962 §3.2: SHA-256 of the key. */
  get logId(): Buffer {
    return digest(this.key.spki);
  }

  /** A SignedCertificateTimestamp as it stands in a list. */
  vouch({ issuerSpki, tbs, at = NOW }: Precertificate): Buffer {
    const entry = Buffer.concat([Buffer.of(0, 1), digest(issuerSpki), opaque(tbs, 3)]);
    return Buffer.concat([Buffer.of(0), this.logId, uint64(at), NO_EXTENSIONS, this.#sign(entry, at)]);
  }

  /** An SCT that stands beside its certificate, in the JSON of add-chain (RFC 6962 §4.1). */
  vouchBeside(certificate: Uint8Array, at: number = NOW): JsonObject {
    const entry = Buffer.concat([Buffer.of(0, 0), opaque(certificate, 3)]);
    return {
      sct_version: 0,
      id: this.logId.toString("base64"),
      timestamp: at,
      extensions: "",
      signature: this.#sign(entry, at).toString("base64"),
    };
  }

  /** A digitally-signed struct over version, certificate_timestamp, time, entry, extensions. */
  #sign(entry: Uint8Array, at: number): Buffer {
    const signed = Buffer.concat([Buffer.of(0, 0), uint64(at), entry, NO_EXTENSIONS]);
    const algorithm = { sha256: 4, sha384: 5, sha512: 6 }[this.key.hash];
    const scheme = this.key.kind === "rsa2048" ? 1 : 3;
    return Buffer.concat([Buffer.of(algorithm, scheme), opaque(this.key.sign(signed), 2)]);
  }
}

const NO_EXTENSIONS = Buffer.of(0, 0);

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** RFC 6962 §3.3: the list of SCTs inside a certificate. */
export function sctList(scts: readonly Uint8Array[]): Extension {
  const list = opaque(Buffer.concat(scts.map((sct) => opaque(sct, 2))), 2);
  return { id: "1.3.6.1.4.1.11129.2.4.2", value: octets(list) };
}

/** A TLS vector: its length in so many bytes, then the content (RFC 5246 §4.3). */
export function opaque(content: Uint8Array, lengthBytes: number): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}
