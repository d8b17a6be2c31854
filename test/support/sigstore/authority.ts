import type { KeyObject } from "node:crypto";
import { formatPem } from "../../../src/core/crypto/pem.ts";
import { CLAIMS, type ClaimName } from "../../../src/core/trust/identity.ts";
import { type FakeCertificateLog, sctList } from "./certificate-log.ts";
import {
  type AlternativeName,
  alternativeNames,
  authorityKeyIdentifier,
  basicConstraints,
  type CertificateParts,
  certificate,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  type Name,
  subjectKeyIdentifier,
  tbsCertificate,
  USAGES,
} from "./certificates.ts";
import { utf8 } from "./der.ts";
import { type FakeKey, fakeKey, type KeyKind } from "./keys.ts";
import { FROM, MINUTE, NOW, UNTIL, type Window } from "./times.ts";

export const SUBJECT = "dev@example.com";
export const ISSUER = "https://issuer.example.com";

export interface AuthorityOptions extends Partial<Window> {
  readonly name?: string;
  readonly uri?: string;
  readonly operator?: string;
  readonly rootKey?: KeyKind;
  readonly intermediateKey?: KeyKind;
  /** Who vouches for what it issues, unless an issue says otherwise. */
  readonly certificateLogs?: readonly FakeCertificateLog[];
  /** What is different about the intermediate. */
  readonly intermediate?: Partial<Window> & {
    readonly isCa?: boolean;
    readonly pathLength?: number;
    readonly extendedKeyUsage?: readonly string[];
    readonly extensions?: readonly Extension[];
  };
  /** The root issues by itself. */
  readonly withoutIntermediate?: boolean;
}

export interface IssueOptions extends Partial<Window> {
  readonly publicKey: KeyObject;
  /** `dev@example.com` by default; an empty list for a certificate that speaks for nobody. */
  readonly subject?: AlternativeName | readonly AlternativeName[];
  /** The OIDC issuer: in 57264.1.8 as UTF8String and in 57264.1.1 as bare text. */
  readonly issuer?: string;
  readonly issuerIn?: "both" | "old" | "new" | "neither";
  /** What the old extension says, where it disagrees. */
  readonly oldIssuer?: string;
  readonly claims?: Readonly<Partial<Record<ClaimName, string>>>;
  /** OIDs of `USAGES`; code signing by default, empty for none. */
  readonly extendedKeyUsage?: readonly string[];
  /** Adds basic constraints, and for an authority the usage; without it there are none, as in Fulcio's certificates. */
  readonly isCa?: boolean;
  /** Added at the end, before the SCTs. */
  readonly extensions?: readonly Extension[];
  /** Who vouches for it; an empty list for nobody. */
  readonly sctBy?: readonly FakeCertificateLog[];
  /** When they do: the certificate's first moment by default. */
  readonly sctAt?: number;
  /** The issuer's key that they are told of, where that is a lie. */
  readonly sctIssuer?: Uint8Array;
  /** Signs in the authority's name with another key. */
  readonly signer?: FakeKey;
}

/** DER each, the leaf first, then what issued it up to the root. */
export interface IssuedCertificate {
  readonly leaf: Uint8Array;
  readonly chain: readonly Uint8Array[];
}

interface Issuer {
  readonly subject: Name;
  readonly key: FakeKey;
}

/** A certificate authority like Fulcio: a root, an intermediate, and short-lived certificates for identities. */
export class FakeAuthority {
  readonly name: string;
  readonly uri: string;
  readonly operator: string;
  readonly root: Uint8Array;
  /** Absent where the root issues by itself. */
  readonly intermediate: Uint8Array | undefined;
  readonly rootKey: FakeKey;
  /** What issues: the intermediate's key, or the root's. */
  readonly key: FakeKey;
  readonly #issuer: Name;
  readonly #certificateLogs: readonly FakeCertificateLog[];
  #serial = 0x4000_0000_0000n;

  constructor(options: AuthorityOptions = {}) {
    this.name = options.name ?? "ca.example.com";
    this.uri = options.uri ?? `https://${this.name}`;
    this.operator = options.operator ?? "example.com";
    this.#certificateLogs = options.certificateLogs ?? [];
    const root = this.#issuerNamed("root", options.rootKey);
    this.rootKey = root.key;
    this.root = this.#certifyIssuer(root, root, options, basicConstraints(true));
    const issuer =
      options.withoutIntermediate === true ? root : this.#issuerNamed("intermediate", options.intermediateKey);
    this.intermediate = issuer === root ? undefined : this.#intermediate(issuer, root, options);
    this.key = issuer.key;
    this.#issuer = issuer.subject;
  }

  #issuerNamed(commonName: string, kind: KeyKind = "p384"): Issuer {
    return { subject: { organization: this.name, commonName }, key: fakeKey(kind) };
  }

  #intermediate(self: Issuer, root: Issuer, { intermediate: its = {}, ...options }: AuthorityOptions): Uint8Array {
    return this.#certifyIssuer(
      self,
      root,
      { ...options, ...its },
      basicConstraints(its.isCa ?? true, its.pathLength ?? 0),
      extendedKeyUsage(its.extendedKeyUsage ?? [USAGES.codeSigning]),
      ...(its.extensions ?? []),
    );
  }

  /** From what issues to the root, as trust roots list it. */
  get chain(): readonly Uint8Array[] {
    return this.intermediate === undefined ? [this.root] : [this.intermediate, this.root];
  }

  /** A certificate for a signing key, with an SCT of every log that vouches for it. */
  issue(options: IssueOptions): IssuedCertificate {
    const parts = this.#leafParts(options);
    const logs = options.sctBy ?? this.#certificateLogs;
    const precertificate = {
      issuerSpki: options.sctIssuer ?? this.key.spki,
      tbs: tbsCertificate(parts),
      at: options.sctAt ?? parts.notBefore,
    };
    const scts = logs.map((log) => log.vouch(precertificate));
    const extensions = scts.length === 0 ? parts.extensions : [...parts.extensions, sctList(scts)];
    const leaf = certificate({ ...parts, extensions });
    return { leaf, chain: [leaf, ...this.chain] };
  }

  #leafParts(options: IssueOptions): CertificateParts {
    const spki = options.publicKey.export({ type: "spki", format: "der" });
    const notBefore = options.notBefore ?? NOW;
    return {
      serial: this.#nextSerial(),
      subject: {},
      issuer: this.#issuer,
      notBefore,
      notAfter: options.notAfter ?? notBefore + 10 * MINUTE,
      spki,
      signer: options.signer ?? this.key,
      extensions: leafExtensions(options, spki, this.key.spki),
    };
  }

  #certifyIssuer(self: Issuer, by: Issuer, window: Partial<Window>, ...extensions: readonly Extension[]): Uint8Array {
    return certificate({
      serial: this.#nextSerial(),
      subject: self.subject,
      issuer: by.subject,
      notBefore: window.notBefore ?? FROM,
      notAfter: window.notAfter ?? UNTIL,
      spki: self.key.spki,
      signer: by.key,
      extensions: [
        ...extensions,
        keyUsage("certificates"),
        subjectKeyIdentifier(self.key.spki),
        ...(self === by ? [] : [authorityKeyIdentifier(by.key.spki)]),
      ],
    });
  }

  #nextSerial(): bigint {
    this.#serial += 1n;
    return this.#serial;
  }
}

function leafExtensions(options: IssueOptions, spki: Uint8Array, issuerSpki: Uint8Array): readonly Extension[] {
  const names = [options.subject ?? { email: SUBJECT }].flat();
  const usages = options.extendedKeyUsage ?? [USAGES.codeSigning];
  return [
    keyUsage(options.isCa === true ? "both" : "digitalSignature"),
    ...(usages.length === 0 ? [] : [extendedKeyUsage(usages)]),
    ...(options.isCa === undefined ? [] : [basicConstraints(options.isCa)]),
    subjectKeyIdentifier(spki),
    authorityKeyIdentifier(issuerSpki),
    ...(names.length === 0 ? [] : [alternativeNames(names)]),
    ...issuerExtensions(options),
    ...claimExtensions(options.claims ?? {}),
    ...(options.extensions ?? []),
  ];
}

/** Fulcio's arc, where it says what an identity provider said (docs/oid-info.md). */
const fulcio = (number: number): string => `1.3.6.1.4.1.57264.1.${number}`;

function issuerExtensions({
  issuer = ISSUER,
  oldIssuer = issuer,
  issuerIn = "both",
}: IssueOptions): readonly Extension[] {
  return [
    ...(issuerIn === "both" || issuerIn === "old" ? [{ id: fulcio(1), value: Buffer.from(oldIssuer) }] : []),
    ...(issuerIn === "both" || issuerIn === "new" ? [{ id: fulcio(8), value: utf8(issuer) }] : []),
  ];
}

/** Those up to .6 are bare text, the later ones UTF8String. */
function claimExtensions(claims: NonNullable<IssueOptions["claims"]>): readonly Extension[] {
  return Object.entries(claims).map(([claim, text]) => {
    const number = CLAIMS[claim as ClaimName];
    return { id: fulcio(number), value: number <= 6 ? Buffer.from(text) : utf8(text) };
  });
}

export function certificatePem(content: Uint8Array): string {
  return formatPem({ label: "CERTIFICATE", content });
}
