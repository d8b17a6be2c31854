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
    const timestamp = Buffer.alloc(8);
    timestamp.writeBigUInt64BE(BigInt(at));
    const extensions = opaque(new Uint8Array(), 2);
    // digitally-signed struct: version, certificate_timestamp, time, precert_entry, issuer_key_hash, TBS, extensions.
    const signed = Buffer.concat([
      Buffer.of(0, 0),
      timestamp,
      Buffer.of(0, 1),
      digest(issuerSpki),
      opaque(tbs, 3),
      extensions,
    ]);
    const algorithm = { sha256: 4, sha384: 5, sha512: 6 }[this.key.hash];
    const scheme = this.key.kind === "rsa2048" ? 1 : 3;
    return Buffer.concat([
      Buffer.of(0),
      this.logId,
      timestamp,
      extensions,
      Buffer.of(algorithm, scheme),
      opaque(this.key.sign(signed), 2),
    ]);
  }
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
