import { bits, context, contextText, element, flag, integer, octets, oid, sequence, setOf, time, utf8 } from "./der.ts";
import { digest, type FakeKey, signatureAlgorithm } from "./keys.ts";
import type { Window } from "./times.ts";

/** RFC 5280 §4.1 and §4.2: certificates with whatever parts a test wants. */

export interface Extension {
  readonly id: string;
  readonly critical?: boolean | undefined;
  /** The DER inside `extnValue`, or for the oldest of Fulcio's extensions a bare text. */
  readonly value: Uint8Array;
}

/** In this order; empty for a certificate that is named by its alternative names alone. */
export interface Name {
  readonly organization?: string | undefined;
  readonly commonName?: string | undefined;
}

export interface CertificateParts extends Window {
  readonly serial: bigint;
  readonly subject: Name;
  readonly issuer: Name;
  readonly spki: Uint8Array;
  readonly signer: FakeKey;
  readonly extensions: readonly Extension[];
}

export const USAGES = {
  codeSigning: "1.3.6.1.5.5.7.3.3",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  any: "2.5.29.37.0",
} as const;

/** What is signed: for a precertificate the same without the list of SCTs (RFC 6962 §3.2). */
export function tbsCertificate(parts: CertificateParts): Buffer {
  const { serial, subject, issuer, notBefore, notAfter, spki, signer, extensions } = parts;
  return sequence(
    context(0, integer(2)),
    integer(serial),
    signatureAlgorithm(signer),
    name(issuer),
    sequence(time(notBefore), time(notAfter)),
    name(subject),
    spki,
    context(3, sequence(...extensions.map(writeExtension))),
  );
}

export function certificate(parts: CertificateParts): Buffer {
  const tbs = tbsCertificate(parts);
  return sequence(tbs, signatureAlgorithm(parts.signer), bits(parts.signer.sign(tbs)));
}

function writeExtension({ id, critical = false, value }: Extension): Buffer {
  return sequence(oid(id), ...(critical ? [flag(true)] : []), octets(value));
}

export function name({ organization, commonName }: Name): Buffer {
  const attribute = (id: string, text: string | undefined) =>
    text === undefined ? [] : [setOf(sequence(oid(id), utf8(text)))];
  return sequence(...attribute("2.5.4.10", organization), ...attribute("2.5.4.3", commonName));
}

// --- extensions -------------------------------------------------------------------------------------------------------

/** RFC 5280 §4.2.1.3, as the one byte of named bits. */
const KEY_USAGES = {
  digitalSignature: bits(Buffer.of(0x80), 7),
  certificates: bits(Buffer.of(0x06), 1),
  both: bits(Buffer.of(0x84), 2),
} as const;

export function keyUsage(usage: keyof typeof KEY_USAGES): Extension {
  return { id: "2.5.29.15", critical: true, value: KEY_USAGES[usage] };
}

export function extendedKeyUsage(usages: readonly string[], critical = false): Extension {
  return { id: "2.5.29.37", critical, value: sequence(...usages.map(oid)) };
}

export function basicConstraints(isCa: boolean, pathLength?: number): Extension {
  const parts = isCa ? [flag(true), ...(pathLength === undefined ? [] : [integer(pathLength)])] : [];
  return { id: "2.5.29.19", critical: true, value: sequence(...parts) };
}

export function keyIdentifier(spki: Uint8Array): Buffer {
  return digest(spki).subarray(0, 20);
}

export function subjectKeyIdentifier(spki: Uint8Array): Extension {
  return { id: "2.5.29.14", value: octets(keyIdentifier(spki)) };
}

export function authorityKeyIdentifier(spki: Uint8Array): Extension {
  return { id: "2.5.29.35", value: sequence(element(0x80, keyIdentifier(spki))) };
}

/** One name of a subject; `otherName` is Fulcio's user name, `dns` is what no signing certificate should carry. */
export type AlternativeName =
  | { readonly email: string }
  | { readonly uri: string }
  | { readonly otherName: string }
  | { readonly dns: string };

const USER_NAME = "1.3.6.1.4.1.57264.1.7";

export function alternativeNames(names: readonly AlternativeName[], critical = true): Extension {
  return { id: "2.5.29.17", critical, value: sequence(...names.map(generalName)) };
}

function generalName(subject: AlternativeName): Buffer {
  if ("email" in subject) return contextText(1, subject.email);
  if ("dns" in subject) return contextText(2, subject.dns);
  if ("uri" in subject) return contextText(6, subject.uri);
  return context(0, oid(USER_NAME), context(0, utf8(subject.otherName)));
}
