import { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { addIdentityOptions, readIdentityOptions } from "./identity-options.ts";
import { collect, count, flag, grouped, type RawOptions } from "./options.ts";
import { addPolicyOptions, PUBLISHING, readPolicyOptions } from "./policy-options.ts";
import { addSigningOptions } from "./sign-options.ts";
import { addProofOptions } from "./signer-options.ts";
import { readPolicyJudging, readVerifyOptions, type VerifyOptions } from "./verify-options.ts";

const PUBLISHED_GROUP = "Instead of signing, require a signature:";

/** What push may ask of an image before it gets its name, and instead of signing it. */
export function addPublishedOptions(command: Command): Command {
  addPolicyOptions(command, PUBLISHING);
  return addRequiredOptions(command);
}

/** Signatures that have to be there already. */
function addRequiredOptions(command: Command): Command {
  grouped(command, PUBLISHED_GROUP, [
    new Option(
      "--verify-key <key>",
      "sign nothing: publish what this public key has signed already (repeatable: any of them)",
    ).argParser(collect),
    new Option("--threshold <n>", "how many distinct keys and identities must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
    new Option("--already-signed", "sign nothing: publish what --policy accepts as it is"),
  ]);
  addIdentityOptions(command);
  return addProofOptions(command);
}

/** How an image comes to be accepted. */
export interface PublishedOptions {
  /** Nothing is signed: it has to be signed already. */
  readonly isSigned: boolean;
  /** What it is judged by; undefined for the signature that is made here. */
  readonly judged: VerifyOptions | undefined;
}

/**
 * @throws CountersignError `usage` where the image is to be signed and to be signed already, where a policy and flags say
 * what is wanted, and as `readVerifyOptions`.
 */
export function readPublishedOptions(raw: RawOptions): PublishedOptions {
  const policy = readPolicyOptions(raw, PUBLISHING);
  const [asked] = givenOf(addRequiredOptions, raw);
  if (asked === undefined && policy === undefined) return { isSigned: false, judged: undefined };
  if (policy !== undefined) {
    const isSigned = flag(raw, "alreadySigned");
    if (isSigned) refuseSigning(raw, "--already-signed", SHARED_WITH_POLICY);
    return { isSigned, judged: readPolicyJudging(raw, policy) };
  }
  refuseSigning(raw, asked ?? "", SHARED);
  const { verifyKey: key, signContainerIdentity: name } = raw;
  if (key === undefined && readIdentityOptions(raw) === undefined) {
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      found: `${asked} alone`,
      wanted: "--policy FILE, --verify-key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
    });
  }
  return { isSigned: true, judged: readVerifyOptions({ ...raw, key, signedAs: name === undefined ? [] : [name] }) };
}

function refuseSigning(raw: RawOptions, asked: string, shared: ReadonlySet<string>): void {
  const [signing] = givenOf(addSigningOptions, raw).filter((name) => !shared.has(name));
  if (signing === undefined) return;
  throw new CountersignError("usage", "an image is signed here, or has to be signed already", {
    found: `${signing} and ${asked}`,
    wanted: "one of them",
  });
}

const SHARED_WITH_POLICY: ReadonlySet<string> = new Set([
  ...["--recursive", "--yes", "--trusted-root", "--trust", "--offline", "--config"],
]);

/** Flags that mean the same to both: what a signature shall carry, or has to. */
const SHARED: ReadonlySet<string> = new Set([...SHARED_WITH_POLICY, "--annotations", "--sign-container-identity"]);

/** Which flags of a group were given. */
function givenOf(add: (command: Command) => Command, raw: RawOptions): readonly string[] {
  return add(new Command()).options.flatMap((option) => {
    const value = raw[option.attributeName()];
    return value === undefined || value === false ? [] : [option.long ?? option.flags];
  });
}
