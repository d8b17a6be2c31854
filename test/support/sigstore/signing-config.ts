import type { JsonObject, JsonValue } from "../../../src/core/json.ts";
import { formatInstant, instant } from "../../../src/core/time.ts";
import { FROM } from "./times.ts";
import type { ValidFor } from "./trusted-root.ts";

/** A service in a signing configuration (protobuf-specs, sigstore_trustroot.proto). */
export interface ListedService {
  readonly url: string;
  readonly majorApiVersion?: number;
  readonly operator?: string;
  readonly validFor?: ValidFor;
}

export interface Selection {
  readonly selector: "ANY" | "ALL" | "EXACT" | "SERVICE_SELECTOR_UNDEFINED";
  readonly count?: number;
}

export interface SigningConfigParts {
  readonly authorities?: readonly ListedService[];
  readonly issuers?: readonly ListedService[];
  readonly logs?: readonly ListedService[];
  readonly logSelection?: Selection;
  readonly timestampAuthorities?: readonly ListedService[];
  readonly timestampSelection?: Selection;
  /** Members that are added or put in place of others; an undefined one is left out. */
  readonly with?: Readonly<Record<string, JsonValue | undefined>>;
}

/** The bytes of a `signing_config.json` v0.2. */
export function signingConfig(parts: SigningConfigParts): Uint8Array {
  const { logSelection = { selector: "ANY" }, timestampSelection = { selector: "ANY" } } = parts;
  const document = {
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    caUrls: (parts.authorities ?? []).map(writeService),
    oidcUrls: (parts.issuers ?? []).map(writeService),
    rekorTlogUrls: (parts.logs ?? []).map(writeService),
    rekorTlogConfig: logSelection,
    tsaUrls: (parts.timestampAuthorities ?? []).map(writeService),
    tsaConfig: timestampSelection,
    ...parts.with,
  };
  return Buffer.from(JSON.stringify(document, null, 2));
}

function writeService({ url, majorApiVersion = 1, operator = "example.com", validFor }: ListedService): JsonObject {
  const { start = FROM, end } = validFor ?? {};
  const until = end === undefined ? {} : { end: formatInstant(instant(end)) };
  return { url, majorApiVersion, validFor: { start: formatInstant(instant(start)), ...until }, operator };
}
