import { type Command, Option } from "commander";
import { type AttestationOptions, addAttestationOptions, readAttestationOptions } from "./attestation-options.ts";
import { addGithubOptions, type GithubOptions, readGithubOptions } from "./github-options.ts";
import {
  collect,
  count,
  flag,
  grouped,
  list,
  number,
  type RawOptions,
  readAnnotations,
  readRepository,
  text,
} from "./options.ts";
import { addSignerOptions, readSignerOptions, type SignerOptions, weakenings } from "./signer-options.ts";

const VERIFY_GROUP = "Verification:";

/** What must hold for an image: on every command that ends in a verdict on one. */
export function addVerifyOptions(command: Command): Command {
  addSignerOptions(command);
  grouped(command, VERIFY_GROUP, [
    new Option("--threshold <n>", "how many distinct keys and identities must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
    new Option("-a, --annotations <name=value>", "an annotation the signature must carry (repeatable)").argParser(
      collect,
    ),
    new Option("-r, --recursive", "judge the index and every platform in it"),
    new Option("--signed-as <name>", "for mirrors: the repository the image was signed under (repeatable)").argParser(
      collect,
    ),
    new Option(
      "--bundle <file>",
      "judge by the Sigstore bundle in this file instead of what is stored beside the image (repeatable)",
    ).argParser(collect),
    new Option("--exit-codes <table>", "exit codes for refusals")
      .choices(["countersign", "cosign"])
      .default("countersign"),
  ]);
  addAttestationOptions(command);
  return addGithubOptions(command);
}

export interface VerifyOptions {
  readonly signers: SignerOptions;
  /** The attestation that is wanted instead of a signature. */
  readonly attestation: AttestationOptions | undefined;
  /** Where else attestations are looked for. */
  readonly github: GithubOptions | undefined;
  readonly threshold: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly recursive: boolean;
  /** `registry/repository`, normalised. */
  readonly signedAs: readonly string[];
  /** Files. */
  readonly bundles: readonly string[];
  /** As they shall be printed in the verdict. */
  readonly weakened: readonly string[];
  readonly exitCodes: "countersign" | "cosign";
}

/** @throws CountersignError `usage`: nobody is named, an annotation that is not a pair. */
export function readVerifyOptions(raw: RawOptions): VerifyOptions {
  const signers = readSignerOptions(raw);
  return {
    signers,
    github: readGithubOptions(raw, signers.identity),
    attestation: readAttestationOptions(raw),
    threshold: number(raw, "threshold") ?? 1,
    annotations: readAnnotations(list(raw, "annotations")),
    recursive: flag(raw, "recursive"),
    signedAs: list(raw, "signedAs").map((name) => readRepository("--signed-as", name)),
    bundles: list(raw, "bundle"),
    weakened: weakenings(raw),
    exitCodes: text(raw, "exitCodes") === "cosign" ? "cosign" : "countersign",
  };
}
