import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { DURATION_FORM, parseDuration } from "../core/policy/duration.ts";
import type { IdentityOptions } from "./identity-options.ts";
import { collect, grouped, list, once, type RawOptions, text } from "./options.ts";

const PIN_GROUP = "Whose policy, where it is fetched from a registry:";

/** Who must have signed a policy that is fetched. None of it says anything of images. */
export function addPolicyPinOptions(command: Command): Command {
  return grouped(command, PIN_GROUP, [
    new Option("--policy-key <key>", "this public key has signed the policy (repeatable: any of them)").argParser(
      collect,
    ),
    new Option(
      "--policy-certificate-identity <name>",
      "exactly this email address, URI or user name has signed the policy",
    ).argParser(once("--policy-certificate-identity")),
    new Option(
      "--policy-certificate-oidc-issuer <url>",
      "exactly this OIDC issuer vouched for who signed the policy",
    ).argParser(once("--policy-certificate-oidc-issuer")),
    new Option(
      "--policy-max-age <duration>",
      "the policy was published within this time, by its signer's word: 36h, 90d",
    ).argParser(readMaxAge),
  ]);
}

/** Whose policy it has to be. */
export interface PolicyPinOptions {
  /** Files or `env://NAME`. */
  readonly keys: readonly string[];
  readonly identity: IdentityOptions | undefined;
  /** Milliseconds. */
  readonly maxAge: number | undefined;
}

/** Long names, by what commander calls them. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ["policyKey", "--policy-key"],
  ["policyCertificateIdentity", "--policy-certificate-identity"],
  ["policyCertificateOidcIssuer", "--policy-certificate-oidc-issuer"],
  ["policyMaxAge", "--policy-max-age"],
]);

export const POLICY_PIN_FLAGS: readonly string[] = [...FLAGS.values()];

/** Whether a policy is named that is in a registry; else it is a file. */
export function isPublishedPolicy(policy: string): boolean {
  return policy.startsWith("oci://");
}

/**
 * @param policy as `--policy` names it, where it does.
 * @throws CountersignError `usage`: flags about a policy that is not fetched, half of an identity.
 */
export function readPolicyPin(raw: RawOptions, policy: string | undefined): PolicyPinOptions {
  const [given] = [...FLAGS].filter(([name]) => raw[name] !== undefined);
  if (given !== undefined && (policy === undefined || !isPublishedPolicy(policy))) {
    throw new CountersignError("usage", `${given[1]} is for a policy that is fetched`, {
      found: policy === undefined ? `${given[1]} alone` : `--policy ${policy}`,
      wanted: "--policy oci://registry/repository:tag",
    });
  }
  const maxAge = raw["policyMaxAge"];
  return {
    keys: list(raw, "policyKey"),
    identity: readIdentity(text(raw, "policyCertificateIdentity"), text(raw, "policyCertificateOidcIssuer")),
    maxAge: typeof maxAge === "number" ? maxAge : undefined,
  };
}

function readIdentity(subject: string | undefined, issuer: string | undefined): IdentityOptions | undefined {
  if (subject === undefined && issuer === undefined) return undefined;
  if (subject !== undefined && subject !== "" && issuer !== undefined && issuer !== "") {
    return {
      kind: "named",
      subject: { kind: "exact", text: subject },
      issuer: { kind: "exact", text: issuer },
      claims: [],
    };
  }
  const [found, wanted] = ["--policy-certificate-identity NAME", "--policy-certificate-oidc-issuer URL"];
  throw new CountersignError("usage", "half an identity names nobody", {
    found: subject === undefined || subject === "" ? wanted : found,
    wanted: `${found} and ${wanted}`,
  });
}

function readMaxAge(value: string): number {
  const milliseconds = parseDuration(value);
  if (milliseconds !== undefined) return milliseconds;
  throw new CountersignError("usage", "not a duration", { found: value, wanted: DURATION_FORM });
}
