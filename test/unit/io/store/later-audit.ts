import type { Audit } from "../../../../src/core/audit/audit.ts";
import { instant } from "../../../../src/core/time.ts";
import { largeAudit, SAMPLE_AT } from "../../../support/sample-audit.ts";

const HOUR = 3_600_000;

/** The audit of so many hours later. */
export function laterAudit(hours: number, images: number): Audit {
  return { ...largeAudit(images), at: instant(SAMPLE_AT + hours * HOUR) };
}
