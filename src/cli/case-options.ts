import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { addGithubOptions } from "./github-options.ts";
import { addRegistryOptions, grouped, once, type RawOptions, readRegistryOptions, text } from "./options.ts";
import { addPolicyPinOptions } from "./policy-pin-options.ts";
import { addPinsOption } from "./tags-options.ts";
import { addTrustOptions } from "./trust-options.ts";
import { readVerifyOptions } from "./verify-options.ts";

const POLICY_GROUP = "By a trust policy:";

/** On commands that hold all the evidence of an image against a policy. `purpose`: what the policy is for. */
export function addCaseOptions(command: Command, purpose: string): Command {
  grouped(command, POLICY_GROUP, [
    new Option("--policy <file>", purpose).argParser(once("--policy")),
    new Option(
      "--as <name>",
      "by whose rules an image in a folder or an archive is judged: registry/repository[:tag]",
    ).argParser(once("--as")),
  ]);
  addPolicyPinOptions(command);
  addTrustOptions(command);
  addGithubOptions(command);
  addPinsOption(command);
  return addRegistryOptions(command);
}

/** As verify reads them with a policy. @throws CountersignError `usage` where there is none. */
export function readCaseOptions(raw: RawOptions) {
  if (text(raw, "policy") === undefined) {
    throw new CountersignError("usage", "nothing says by which policy", { wanted: "--policy FILE" });
  }
  return { ...readRegistryOptions(raw), ...readVerifyOptions(raw) };
}
