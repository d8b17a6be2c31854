import { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
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
import { addPolicyOptions, type PolicyOptions, readPolicyOptions, VERIFYING } from "./policy-options.ts";
import { addSignedTagOptions, readSignedTagOptions, type SignedTagOptions } from "./signed-tag-options.ts";
import {
  addSignerOptions,
  readProofOptions,
  readSignerOptions,
  type SignerOptions,
  weakenings,
} from "./signer-options.ts";
import { addTrustOptions, readTrustOptions } from "./trust-options.ts";

const VERIFY_GROUP = "Verification:";

/** What must hold for an image: on every command that ends in a verdict on one. */
export function addVerifyOptions(command: Command): Command {
  addJudgingOptions(command);
  return grouped(command, VERIFY_GROUP, [
    new Option("--exit-codes <table>", "exit codes for refusals")
      .choices(["countersign", "cosign"])
      .default("countersign"),
  ]);
}

/** The same where a refusal is one finding among others. */
export function addJudgingOptions(command: Command): Command {
  addPolicyOptions(command, VERIFYING);
  addSignerOptions(command);
  addEvidenceOptions(command);
  addAttestationOptions(command);
  addSignedTagOptions(command);
  return addGithubOptions(command);
}

/** What evidence has to be like, whoever made it, and what is judged. */
function addEvidenceOptions(command: Command): Command {
  return grouped(command, VERIFY_GROUP, [
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
  ]);
}

export interface VerifyOptions {
  /** What says who must have signed what; absent where the flags do. */
  readonly policy: PolicyOptions | undefined;
  /** Nobody where a policy says it; whom to believe is the default of the identities in it then. */
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
  readonly tags: SignedTagOptions;
  /** Nobody is named, and no policy: where a root is pinned, a signed tag is enough by itself. */
  readonly byTagAlone: boolean;
}

/**
 * @throws CountersignError `usage`: nobody is named, a policy and somebody are, an annotation that is not a pair.
 */
export function readVerifyOptions(raw: RawOptions): VerifyOptions {
  const policy = readPolicyOptions(raw, VERIFYING);
  if (policy !== undefined) return readPolicyJudging(raw, policy);
  const signers = readSignerOptions(raw, nothingAsked);
  return {
    ...readCommon(raw),
    policy,
    signers,
    github: readGithubOptions(raw, signers.identity),
    attestation: readAttestationOptions(raw),
    threshold: number(raw, "threshold") ?? 1,
    annotations: readAnnotations(list(raw, "annotations")),
    signedAs: readSignedAs(raw),
  };
}

/** The same on commands that may do with a signed tag alone: nothing that asks for more than that is given. */
export function readTaggedOptions(raw: RawOptions): VerifyOptions {
  if (EVIDENCE.some((name) => isGiven(raw, name))) return readVerifyOptions(raw);
  return {
    ...readCommon(raw),
    ...NO_EVIDENCE,
    policy: undefined,
    signers: nobody(raw),
    github: undefined,
    signedAs: readSignedAs(raw),
    byTagAlone: true,
  };
}

/** Flags that say something of evidence. The names of options. */
const EVIDENCE: readonly string[] = attributesOf((command) => {
  addPolicyOptions(command, VERIFYING);
  addSignerOptions(command);
  addAttestationOptions(command);
  addGithubOptions(command);
  return addEvidenceOptions(command);
}).filter((name) => !["recursive", "signedAs", ...attributesOf(addTrustOptions)].includes(name));

function attributesOf(add: (command: Command) => Command): readonly string[] {
  return add(new Command()).options.map((option) => option.attributeName());
}

function isGiven(raw: RawOptions, name: string): boolean {
  return raw[name] !== undefined && raw[name] !== false;
}

const NO_EVIDENCE = { attestation: undefined, threshold: 1, annotations: {} } as const;

function nobody(raw: RawOptions): SignerOptions {
  return { keys: [], identity: undefined, proof: readProofOptions(raw), trust: readTrustOptions(raw) };
}

function readSignedAs(raw: RawOptions): readonly string[] {
  return list(raw, "signedAs").map((name) => readRepository("--signed-as", name));
}

/** The same where a policy says what is wanted. @throws CountersignError `usage`. */
export function readPolicyJudging(raw: RawOptions, policy: PolicyOptions): VerifyOptions {
  return {
    ...readCommon(raw),
    ...NO_EVIDENCE,
    policy,
    signers: nobody(raw),
    github: readGithubOptions(raw, "by policy"),
    signedAs: [],
  };
}

type Common = Pick<VerifyOptions, "recursive" | "bundles" | "weakened" | "exitCodes" | "tags" | "byTagAlone">;

function readCommon(raw: RawOptions): Common {
  return {
    tags: readSignedTagOptions(raw),
    byTagAlone: false,
    recursive: flag(raw, "recursive"),
    bundles: list(raw, "bundle"),
    weakened: weakenings(raw),
    exitCodes: text(raw, "exitCodes") === "cosign" ? "cosign" : "countersign",
  };
}

function nothingAsked(): CountersignError {
  return new CountersignError("usage", "nothing says whose signature is wanted", {
    found: "neither a policy, nor a key, nor an identity",
    wanted: "--policy FILE, --key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
  });
}
