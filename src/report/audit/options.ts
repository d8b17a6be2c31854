import type { Style } from "../style.ts";

/** What a report of an audit can be told beside the audit. */
export interface AuditReportOptions {
  /** For the text; the other formats have no colours. */
  readonly style: Style;
  /** Of countersign, for formats that name the tool. */
  readonly version: string;
  /**
   * Where the sources' files are shown, as of the commit that was audited: `https://github.com/acme/app/blob/9f2c41…`.
   * Files below the current folder become links there.
   */
  readonly files?: string | undefined;
}
