import {
  authorityKeyIdentifier,
  basicConstraints,
  certificate,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  type Name,
  subjectKeyIdentifier,
  USAGES,
  name as writeName,
} from "./certificates.ts";
import { context, element, generalizedTime, integer, nothing, octets, oid, sequence, setOf } from "./der.ts";
import { digest, type FakeKey, fakeKey, HASH_OIDS, type Hash, type KeyKind, signatureAlgorithm } from "./keys.ts";
import { FROM, NOW, UNTIL, type Window } from "./times.ts";

export interface TimestampAuthorityOptions {
  readonly name?: string;
  /** The whole address that is posted to. */
  readonly uri?: string;
  readonly operator?: string;
  readonly key?: KeyKind;
  readonly root?: Partial<Window>;
  /** What is different about the certificate that signs. */
  readonly leaf?: Partial<Window> & {
    /** OIDs of `USAGES`; time stamping alone by default (RFC 3161 §2.3). */
    readonly extendedKeyUsage?: readonly string[];
    /** RFC 3161 §2.3 wants it critical. */
    readonly isUsageCritical?: boolean;
    readonly extensions?: readonly Extension[];
  };
}

/** What may be odd about a token. */
export interface TimestampOptions {
  readonly at?: number;
  readonly nonce?: bigint | undefined;
  readonly hash?: Hash;
  /** What the token is about, where it is not the data that was asked about. */
  readonly imprintOf?: Uint8Array;
  /** The imprint itself, instead of a hash of anything. */
  readonly imprint?: Uint8Array;
  /** PKIStatus: 0 granted, 1 granted with changes; anything above is a refusal, which has no token. */
  readonly status?: number;
  /** Whether there is a token whatever the status says. */
  readonly withToken?: boolean;
  /** Whether the leaf and what issued it come with the token; they do by default. */
  readonly withCertificates?: boolean;
  /** Other certificates than those, in this order. */
  readonly certificates?: readonly Uint8Array[];
  /** ESS signingCertificateV2 (RFC 5816): of another certificate, or missing. */
  readonly signingCertificate?: Uint8Array | "missing";
  /** messageDigest over something else than the token's content. */
  readonly messageDigestOf?: Uint8Array;
  /** Signs in the authority's name. */
  readonly signer?: FakeKey;
  readonly serial?: bigint;
  readonly contentType?: string;
  readonly policy?: string;
}

const OIDS = {
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  policy: "1.3.6.1.4.1.57264.2",
} as const;

const ROOT_SERIAL = 0x5000_0000_0001n;
const LEAF_SERIAL = 0x5000_0000_0002n;

/** A timestamp authority (RFC 3161): a root, and one certificate that signs. */
export class FakeTimestampAuthority {
  readonly name: string;
  readonly uri: string;
  readonly operator: string;
  readonly key: FakeKey;
  readonly root: Uint8Array;
  readonly leaf: Uint8Array;
  readonly #name: Name;
  readonly #rootName: Name;
  #serial = 1n;

  constructor(options: TimestampAuthorityOptions = {}) {
    this.name = options.name ?? "timestamp.example.com";
    this.uri = options.uri ?? `https://${this.name}/api/v1/timestamp`;
    this.operator = options.operator ?? "example.com";
    this.key = fakeKey(options.key ?? "p256");
    this.#rootName = { organization: this.name, commonName: "root" };
    this.#name = { organization: this.name, commonName: "timestamping" };
    const rootKey = fakeKey("p384");
    this.root = certificate({
      serial: ROOT_SERIAL,
      subject: this.#rootName,
      issuer: this.#rootName,
      notBefore: options.root?.notBefore ?? FROM,
      notAfter: options.root?.notAfter ?? UNTIL,
      spki: rootKey.spki,
      signer: rootKey,
      extensions: [basicConstraints(true), keyUsage("certificates"), subjectKeyIdentifier(rootKey.spki)],
    });
    this.leaf = certificate({
      serial: LEAF_SERIAL,
      subject: this.#name,
      issuer: this.#rootName,
      notBefore: options.leaf?.notBefore ?? FROM,
      notAfter: options.leaf?.notAfter ?? UNTIL,
      spki: this.key.spki,
      signer: rootKey,
      extensions: leafExtensions(this.key, rootKey, options.leaf ?? {}),
    });
  }

  /** As trust roots list it: the leaf first. */
  get chain(): readonly Uint8Array[] {
    return [this.leaf, this.root];
  }

  /** A DER TimeStampResp about some bytes: a signature's, as Sigstore has it. */
  timestamp(data: Uint8Array, options: TimestampOptions = {}): Uint8Array {
    const { status = 0, withToken = status <= 1 } = options;
    const info = sequence(integer(status));
    return withToken ? sequence(info, this.#token(this.#tstInfo(data, options), options)) : sequence(info);
  }

  #tstInfo(data: Uint8Array, options: TimestampOptions): Buffer {
    const { hash = "sha256", at = NOW, nonce, imprintOf = data } = options;
    const imprint = options.imprint ?? digest(imprintOf, hash);
    return sequence(
      integer(1),
      oid(options.policy ?? OIDS.policy),
      sequence(hashAlgorithm(hash), octets(imprint)),
      integer(options.serial ?? this.#nextSerial()),
      generalizedTime(at),
      // Accuracy: one second.
      sequence(integer(1)),
      ...(nonce === undefined ? [] : [integer(nonce)]),
      context(0, context(4, writeName(this.#name))),
    );
  }

  /** CMS SignedData (RFC 5652 §5) with one signer. */
  #token(tstInfo: Buffer, options: TimestampOptions): Buffer {
    const { withCertificates = true, contentType = OIDS.tstInfo } = options;
    const certificates = options.certificates ?? (withCertificates ? this.chain : []);
    const signedData = sequence(
      integer(3),
      setOf(hashAlgorithm(this.key.hash)),
      sequence(oid(contentType), context(0, octets(tstInfo))),
      ...(certificates.length === 0 ? [] : [context(0, ...certificates)]),
      setOf(this.#signerInfo(tstInfo, contentType, options)),
    );
    return sequence(oid(OIDS.signedData), context(0, signedData));
  }

  #signerInfo(tstInfo: Buffer, contentType: string, options: TimestampOptions): Buffer {
    const { signer = this.key, at = NOW, messageDigestOf = tstInfo, signingCertificate = this.leaf } = options;
    const attribute = (id: string, value: Buffer) => sequence(oid(id), setOf(value));
    const attributes = setOf(
      attribute(OIDS.contentType, oid(contentType)),
      attribute(OIDS.messageDigest, octets(digest(messageDigestOf, this.key.hash))),
      attribute(OIDS.signingTime, element(0x17, generalizedTime(at).subarray(4))),
      ...(signingCertificate === "missing"
        ? []
        : [attribute(OIDS.signingCertificateV2, sequence(sequence(sequence(octets(digest(signingCertificate))))))]),
    );
    return sequence(
      integer(1),
      sequence(writeName(this.#rootName), integer(LEAF_SERIAL)),
      hashAlgorithm(this.key.hash),
      // RFC 5652 §5.4: signed as a SET, sent with the tag [0].
      Buffer.concat([Buffer.of(0xa0), attributes.subarray(1)]),
      signatureAlgorithm(this.key),
      octets(signer.sign(attributes, this.key.hash)),
    );
  }

  #nextSerial(): bigint {
    this.#serial += 1n;
    return this.#serial;
  }
}

function leafExtensions(
  key: FakeKey,
  rootKey: FakeKey,
  options: NonNullable<TimestampAuthorityOptions["leaf"]>,
): readonly Extension[] {
  const usages = options.extendedKeyUsage ?? [USAGES.timeStamping];
  return [
    keyUsage("digitalSignature"),
    ...(usages.length === 0 ? [] : [extendedKeyUsage(usages, options.isUsageCritical ?? true)]),
    subjectKeyIdentifier(key.spki),
    authorityKeyIdentifier(rootKey.spki),
    ...(options.extensions ?? []),
  ];
}

function hashAlgorithm(hash: Hash): Buffer {
  return sequence(oid(HASH_OIDS[hash]), nothing());
}
