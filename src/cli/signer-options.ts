import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { addIdentityOptions, type IdentityOptions, readIdentityOptions } from "./identity-options.ts";
import { collect, flag, grouped, list, type RawOptions } from "./options.ts";
import { addTrustOptions, readTrustOptions, type TrustOptions } from "./trust-options.ts";

const SIGNER_GROUP = "Who must have signed:";
const PROOF_GROUP = "What proves it:";

/** Who must have signed and what has to prove it: on every command that verifies. */
export function addSignerOptions(command: Command): Command {
  grouped(command, SIGNER_GROUP, [
    new Option(
      "--key <key>",
      "accept signatures by this public key: a file or env://NAME (repeatable: any of them)",
    ).argParser(collect),
  ]);
  addIdentityOptions(command);
  addTrustOptions(command);
  return addProofOptions(command);
}

/** What has to prove a signature beside itself. */
export function addProofOptions(command: Command): Command {
  return grouped(command, PROOF_GROUP, [
    new Option("--use-signed-timestamps", "require that a timestamp authority vouches for the time of signing"),
    new Option("--insecure-ignore-tlog", "do not require that a transparency log holds the signature"),
    new Option(
      "--insecure-ignore-sct",
      "do not require that a certificate transparency log vouches for the certificate",
    ),
    new Option(
      "--insecure-use-current-time",
      "for private authorities: where nothing proves the time of signing, judge the certificate by the present",
    ),
  ]);
}

/** Which proofs are asked for, against what is usual. */
export interface ProofOptions {
  readonly ignoreLog: boolean;
  readonly ignoreCertificateLog: boolean;
  readonly signedTimestamps: boolean;
  readonly currentTime: boolean;
}

export interface SignerOptions {
  /** Files or `env://NAME`. */
  readonly keys: readonly string[];
  readonly identity: IdentityOptions | undefined;
  readonly proof: ProofOptions;
  readonly trust: TrustOptions;
}

/** @throws CountersignError `usage`: nobody is named, half of an identity is, flags contradict each other. */
export function readSignerOptions(raw: RawOptions, nobody: () => CountersignError = nobodyNamed): SignerOptions {
  const keys = list(raw, "key");
  const identity = readIdentityOptions(raw);
  if (keys.length === 0 && identity === undefined) throw nobody();
  const options = { keys, identity, proof: readProofOptions(raw), trust: readTrustOptions(raw) };
  requireSense(options);
  return options;
}

function nobodyNamed(): CountersignError {
  return new CountersignError("usage", "nothing says whose signature is wanted", {
    found: "neither a key nor an identity",
    wanted: "--key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
  });
}

export function readProofOptions(raw: RawOptions): ProofOptions {
  return {
    ignoreLog: flag(raw, "insecureIgnoreTlog"),
    ignoreCertificateLog: flag(raw, "insecureIgnoreSct"),
    signedTimestamps: flag(raw, "useSignedTimestamps"),
    currentTime: flag(raw, "insecureUseCurrentTime"),
  };
}

function requireSense({ identity, proof, trust }: SignerOptions): void {
  if (proof.signedTimestamps && proof.currentTime) {
    throw new CountersignError("usage", "two ways to tell the time of signing", {
      found: "--use-signed-timestamps and --insecure-use-current-time",
      wanted: "one of them",
    });
  }
  if (proof.signedTimestamps && identity === undefined && !namesTrust(trust)) {
    throw new CountersignError("usage", "nothing says which timestamp authorities to believe", {
      found: "--use-signed-timestamps with a key alone",
      wanted: "--trusted-root FILE or --trust NAME too",
    });
  }
}

/** Whether the flags say whom to believe; else the configuration does. */
export function namesTrust({ trustedRoot, instance }: TrustOptions): boolean {
  return trustedRoot !== undefined || instance !== undefined;
}

const WEAKENING: readonly (readonly [string, string])[] = [
  ["insecureIgnoreTlog", "--insecure-ignore-tlog"],
  ["insecureIgnoreSct", "--insecure-ignore-sct"],
  ["insecureUseCurrentTime", "--insecure-use-current-time"],
  ["allowHttpRegistry", "--allow-http-registry"],
  ["allowInsecureRegistry", "--allow-insecure-registry"],
];

/** Every flag that weakens a check, in the order of the help page, as it is printed in the verdict. */
export function weakenings(raw: RawOptions): readonly string[] {
  return WEAKENING.flatMap(([name, spelled]) => (flag(raw, name) ? [spelled] : []));
}
