import type { Finding } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { Instant } from "../time.ts";
import type { VulnerabilitiesRequirement } from "./document.ts";

/** What a scan may say. */
export type VulnerabilityDemands = Pick<
  VulnerabilitiesRequirement,
  "maxAge" | "severityAtMost" | "fixableOnly" | "except"
> & {
  /** Milliseconds since a VEX statement was signed or, where no time is proven, since its document says it was issued. */
  readonly vexMaxAge?: number | undefined;
};

/** A statement about the image that is judged, its signature and its signer proven and wanted. */
export interface SignedStatement {
  readonly predicateType: string;
  readonly statement: JsonObject;
  /** Who signed it, in words. */
  readonly signer: string;
  /** The earliest proven time. */
  readonly signedAt?: Instant | undefined;
}

/** What one scan comes to. */
export type Assessment =
  /** `warnings`: what the scan names and an exception or a VEX statement answers for. */
  | { readonly acceptable: true; readonly scannedAt: Instant; readonly warnings: readonly Finding[] }
  /** `vulnerable`, `scan-old` or `scan-invalid`. */
  | { readonly acceptable: false; readonly scannedAt?: Instant | undefined; readonly finding: Finding };
