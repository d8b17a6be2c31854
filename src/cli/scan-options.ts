import { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { SEVERITIES, type Severity } from "../core/formats/scans/severity.ts";
import { addIdentityOptions } from "./identity-options.ts";
import {
  collect,
  count,
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
import { addPolicyOptions, PUBLISHING, type ReplacedFlags, readPolicyOptions } from "./policy-options.ts";
import { addSignatoryOptions, readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";
import { addSignedTagOptions } from "./signed-tag-options.ts";
import { addProofOptions } from "./signer-options.ts";
import { readPolicyJudging, readVerifyOptions, type VerifyOptions } from "./verify-options.ts";

const SCAN_GROUP = "Scan:";
const ATTEST_GROUP = "What is attested:";
const REQUIRED_GROUP = "Scan only what is accepted:";

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
  addSignatoryOptions(command);
  return addSignedTagOptions(addRequiredOptions(addPolicyOptions(command, SCANNED)));
}

/** What an image has to be signed by to be scanned at all. `--key` and annotations are those of the attestation. */
function addRequiredOptions(command: Command): Command {
  grouped(command, REQUIRED_GROUP, [
    new Option("--verify-key <key>", "what this public key has signed (repeatable: any of them)").argParser(collect),
    new Option("--threshold <n>", "how many distinct keys and identities must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
  ]);
  return addProofOptions(addIdentityOptions(command));
}

const SCANNED: ReplacedFlags = { ...PUBLISHING, judgesFiles: true };

export interface ScanFlags {
  readonly scanner: ScannerName;
  readonly scannerArguments: readonly string[];
  /** Milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly recursive: boolean;
  readonly failOn: Severity | undefined;
  /** What an image is judged by before it is scanned; absent where anything is scanned. */
  readonly judged: VerifyOptions | undefined;
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
    judged: readJudged(raw),
    attest,
  };
}

/** @throws CountersignError `usage` where a policy and flags say what is wanted, and as `readVerifyOptions`. */
function readJudged(raw: RawOptions): VerifyOptions | undefined {
  // -r is for the scan here, and annotations are the attestation's.
  const judging = { ...raw, key: raw["verifyKey"], recursive: undefined, annotations: undefined };
  const policy = readPolicyOptions(raw, SCANNED);
  if (policy !== undefined) return readPolicyJudging(judging, policy);
  const { options } = addRequiredOptions(new Command());
  const isAsked = options
    .map((option) => raw[option.attributeName()])
    .some((value) => value !== undefined && value !== false);
  return isAsked ? readVerifyOptions(judging) : undefined;
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
