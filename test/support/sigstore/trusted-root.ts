import type { JsonObject, JsonValue } from "../../../src/core/json.ts";
import { formatInstant, instant } from "../../../src/core/time.ts";
import type { FakeAuthority } from "./authority.ts";
import type { FakeCertificateLog } from "./certificate-log.ts";
import type { FakeLog } from "./log.ts";
import { FROM } from "./times.ts";
import type { FakeTimestampAuthority } from "./timestamp-authority.ts";

/** Milliseconds since 1970; an open end is absent, and so is a missing start, which is an error. */
export interface ValidFor {
  readonly start?: number;
  readonly end?: number;
}

/** Somebody in a trust root with something else than the usual beside it. */
export interface Listed<T> {
  readonly of: T;
  /** From 2024 on by default. */
  readonly validFor?: ValidFor;
  /** Members that are added or put in place of others; an undefined one is left out. */
  readonly with?: Readonly<Record<string, JsonValue | undefined>>;
}

export interface TrustedRootParts {
  readonly authorities?: readonly (FakeAuthority | Listed<FakeAuthority>)[];
  readonly logs?: readonly (FakeLog | Listed<FakeLog>)[];
  readonly certificateLogs?: readonly (FakeCertificateLog | Listed<FakeCertificateLog>)[];
  readonly timestampAuthorities?: readonly (FakeTimestampAuthority | Listed<FakeTimestampAuthority>)[];
  readonly version?: keyof typeof MEDIA_TYPES;
}

const MEDIA_TYPES = {
  /** What the public instance writes. */
  "0.1": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  "v0.1": "application/vnd.dev.sigstore.trustedroot.v0.1+json",
  "v0.2": "application/vnd.dev.sigstore.trustedroot.v0.2+json",
} as const;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** The bytes of a `trusted_root.json`. From v0.2 on logs have a `checkpointKeyId` of four bytes and everybody an operator. */
export function trustedRoot({ version = "0.1", ...parts }: TrustedRootParts): Uint8Array {
  const isSecond = version === "v0.2";
  const document = {
    mediaType: MEDIA_TYPES[version],
    tlogs: (parts.logs ?? []).map((log) => listed(log, (each) => logInstance(each, isSecond))),
    certificateAuthorities: (parts.authorities ?? []).map((ca) => listed(ca, (each) => authority(each, isSecond))),
    ctlogs: (parts.certificateLogs ?? []).map((log) => listed(log, (each) => logInstance(each, isSecond))),
    timestampAuthorities: (parts.timestampAuthorities ?? []).map((tsa) =>
      listed(tsa, (each) => authority(each, isSecond)),
    ),
  };
  return Buffer.from(JSON.stringify(document, null, 2));
}

type WriteListed<T> = (each: Listed<T>) => JsonObject;

function listed<T extends object>(who: T | Listed<T>, write: WriteListed<T>): Record<string, JsonValue | undefined> {
  const each: Listed<T> = "of" in who ? who : { of: who };
  return { ...write(each), ...each.with };
}

function logInstance({ of, validFor }: Listed<FakeLog | FakeCertificateLog>, isSecond: boolean): JsonObject {
  return {
    baseUrl: of.baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: {
      rawBytes: base64(of.key.spki),
      keyDetails: of.key.keyDetails,
      ...window(validFor),
    },
    logId: { keyId: base64(of.logId) },
    ...(isSecond ? { checkpointKeyId: { keyId: base64(of.logId.subarray(0, 4)) }, operator: of.operator } : {}),
  };
}

function authority({ of, validFor }: Listed<FakeAuthority | FakeTimestampAuthority>, isSecond: boolean): JsonObject {
  return {
    subject: { organization: of.name, commonName: "root" },
    uri: of.uri,
    certChain: { certificates: of.chain.map((each) => ({ rawBytes: base64(each) })) },
    ...window(validFor),
    ...(isSecond ? { operator: of.operator } : {}),
  };
}

function window({ start, end }: ValidFor = { start: FROM }): JsonObject {
  const at = (name: string, moment: number | undefined) =>
    moment === undefined ? {} : { [name]: formatInstant(instant(moment)) };
  return { validFor: { ...at("start", start), ...at("end", end) } };
}
