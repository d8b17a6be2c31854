import { LIMITS } from "../limits.ts";
import { digestOf } from "../oci/digest.ts";
import { readYaml, type YamlError, type YamlValue } from "../yaml.ts";
import { type PolicyDocument, placeName, type Role, type Rule } from "./document.ts";
import { findAmbiguity, patternsOf } from "./images.ts";
import { readIdentity, readTrust } from "./parse-identities.ts";
import { readRule, readWithdrawn } from "./parse-rules.ts";
import { checkName, POLICY, Problems, policyProblem, readNames, type Scope } from "./parse-scope.ts";
import { Persons } from "./persons.ts";

export const API_VERSION = "countersign/v1";
export const KIND = "Policy";
export const POLICY_FIELDS = ["apiVersion", "kind", "identities", "roles", "trust", "withdrawn", "rules"] as const;

/** A policy, or all that is wrong with it. */
export type PolicyReading =
  | { readonly document: PolicyDocument; readonly problems: readonly [] }
  | { readonly document: undefined; readonly problems: readonly [YamlError, ...YamlError[]] };

/**
 * Reads a policy strictly: docs/schemas/policy.json. Nothing that it names is looked at.
 *
 * @throws CountersignError `policy-invalid` with file, line and column: the first that is wrong.
 */
export function parsePolicy(bytes: Uint8Array, label: string): PolicyDocument {
  const { document, problems } = readPolicy(bytes, label);
  if (document === undefined) throw problems[0];
  return document;
}

/** The same, with everything that is wrong, in the order of the file. */
export function readPolicy(bytes: Uint8Array, label: string): PolicyReading {
  const problems = new Problems();
  const document = problems.attempt(() => readDocument(bytes, label, problems));
  const [first, ...more] = problems.found.toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0));
  if (first !== undefined) return { document: undefined, problems: [first, ...more] };
  if (document === undefined) throw new Error("a policy that cannot be read for no reason");
  return { document, problems: [] };
}

function readDocument(bytes: Uint8Array, label: string, problems: Problems): PolicyDocument {
  const root = readYaml(bytes, { label, maxBytes: LIMITS.policyBytes, about: POLICY });
  const fields = root.fields(POLICY_FIELDS);
  requireText(root, fields.apiVersion, "apiVersion", API_VERSION);
  if (fields.kind !== undefined) requireText(root, fields.kind, "kind", KIND);
  const trust = readNamed(fields.trust, problems, readTrust);
  const trustNames = new Set(trust.keys());
  const identities = readNamed(fields.identities, problems, (name, value, key) =>
    readIdentity(name, value, key, trustNames),
  );
  const people = new Set(identities.keys());
  const roles = readNamed(fields.roles, problems, (name, value, key) => readRole(name, value, key, people));
  const persons = new Persons(identities, roles);
  const scope: Scope = { identities, names: new Set([...identities.keys(), ...roles.keys()]), persons, problems };
  const withdrawn = fields.withdrawn?.items("a list of withdrawn lists") ?? [];
  const rules = (fields.rules ?? root.fail("no rules", "rules: a list, which may be empty")).items("a list of rules");
  const document: PolicyDocument = {
    label,
    digest: digestOf(bytes),
    identities: present(identities),
    roles: present(roles),
    trust: present(trust),
    withdrawn: problems.each(withdrawn, (list) => readWithdrawn(list, scope)),
    rules: problems.each(rules, (rule) => readRule(rule, scope)),
  };
  problems.attempt(() => refuseAmbiguity(document.rules, label));
  return document;
}

function requireText(root: YamlValue, value: YamlValue | undefined, name: string, wanted: string): void {
  const found = value?.text(`${name}: ${wanted}`) ?? root.fail(`no ${name}`, `${name}: ${wanted}`);
  if (found !== wanted) value?.fail(`${name} ${found}`, `${name}: ${wanted}`);
}

/** A mapping from names; undefined for those that could not be read. */
function readNamed<Value>(
  value: YamlValue | undefined,
  problems: Problems,
  read: (name: string, value: YamlValue, key: YamlValue) => Value,
): ReadonlyMap<string, Value | undefined> {
  const values = new Map<string, Value | undefined>();
  for (const [name, one, key] of value?.entries() ?? []) {
    const isEnough = problems.found.length >= LIMITS.policyProblems;
    values.set(name, isEnough ? undefined : problems.attempt(() => read(checkName(name, key), one, key)));
  }
  return values;
}

function present<Value>(values: ReadonlyMap<string, Value | undefined>): ReadonlyMap<string, Value> {
  return new Map([...values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

function readRole(name: string, value: YamlValue, key: YamlValue, identities: ReadonlySet<string>): Role {
  if (identities.has(name)) key.fail(`${name}, which is an identity already`, "another name for the role");
  return { name, members: readNames(value, identities, "the name of an identity"), place: key.place };
}

/** Nothing but the patterns may decide which rule applies: not the order of the file. */
function refuseAmbiguity(rules: readonly Rule[], label: string): void {
  const found = findAmbiguity(patternsOf(rules));
  if (found === undefined) return;
  if (found === "limit-reached") {
    throw policyProblem(
      label,
      "more image patterns that are alike than can be compared",
      "patterns that begin differently",
    );
  }
  const { first, second } = found;
  throw policyProblem(
    second.pattern.place,
    `${second.pattern.text}, as specific as ${first.pattern.text} at ${placeName(first.pattern.place)}: some image matches both`,
    "patterns of which one is more specific",
  );
}
