import type { YamlValue } from "../../yaml.ts";
import type { WantedText } from "../document.ts";
import type { Draft } from "./draft.ts";

/** The identities of a keyless signer, as policy-controller and Kyverno name them. */
export function readIdentities(values: readonly YamlValue[], draft: Draft): readonly string[] {
  return values.map((value) => {
    const { issuer, issuerRegExp, subject, subjectRegExp } = value.fields([
      "issuer",
      "issuerRegExp",
      "subject",
      "subjectRegExp",
    ]);
    const who = {
      subject: wanted(value, "subject", subject, subjectRegExp),
      issuer: wanted(value, "issuer", issuer, issuerRegExp),
    };
    return draft.keyless(who, nameOf(who.subject));
  });
}

function wanted(at: YamlValue, name: string, exact: YamlValue | undefined, regExp: YamlValue | undefined): WantedText {
  if (exact !== undefined && regExp !== undefined) at.fail(`${name} and ${name}RegExp`, "one of them");
  if (exact !== undefined) return { kind: "exact", text: exact.text(name) };
  const pattern = regExp ?? at.fail(`no ${name}`, `${name} or ${name}RegExp`);
  return { kind: "pattern", text: asWhole(pattern.text(`${name}RegExp`)) };
}

/** Theirs match where a part does, ours where the whole does. */
function asWhole(pattern: string): string {
  const [, start, body, end] = SIMPLE.exec(pattern) ?? [];
  if (body === undefined) return `${ANYTHING}(?:${pattern})${ANYTHING}`;
  return `${start === "^" ? "" : ANYTHING}${body}${end === "$" ? "" : ANYTHING}`;
}

const ANYTHING = "(?s:.*)";
/** Without groups, classes and alternatives, so that what is at its ends belongs to the whole. */
const SIMPLE = /^(\^?)((?:[^|^$()[\]\\]|\\.)+)(\$?)$/;

/** `release.yml` of a workflow, `dana` of an address. */
function nameOf({ kind, text }: WantedText): string {
  if (kind === "pattern") return "signers";
  const workflow = /\/([^/@]+)\.ya?ml@/.exec(text)?.[1];
  return workflow ?? text.replace(/@.*$/, "").split("/").at(-1) ?? "signer";
}
