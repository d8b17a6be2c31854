import { CountersignError } from "../core/errors.ts";
import { parseLocation } from "../core/oci/location.ts";
import { formatReference, repositoryName } from "../core/oci/reference.ts";
import type { PolicyDocument } from "../core/policy/document.ts";
import { digestPatterns, matchingRules } from "../core/policy/images.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { choicesDocument, choicesText, type RuleChoice } from "../report/policy-which.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";

/** `policy which`: by whose rules images are judged, from their names alone. */
export async function chooseRules(
  context: Context,
  output: Output,
  images: readonly string[],
  policy: string | undefined,
): Promise<void> {
  if (policy === undefined)
    throw new CountersignError("usage", "nothing says which policy", { wanted: "--policy FILE" });
  const document = parsePolicy(await readPolicyFile(context, policy), policy);
  const choices = images.map((image) => choose(document, image));
  await output.result({
    text: (style) => choicesText(choices, style),
    json: () => choicesDocument(policy, choices),
  });
  if (choices.some(({ matches }) => matches.length === 0)) context.exitCode = EXIT_CODES.refused;
}

function choose(document: PolicyDocument, image: string): RuleChoice {
  const location = parseLocation(image);
  if (location.kind !== "registry") {
    throw new CountersignError("usage", "rules are for images by their names in registries", {
      found: image,
      wanted: "registry/repository[:tag][@digest]: for a folder or an archive, the NAME of --as",
    });
  }
  const { reference } = location;
  const { tag, digest } = reference;
  // As the doors do: beside a digest, a tag is only what somebody says.
  const of = { repository: repositoryName(reference), tag: digest === undefined ? tag : undefined, digest };
  const forDigests = digest === undefined ? digestPatterns(document, of.repository) : [];
  return { image, name: formatReference(reference), of, matches: matchingRules(document, of), forDigests };
}
