import { REASONS, type ReasonClass, type ReasonCode } from "../core/reasons.ts";
import { formatDocument } from "../report/json.ts";
import type { Style } from "../report/style.ts";
import { attestationsTopic } from "./attestations-topic.ts";
import { EXIT_CODE_MEANINGS, EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
import { identitiesTopic } from "./identities-topic.ts";
import type { Result } from "./output.ts";
import { describeVariable, VARIABLES } from "./variables.ts";

/** A topic of `countersign help` as a result; undefined where there is none of that name. */
export function topicNamed(name: string): Result | undefined {
  if (name === "reasons") return reasonsTopic();
  if (name === "exit-codes") return exitCodesTopic();
  if (name === "environment") return environmentTopic();
  if (name === "identities") return identitiesTopic();
  if (name === "attestations") return attestationsTopic();
  return undefined;
}

const CLASS_MEANINGS: Readonly<Record<ReasonClass, string>> = {
  refused: "the evidence was seen, and it does not do",
  undetermined: "it could not be looked at, or the work could not be finished",
  usage: "nothing was checked: the call, a key or a configuration cannot be used",
  credentials: "the registry wants credentials and none were found",
  interrupted: "stopped by a signal",
};

function reasonsTopic(): Result {
  const codes = Object.keys(REASONS) as readonly ReasonCode[];
  const members = codes.map((code) => ({ code, exitCode: exitCodeOf(REASONS[code].class), ...REASONS[code] }));
  return {
    text: (style) =>
      (Object.keys(CLASS_MEANINGS) as readonly ReasonClass[])
        .map((name) => {
          const heading = `${style.heading(name)} (exit ${exitCodeOf(name)}): ${CLASS_MEANINGS[name]}`;
          const entries = members.filter((member) => member.class === name);
          return [
            heading,
            ...entries.map((entry) => formatEntry(entry.code, [entry.meaning, `Next: ${entry.next}.`], style)),
          ].join("\n\n");
        })
        .join("\n\n")
        .concat("\n"),
    json: () => formatDocument("help reasons", { reasons: members }),
  };
}

function formatEntry(term: string, lines: readonly string[], style: Style): string {
  return [`  ${style.heading(term)}`, ...lines.map((line) => `      ${line}`)].join("\n");
}

function exitCodesTopic(): Result {
  const names = Object.keys(EXIT_CODES) as readonly (keyof typeof EXIT_CODES)[];
  return {
    text: () =>
      `${names.map((name) => `${String(EXIT_CODES[name]).padStart(5)}  ${EXIT_CODE_MEANINGS[name]}`).join("\n")}\n${COSIGN_CODES}`,
    json: () =>
      formatDocument("help exit-codes", {
        exitCodes: names.map((name) => ({ code: EXIT_CODES[name], name, meaning: EXIT_CODE_MEANINGS[name] })),
      }),
  };
}

const COSIGN_CODES = `
Of several images the first of these decides: interrupted, refused, usage, credentials, undetermined.

With --exit-codes cosign a refusal is 10 where there is no signature at all and 12 where none matches;
an image that is not there is 11. Everything else stays as above.
`;

function environmentTopic(): Result {
  return {
    text: (style) =>
      `${ENVIRONMENT_INTRODUCTION}\n${VARIABLES.map((one) => formatEntry(one.name, [one.purpose], style)).join("\n")}\n`,
    json: () => formatDocument("help environment", { variables: VARIABLES.map(describeVariable) }),
  };
}

const ENVIRONMENT_INTRODUCTION = `Every flag can be set as a variable: --registry-cacert is COUNTERSIGN_REGISTRY_CACERT, a flag without a value takes
1 or 0, and a flag that can be repeated takes its values separated by commas. The command line wins. Variables that
are set but empty count as not set. countersign env lists all of them with their present values, secrets hidden.

Read as they are:
`;
