import type { JsonObject, JsonValue } from "../../json.ts";
import { isObject } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import { isPresent } from "../members.ts";
import { ratingOfVector } from "./cvss.ts";
import { aliasesOf, type Vulnerability } from "./scan.ts";
import { type Rating, ratingOfScore, ratingOfWord, worstRating } from "./severity.ts";
import { listIfAny, objectIn, textIn } from "./values.ts";

/**
 * The list of vulnerabilities of in-toto's own predicate (in-toto/attestation, spec/predicates/vuln.md, vulns_02.md): names and
 * severities. It has no place for packages, nor for whether there is a fix: `vuln-predicate.ts` writes them as annotations.
 *
 * @throws CountersignError `scan-invalid`, `limit-reached`.
 */
export function readVulnerabilityList(list: readonly JsonValue[]): readonly Vulnerability[] {
  return list.map((value, at) => {
    const where = `vulnerability ${at} of the result`;
    const item = objectIn(value, where);
    // The text of version 0.1 puts all of it into a member, its own example and version 0.2 do not.
    const json = isPresent(item["vulnerability"]) ? objectIn(item["vulnerability"], where) : item;
    const id = textIn(json, "id", where);
    return { id, severity: readSeverity(json, where), ...readAnnotations(id, json, where) };
  });
}

/** What is told beside it, in names that scanners may use for something else: what is not as it is written here is not told. */
function readAnnotations(id: string, json: JsonObject, where: string): Omit<Vulnerability, "id" | "severity"> {
  const told: JsonObject = Object.assign(
    {},
    ...listIfAny(json, "annotations", where, LIMITS.scanDetails).filter(isObject),
  );
  const name = textOf(told["name"]);
  const found =
    name === undefined ? {} : { package: { name, version: textOf(told["version"]), purl: textOf(told["purl"]) } };
  const { fixable } = told;
  return {
    aliases: aliasesOf(id, textsOf(told["aliases"])),
    ...found,
    fixedIn: textsOf(told["fixedIn"]),
    fixable: typeof fixable === "boolean" ? fixable : undefined,
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.slice(0, LIMITS.scanDetails).filter((item) => typeof item === "string") : [];
}

function readSeverity(json: JsonObject, where: string): Rating {
  if (typeof json["severity"] === "string") return ratingOfWord(json["severity"]);
  return worstRating(listIfAny(json, "severity", where, LIMITS.scanDetails).flatMap(ratingsOf));
}

/** CVSS by its methods; of others (an EPSS is a probability, a risk is anything) numbers say nothing about the severity. */
function ratingsOf(value: JsonValue): readonly Rating[] {
  const { method, score }: JsonObject = isObject(value) ? value : {};
  const text = typeof score === "number" ? `${score}` : typeof score === "string" ? score.trim() : "";
  if (NUMBER.test(text)) return typeof method === "string" && SCORES.test(method) ? [ratingOfScore(Number(text))] : [];
  return [text.includes("/") ? ratingOfVector(text) : ratingOfWord(text)];
}

const NUMBER = /^\d+(?:\.\d+)?$/;
const SCORES = /^(?:nvd|.*cvss.*)$/i;
