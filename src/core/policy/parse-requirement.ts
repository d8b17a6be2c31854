import { resolveType } from "../formats/predicates.ts";
import { LIMITS } from "../limits.ts";
import type { YamlValue } from "../yaml.ts";
import {
  type AttestationRequirement,
  type EvidenceRequirement,
  type PolicyRequirement,
  SEVERITIES,
  type Severity,
  type SignatureRequirement,
  type VulnerabilitiesRequirement,
  type VulnerabilityException,
} from "./document.ts";
import { atPlace, readBy, readDuration, readTexts, type Scope } from "./parse-scope.ts";
import { mostMet, wantedOf } from "./persons.ts";

export const REQUIREMENTS = [
  "all",
  "any",
  "threshold",
  "never",
  "signature",
  "attestation",
  "vulnerabilities",
] as const;
const EVIDENCE = ["signature", "attestation", "vulnerabilities"] as const;
const BY_FIELDS = ["by", "threshold", "maxAge"] as const;
export const SIGNATURE_FIELDS = [...BY_FIELDS, "annotations", "nameBinding"] as const;
export const ATTESTATION_FIELDS = ["type", ...BY_FIELDS, "where"] as const;
export const VULNERABILITIES_FIELDS = [
  "scannedBy",
  "maxAge",
  "severityAtMost",
  "fixableOnly",
  "vex",
  "except",
] as const;
export const VEX_FIELDS = ["by", "maxAge"] as const;
export const EXCEPT_FIELDS = ["id", "owner", "reason", "expires"] as const;
export const THRESHOLD_FIELDS = ["count", "of"] as const;

/** @throws YamlError */
export function readRequirement(value: YamlValue, scope: Scope, depth = 1): PolicyRequirement {
  if (depth > LIMITS.policyDepth) value.fail("requirements nested without end", `at most ${LIMITS.policyDepth} levels`);
  const fields = value.fields(REQUIREMENTS);
  const [kind, ...others] = REQUIREMENTS.filter((name) => fields[name] !== undefined);
  const body = kind === undefined ? undefined : fields[kind];
  if (kind === undefined || body === undefined) return value.fail("a requirement that says nothing", oneOfThese);
  if (others.length > 0) value.fail([kind, ...others].join(" and "), "one of them; both in a list below all");
  const { place } = value;
  switch (kind) {
    case "all":
    case "any": {
      const items = body.items("a list of requirements");
      if (items.length === 0) body.fail("an empty list, which nothing has to meet", "at least one requirement");
      return { kind, of: items.map((item) => readRequirement(item, scope, depth + 1)), place };
    }
    case "threshold":
      return readThreshold(value, body, scope);
    case "never":
      return { kind, why: body.text("why, in a sentence"), place };
    default:
      return readEvidence(value, scope);
  }
}

const oneOfThese = `one of ${REQUIREMENTS.join(", ")}`;

function readThreshold(at: YamlValue, value: YamlValue, scope: Scope): PolicyRequirement {
  const { count, of } = value.fields(THRESHOLD_FIELDS);
  const items = (of ?? value.fail("no of", "of: a list of requirements")).items("a list of requirements");
  if (items.length > LIMITS.policyAlternatives) {
    of?.fail(`${items.length} requirements`, `at most ${LIMITS.policyAlternatives}`);
  }
  const requirements = items.map((item) => readEvidence(item, scope));
  for (const [index, requirement] of requirements.entries()) {
    if (requirement.kind !== "vulnerabilities" && requirement.threshold > 1) {
      items[index]?.fail("a threshold inside a threshold", "one requirement for each who has to meet it");
    }
  }
  const most = mostMet(requirements.map((requirement) => scope.persons.of(wantedOf(requirement))));
  const wanted = `a number from 1 to ${most}: each is met by somebody else`;
  const number = (count ?? value.fail("no count", `count: ${wanted}`)).count(wanted);
  if (number < 1 || number > most) count?.fail(`a count of ${number}`, most === 0 ? "more requirements" : wanted);
  return { kind: "threshold", count: number, of: requirements, place: at.place };
}

function readEvidence(value: YamlValue, scope: Scope): EvidenceRequirement {
  const fields = value.fields(EVIDENCE);
  const given = EVIDENCE.filter((name) => fields[name] !== undefined);
  const { signature, attestation, vulnerabilities } = fields;
  if (given.length !== 1) {
    value.fail(
      given.length === 0 ? "a requirement that says nothing" : given.join(" and "),
      `one of ${EVIDENCE.join(", ")}`,
    );
  }
  if (signature !== undefined) return readSignature(value, signature, scope);
  if (attestation !== undefined) return readAttestation(value, attestation, scope);
  return readVulnerabilities(value, vulnerabilities ?? value, scope);
}

function readSignature(at: YamlValue, value: YamlValue, scope: Scope): SignatureRequirement {
  const fields = value.fields(SIGNATURE_FIELDS);
  return {
    kind: "signature",
    ...readSigners(value, fields, scope),
    annotations: readAnnotations(fields.annotations),
    nameBinding: fields.nameBinding?.truth() ?? false,
    place: at.place,
  };
}

function readAttestation(at: YamlValue, value: YamlValue, scope: Scope): AttestationRequirement {
  const fields = value.fields(ATTESTATION_FIELDS);
  const { type, where } = fields;
  const types = (type ?? value.fail("no type", "type: slsaprovenance1, spdxjson, … or a URI")).oneOrMore("a type");
  return {
    kind: "attestation",
    types: types.map((item) => {
      const name = item.text("a type");
      atPlace(item, () => resolveType(name));
      return name;
    }),
    ...readSigners(value, fields, scope),
    where: readTexts(where, "a condition in CEL").map((item) => ({ text: readCondition(item), place: item.place })),
    place: at.place,
  };
}

function readCondition(value: YamlValue): string {
  const text = value.text("a condition in CEL");
  if (text.length <= LIMITS.conditionCharacters) return text;
  return value.fail(`a condition of ${text.length} characters`, `at most ${LIMITS.conditionCharacters}`);
}

type Signers = Pick<SignatureRequirement, "by" | "threshold" | "maxAge">;

function readSigners(
  at: YamlValue,
  fields: Readonly<Partial<Record<(typeof BY_FIELDS)[number], YamlValue>>>,
  scope: Scope,
): Signers {
  const by = readBy(fields.by, at, scope);
  const maxAge = readDuration(fields.maxAge);
  const threshold = fields.threshold?.count("a number from 1") ?? 1;
  if (threshold === 0) fields.threshold?.fail("0, which everybody meets", "a number from 1");
  const crowd = threshold === 1 ? "any number" : scope.persons.of(by);
  if (crowd !== "any number" && threshold > crowd.size) {
    fields.threshold?.fail(`${threshold} of ${by.join(", ")}`, `at most ${crowd.size}: there are no more of them`);
  }
  return { by, threshold, ...(maxAge === undefined ? {} : { maxAge }) };
}

/** Values are texts, as in what is signed: `true` and `1` have to be quoted. */
function readAnnotations(value: YamlValue | undefined): Readonly<Record<string, string>> {
  const pairs = (value?.entries() ?? []).map(([name, text, key]) => {
    // No payload has it: json.ts.
    if (name === "__proto__") key.fail(name, "the name of an annotation");
    return [name, text.text("a text, in quotes where it looks like something else")] as const;
  });
  if (pairs.length > LIMITS.annotations) value?.fail(`${pairs.length} annotations`, `at most ${LIMITS.annotations}`);
  return Object.fromEntries(pairs);
}

function readVulnerabilities(at: YamlValue, value: YamlValue, scope: Scope): VulnerabilitiesRequirement {
  const { scannedBy, maxAge, severityAtMost, fixableOnly, vex, except } = value.fields(VULNERABILITIES_FIELDS);
  const severities = SEVERITIES.join(", ");
  return {
    kind: "vulnerabilities",
    scannedBy: readBy(scannedBy, value, scope, "scannedBy"),
    maxAge: readDuration(maxAge) ?? value.fail("no maxAge", "maxAge: how old a scan may be, such as 7d"),
    severityAtMost: readSeverity(severityAtMost ?? value.fail("no severityAtMost", `severityAtMost: ${severities}`)),
    fixableOnly: fixableOnly?.truth() ?? false,
    ...(vex === undefined ? {} : { vex: readVex(vex, scope) }),
    except: (except?.items("a list of {id, owner, reason, expires}") ?? []).map(readException),
    place: at.place,
  };
}

function readSeverity(value: YamlValue): Severity {
  const text = value.text(SEVERITIES.join(", "));
  return SEVERITIES.find((severity) => severity === text) ?? value.fail(text, SEVERITIES.join(", "));
}

function readVex(value: YamlValue, scope: Scope): VulnerabilitiesRequirement["vex"] {
  const fields = value.fields(VEX_FIELDS);
  const maxAge = readDuration(fields.maxAge);
  return { by: readBy(fields.by, value, scope), ...(maxAge === undefined ? {} : { maxAge }) };
}

function readException(value: YamlValue): VulnerabilityException {
  const { id, ...account } = value.fields(EXCEPT_FIELDS);
  const name = (id ?? value.fail("no id", "id: CVE-2026-1234")).text("CVE-2026-1234");
  return {
    id: /\s/.test(name) ? value.fail(JSON.stringify(name), "CVE-2026-1234") : name,
    ...readAccount(value, account),
  };
}

/** Who answers for an exception, why, and until when: none is without an end. */
export function readAccount(
  at: YamlValue,
  { owner, reason, expires }: Readonly<Partial<Record<"owner" | "reason" | "expires", YamlValue>>>,
): Pick<VulnerabilityException, "owner" | "reason" | "expires" | "place"> {
  return {
    owner: (owner ?? at.fail("no owner", "owner: who answers for it")).text("who answers for it"),
    reason: (reason ?? at.fail("no reason", "reason: why")).text("why"),
    expires: (expires ?? at.fail("no end", "expires: the day on which it ends")).instant(),
    place: at.place,
  };
}
