import { describeTypes, PREDICATE_ALIASES, resolveType } from "../core/formats/predicates.ts";
import { KNOWN_FUNCTIONS } from "../core/policy/cel-functions.ts";
import { formatDocument } from "../report/json.ts";
import type { Result } from "./output.ts";

/** `countersign help attestations`: the types by name, and what a condition may say. */
export function attestationsTopic(): Result {
  return {
    text: (style) =>
      [
        INTRODUCTION,
        style.heading("Types (--type)"),
        `${TYPE_LINES.join("\n")}\n`,
        TYPES_NOTE,
        style.heading("Conditions (--where)"),
        CONDITIONS,
        style.heading("Examples"),
        EXAMPLES,
      ].join("\n"),
    json: () =>
      formatDocument("help attestations", {
        types: PREDICATE_ALIASES.map((name) => ({ name, uris: resolveType(name).map(({ uri }) => uri) })),
        functions: KNOWN_FUNCTIONS,
      }),
  };
}

const INTRODUCTION = `An attestation is a signed statement about an image's digest: who built it from what, what is in it, what a scanner
found. Anybody can sign one; what it is worth depends on who did. Ask for the signer as for a signature, with --key or
an identity, for the type, and for what it has to say.

One attestation that is of the type, by a wanted signer, about this digest, and meets every condition is enough. Others
beside it change nothing: not older ones, not contrary ones. An attestation is no signature of the image, and
a signature is no attestation.
`;

const TYPE_LINES = PREDICATE_ALIASES.map((name) => `  ${name.padEnd(18)}${describeTypes(resolveType(name))}`);

const TYPES_NOTE = `Any other URI is a type too, and stands for itself exactly. Where versions are named, https://spdx.dev/Document/v2.3 is
the type as well. attest writes the first URI of a name.
`;

const CONDITIONS = `A condition is an expression in CEL (github.com/google/cel-spec) that has to come to true. It may name

  predicate        what the attestation says
  predicateType    its type, as it is written in it
  subject          what it is about: a list with names and digests
  statement        all of it, with _type
  now              the present, a timestamp

and call ${KNOWN_FUNCTIONS.slice(0, 7).join(", ")};
${KNOWN_FUNCTIONS.slice(7, 17).join(", ")};
${KNOWN_FUNCTIONS.slice(17, 23).join(", ")};
${KNOWN_FUNCTIONS.slice(23).join(", ")}.

Numbers without a fraction are int, others double; the two are compared by value, and not added. A member that is not
there, a comparison of values of different types or any other error means that the condition is not met: ask first with
has(predicate.a). matches takes a pattern in RE2's syntax, which a part of the text may meet: begin it with ^ and end it
with $ to mean the whole. Times are RFC 3339 with a zone. What takes too much work on a statement leaves the image
undetermined.
`;

const EXAMPLES = `  predicate.runDetails.builder.id == "https://example.com/builder/v2"
  predicate.buildDefinition.resolvedDependencies.all(d, has(d.digest))
  predicate.components.exists(c, c.name == "openssl" && c.version.startsWith("3."))
  predicate.verificationResult == "PASSED" && "SLSA_BUILD_LEVEL_3" in predicate.verifiedLevels
  now - timestamp(predicate.metadata.scanFinishedOn) < duration("168h")

The last is true for a week after the scan. What a statement says of its own builder is the signer's word: the signer is
what --certificate-identity names.
`;
