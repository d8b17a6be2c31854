import type { Audit, AuditedImage, Use } from "../../core/audit/audit.ts";
import type { Finding } from "../../core/errors.ts";
import { nextStep } from "../../core/explain.ts";
import { printable } from "../../core/printable.ts";
import { placeName, type SourceProblem } from "../../core/sources/mention.ts";
import { formatInstant } from "../../core/time.ts";
import { signerName, workloadName } from "./view.ts";
import { type Attributes, element, XML_HEADER } from "./xml.ts";

/** Reasons of one image that a test case tells. */
const REASONS_SHOWN = 8;

interface Case {
  readonly suite: string;
  readonly outcome: "passed" | "failure" | "error";
  readonly xml: string;
}

/**
 * For the test panels of CI services: a suite for each source, a case for each image and use. Refused is a failure;
 * undetermined, and what could not be read, is an error.
 */
export function auditJunit(audit: Audit): string {
  const cases = [...audit.images.flatMap(imageCases), ...audit.problems.map(problemCase)];
  const suites = [...Map.groupBy(cases, ({ suite }) => suite)].map(([name, own]) =>
    element(
      "testsuite",
      { name, ...counts(own), timestamp: timestamp(audit) },
      own.map(({ xml }) => xml),
    ),
  );
  return `${XML_HEADER}${element("testsuites", { name: "countersign audit", ...counts(cases) }, suites)}`;
}

/** The schema that most services check against knows no time zones. */
function timestamp({ at }: Audit): string {
  return formatInstant(at).replace(/Z$/, "");
}

function counts(cases: readonly Case[]): Attributes {
  const count = (outcome: Case["outcome"]) => cases.filter((one) => one.outcome === outcome).length;
  return { tests: cases.length, failures: count("failure"), errors: count("error"), skipped: 0, time: 0 };
}

function imageCases(image: AuditedImage): readonly Case[] {
  if (image.uses.length === 0) return [imageCase(image, undefined)];
  return image.uses.map((use) => imageCase(image, use));
}

function imageCase(image: AuditedImage, use: Use | undefined): Case {
  const suite = use?.place.source ?? "not used";
  const outcome = OUTCOMES[image.verdict];
  const where = use === undefined ? [] : [placeName(use.place)];
  const what = outcome === "passed" ? acceptedPart(image) : doubtPart(image, outcome, where);
  return { suite, outcome, xml: element("testcase", caseAttributes(image, use), what) };
}

const OUTCOMES = { accepted: "passed", refused: "failure", undetermined: "error" } as const;

function caseAttributes({ image }: AuditedImage, use: Use | undefined): Attributes {
  const { place, workload } = use ?? {};
  return {
    name: workload === undefined ? image : `${image} in ${workloadName(workload)}`,
    classname: place?.source ?? "not used",
    file: place?.line === undefined ? undefined : place.source,
    line: place?.line,
    time: 0,
  };
}

function doubtPart(image: AuditedImage, outcome: "failure" | "error", where: readonly string[]): readonly string[] {
  const [first] = image.reasons;
  const more = image.reasons.length - REASONS_SHOWN;
  const lines = [
    ...where,
    image.name,
    ...image.reasons.slice(0, REASONS_SHOWN).flatMap(findingLines),
    ...(more > 0 ? [`${more} more reasons`] : []),
  ];
  const attributes = {
    message: first === undefined ? image.verdict : `${first.code}: ${first.message}`,
    type: first?.code,
  };
  return [element(outcome, attributes, textOf(lines))];
}

function findingLines(finding: Finding): readonly string[] {
  const { code, message, found, wanted, place } = finding;
  return [
    `${code}: ${message}`,
    ...(found === undefined ? [] : [`  found   ${found}`]),
    ...(wanted === undefined ? [] : [`  wanted  ${wanted}`]),
    ...(place === undefined ? [] : [`  place   ${place}`]),
    `  next    ${nextStep(finding)}`,
  ];
}

/** No text makes a line of its own. */
function textOf(lines: readonly string[]): string {
  return lines.map(printable).join("\n");
}

/** What passes may still be worth a word: who signed, and what is not pinned. */
function acceptedPart({ signers, pinned, drift, tagDigest, warnings }: AuditedImage): readonly string[] {
  const lines = [
    ...signers.map((signer) => `signed by ${signerName(signer)}`),
    ...(pinned ? [] : ["not pinned: the tag can mean other bytes tomorrow"]),
    ...(drift ? [`the tag has moved on to ${tagDigest ?? "another digest"}`] : []),
    ...warnings.map(({ code, message }) => `warning: ${code}: ${message}`),
  ];
  return lines.length === 0 ? [] : [element("system-out", {}, textOf(lines))];
}

function problemCase({ place, finding }: SourceProblem): Case {
  const attributes = { name: placeName(place), classname: place.source, file: place.source, line: place.line, time: 0 };
  const error = element(
    "error",
    { message: `${finding.code}: ${finding.message}`, type: finding.code },
    textOf(findingLines(finding)),
  );
  return { suite: place.source, outcome: "error", xml: element("testcase", attributes, [error]) };
}
