import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { SEVERITIES, type Severity } from "../core/formats/scans/severity.ts";
import {
  collect,
  duration,
  flag,
  grouped,
  list,
  once,
  type RawOptions,
  readAnnotations,
  readRepository,
  text,
} from "./options.ts";
import { addSignatoryOptions, readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

const SCAN_GROUP = "Scan:";
const ATTEST_GROUP = "What is attested:";

export const SCANNERS = ["trivy", "grype", "osv-scanner"] as const;
export type ScannerName = (typeof SCANNERS)[number];

/** What is scanned, with what, and who signs what was found. */
export function addScanOptions(command: Command): Command {
  grouped(command, SCAN_GROUP, [
    new Option("--scanner <name>", "the installed scanner to run").choices(SCANNERS),
    new Option("--scanner-arg <arg>", "a flag to hand on to the scanner (repeatable)").argParser(collect),
    new Option("--scan-timeout <duration>", "end a scan that takes longer (default: 30m)").argParser(duration),
    new Option("-r, --recursive", "scan every platform of an index"),
    new Option(
      "--fail-on <severity>",
      "exit with 1 where a vulnerability of this severity or a worse one is found",
    ).choices(SEVERITIES.slice(1)),
  ]);
  grouped(command, ATTEST_GROUP, [
    new Option("--attest", "sign what was found and store it beside the image"),
    new Option("--reduced", "attest identifiers, severities, packages and fixes alone, as in-toto's vulns/v0.2"),
    new Option("-a, --annotations <name=value>", "an annotation to sign along (repeatable)").argParser(collect),
    new Option(
      "--sign-container-identity <name>",
      "the repository that the statement shall name (default: where the image is)",
    ).argParser(once("--sign-container-identity")),
  ]);
  return addSignatoryOptions(command);
}

export interface ScanFlags {
  readonly scanner: ScannerName;
  readonly scannerArguments: readonly string[];
  /** Milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly recursive: boolean;
  readonly failOn: Severity | undefined;
  /** Absent where nothing is signed. */
  readonly attest: AttestWish | undefined;
}

export interface AttestWish {
  readonly signatory: SignatoryOptions;
  readonly reduced: boolean;
  readonly annotations: Readonly<Record<string, string>>;
  /** `registry/repository`, normalised. */
  readonly signAs: string | undefined;
}

/**
 * @param isOnLine whether an option, by its attribute's name, stands on the command line: variables are for all commands.
 * @throws CountersignError `usage`: no scanner, flags of a signature where none is made.
 */
export function readScanOptions(raw: RawOptions, isOnLine: (name: string) => boolean): ScanFlags {
  const scanner = SCANNERS.find((name) => name === text(raw, "scanner"));
  if (scanner === undefined) {
    throw new CountersignError("usage", "nothing says what to scan with", {
      found: "no --scanner",
      wanted: SCANNERS.map((name) => `--scanner ${name}`).join(" or "),
    });
  }
  const attest = flag(raw, "attest") ? readAttest(raw) : undefined;
  if (attest === undefined) refuseSigning(isOnLine);
  const timeout = raw["scanTimeout"];
  return {
    scanner,
    scannerArguments: list(raw, "scannerArg"),
    timeoutMs: typeof timeout === "number" ? timeout : undefined,
    recursive: flag(raw, "recursive"),
    failOn: SEVERITIES.find((severity) => severity === text(raw, "failOn")),
    attest,
  };
}

function readAttest(raw: RawOptions): AttestWish {
  const signAs = text(raw, "signContainerIdentity");
  return {
    signatory: readSignatoryOptions(raw),
    reduced: flag(raw, "reduced"),
    annotations: readAnnotations(list(raw, "annotations")),
    signAs: signAs === undefined ? undefined : readRepository("--sign-container-identity", signAs),
  };
}

const OF_SIGNATURES: readonly (readonly [string, string])[] = [
  ["key", "--key"],
  ["identityToken", "--identity-token"],
  ["signingConfig", "--signing-config"],
  ["reduced", "--reduced"],
  ["annotations", "--annotations"],
  ["signContainerIdentity", "--sign-container-identity"],
];

/** Whoever names a key believes that something is signed. */
function refuseSigning(isOnLine: (name: string) => boolean): void {
  const given = OF_SIGNATURES.find(([name]) => isOnLine(name));
  if (given === undefined) return;
  throw new CountersignError("usage", "nothing is signed without --attest", {
    found: `${given[1]} alone`,
    wanted: "--attest too",
  });
}
