import { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { addIdentityOptions, readIdentityOptions } from "./identity-options.ts";
import { collect, count, grouped, type RawOptions } from "./options.ts";
import { addSigningOptions } from "./sign-options.ts";
import { addProofOptions } from "./signer-options.ts";
import { readVerifyOptions, type VerifyOptions } from "./verify-options.ts";

const PUBLISHED_GROUP = "Instead of signing, require a signature:";

/** What push may ask for instead of signing: signatures that came with the image. */
export function addPublishedOptions(command: Command): Command {
  grouped(command, PUBLISHED_GROUP, [
    new Option(
      "--verify-key <key>",
      "sign nothing: publish what this public key has signed already (repeatable: any of them)",
    ).argParser(collect),
    new Option("--threshold <n>", "how many distinct keys and identities must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
  ]);
  addIdentityOptions(command);
  return addProofOptions(command);
}

/**
 * undefined where the image is to be signed.
 *
 * @throws CountersignError `usage` where it is to be signed and to be signed already, and as `readVerifyOptions`.
 */
export function readPublishedOptions(raw: RawOptions): VerifyOptions | undefined {
  const [asked] = givenOf(addPublishedOptions, raw);
  if (asked === undefined) return undefined;
  const [signing] = givenOf(addSigningOptions, raw).filter((flag) => !SHARED.has(flag));
  if (signing !== undefined) {
    throw new CountersignError("usage", "an image is signed here, or has to be signed already", {
      found: `${signing} and ${asked}`,
      wanted: "one of them",
    });
  }
  const { verifyKey: key, signContainerIdentity: name } = raw;
  if (key === undefined && readIdentityOptions(raw) === undefined) {
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      found: `${asked} alone`,
      wanted: "--verify-key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
    });
  }
  return readVerifyOptions({ ...raw, key, signedAs: name === undefined ? [] : [name] });
}

/** Flags that mean the same to both: what a signature shall carry, or has to. */
const SHARED: ReadonlySet<string> = new Set([
  "--annotations",
  "--recursive",
  "--sign-container-identity",
  "--yes",
  "--trusted-root",
  "--trust",
  "--offline",
  "--config",
]);

/** Which flags of a group were given. */
function givenOf(add: (command: Command) => Command, raw: RawOptions): readonly string[] {
  return add(new Command()).options.flatMap((option) => {
    const value = raw[option.attributeName()];
    return value === undefined || value === false ? [] : [option.long ?? option.flags];
  });
}
