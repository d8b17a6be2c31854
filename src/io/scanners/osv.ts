import { CountersignError } from "../../core/errors.ts";
import { type Dialect, memberAt, noResult } from "./scanner.ts";

/** Flags that say where it looks. */
const SOURCES = /^--?(?:offline|offline-vulnerabilities|download-offline-databases)(?:=|$)/;

/** Its databases are downloaded, and looked into on this machine. */
const DOWNLOADED = ["--offline-vulnerabilities", "--download-offline-databases"];

/**
 * OSV-Scanner (google.github.io/osv-scanner, "Scan Image"). Where osv.dev does not answer, or a database is missing, 2.5
 * prints an empty list and exits with 0. It says on standard error which databases it has loaded, and which it could not:
 * only with databases on this machine is nothing known to mean nothing.
 */
export const osvScanner: Dialect = {
  name: "osv-scanner",
  uri: "pkg:github/google/osv-scanner",
  form: "docker-archive",
  variables: /^OSV_(?:SCANNER|SCALIBR)_LOCAL_DB_CACHE_DIRECTORY$/,
  scanArguments: (image, extra) => [
    "scan",
    "image",
    ...(extra.some((arg) => SOURCES.test(arg)) ? [] : DOWNLOADED),
    ...extra,
    "--verbosity",
    "info",
    "--format",
    "json",
    "--archive",
    image,
  ],
  /** 1: there are vulnerabilities. */
  finished: [0, 1],
  versionArguments: ["--version"],
  readVersion: (stdout) => /^osv-scanner version: v?(\S+)/m.exec(stdout)?.[1],
  checkResult(result, { lines }) {
    if (!Array.isArray(memberAt(result, "results"))) {
      throw noResult("osv-scanner", "JSON of another kind", 'a list "results"');
    }
    const unloaded = lines.find((line) => /could not load db for /i.test(line));
    if (unloaded !== undefined) throw unasked(unloaded.trim());
    if (!lines.some((line) => /\bloaded \S.* local db\b/i.test(line))) throw unasked("no database that it had loaded");
  },
  async database() {
    return undefined;
  },
};

function unasked(found: string): CountersignError {
  return new CountersignError("scanner-error", "osv-scanner did not look up what it found", {
    found,
    wanted: "a database for everything that is in the image",
    next: "let it download its databases, or give it their folder in OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY and --scanner-arg=--offline",
  });
}
