import { isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import { isPresent } from "../members.ts";
import { ratingOfVector } from "./cvss.ts";
import { aliasesOf, type Vulnerability } from "./scan.ts";
import { type Rating, ratingOfScore, ratingOfWord, worstRating } from "./severity.ts";
import { listIfAny, objectIn, textIn } from "./values.ts";

/**
 * The list of vulnerabilities of in-toto's own predicate (in-toto/attestation, spec/predicates/vuln.md, vulns_02.md): names and
 * severities. For packages and fixes it has no place but annotations, whose names everybody chooses: those that
 * `reducedPredicate` writes are read, and of all others nothing is known.
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
    return { id, severity: readSeverity(json, where), ...readAnnotation(id, json["annotations"]) };
  });
}

function readAnnotation(id: string, annotations: JsonValue | undefined): Omit<Vulnerability, "id" | "severity"> {
  const only: JsonValue | undefined =
    Array.isArray(annotations) && annotations.length === 1 ? annotations[0] : undefined;
  const { aliases, name, version, purl, fixedIn, fixable }: JsonObject = isObject(only) ? only : {};
  const found = textOf(name);
  return {
    aliases: aliasesOf(id, textsOf(aliases)),
    ...(found !== undefined && { package: { name: found, version: textOf(version), purl: textOf(purl) } }),
    fixedIn: textsOf(fixedIn),
    fixable: typeof fixable === "boolean" ? fixable : undefined,
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : [];
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
