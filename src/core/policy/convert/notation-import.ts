import { parseRepository, repositoryName } from "../../oci/reference.ts";
import { type Imported, Losses } from "./conversion.ts";
import { Draft, never } from "./draft.ts";
import { JsonReader } from "./json-reader.ts";

/**
 * Reads a notation trust policy (specs/trust-store-trust-policy.md), more strictly than notation: it passes over members
 * that it does not know, be they misspelt.
 *
 * @throws CountersignError `policy-invalid`.
 */
export function importNotation(bytes: Uint8Array, label: string): Imported {
  const losses = new Losses();
  const draft = new Draft();
  const fields = JsonReader.open(bytes, label).fields(["version", "trustPolicies"]);
  const root = JsonReader.open(bytes, label);
  (fields.version ?? root.fail("no version", "version: 1.0")).oneOf(["1.0"]);
  const statements = (fields.trustPolicies ?? root.fail("no trustPolicies", "trustPolicies")).someItems();
  const seen = { names: new Set<string>(), scopes: new Set<string>() };
  for (const statement of statements) readStatement(statement, { draft, losses, seen, label });
  return draft.finish(label, losses, NOTES);
}

const NOTES = ["Signatures of notation are not read by policies yet: what asks for one is imported as refused."];
const LEVELS = ["strict", "permissive", "audit", "skip"] as const;
const STATEMENT = ["name", "registryScopes", "signatureVerification", "trustStores", "trustedIdentities"] as const;

interface Reading {
  readonly draft: Draft;
  readonly losses: Losses;
  readonly seen: { readonly names: Set<string>; readonly scopes: Set<string> };
  readonly label: string;
}

function readStatement(statement: JsonReader, { draft, losses, seen, label }: Reading): void {
  const fields = statement.fields(STATEMENT);
  const name = once(fields.name ?? statement.fail("no name", "name"), seen.names);
  const scopes = (fields.registryScopes ?? statement.fail("no registryScopes", "registryScopes")).someItems();
  const patterns = scopes.map((scope) => patternOf(once(scope, seen.scopes), scope, scopes.length));
  const isSkipped = readVerification(statement, fields) === "skip";
  if (isSkipped && patterns.includes("**/")) statement.fail("skip for every registry", "the repositories by name");
  if (isSkipped) {
    losses.add(
      statement.place,
      `skip (${name})`,
      "it is let through here too, but with a warning in every verdict",
      "dropped",
    );
    draft.rule({ name, patterns, mode: "warn", require: never("nobody has to sign it") });
    return;
  }
  losses.add(
    statement.place,
    name,
    "signatures by certificates of trust stores are not read by policies yet; what asks for them is refused",
  );
  draft.rule({ name, patterns, require: never(`the signatures that ${label} asks for are not read yet`) });
}

function once(text: JsonReader, seen: Set<string>): string {
  const value = text.text();
  if (seen.has(value)) text.fail(`${value} a second time`, "every one once");
  seen.add(value);
  return value;
}

/** `*` is any repository, and stands alone; no other wildcard is known. */
function patternOf(scope: string, at: JsonReader, count: number): string {
  if (scope === "*") return count === 1 ? "**/" : at.fail("* beside others", "* alone");
  const repository = tryRepository(scope);
  return repository === scope ? scope : at.fail(JSON.stringify(scope), "registry/repository in full, or *");
}

function tryRepository(scope: string): string | undefined {
  try {
    return repositoryName(parseRepository(scope));
  } catch {
    return undefined;
  }
}

type StatementFields = Readonly<Partial<Record<(typeof STATEMENT)[number], JsonReader>>>;

function readVerification(statement: JsonReader, fields: StatementFields): (typeof LEVELS)[number] {
  const verification =
    fields.signatureVerification ?? statement.fail("no signatureVerification", "signatureVerification");
  const { level: named, override, verifyTimestamp } = verification.fields(["level", "override", "verifyTimestamp"]);
  const level = (named ?? verification.fail("no level", LEVELS.join(", "))).oneOf(LEVELS);
  verifyTimestamp?.oneOf(["always", "afterCertExpiry"]);
  const checks = override?.fields(["authenticity", "authenticTimestamp", "expiry", "revocation"]) ?? {};
  for (const check of Object.values(checks)) check?.oneOf(["enforce", "log", "skip"]);
  if (level === "skip" && override !== undefined) override.fail("an override of skip", "skip alone");
  for (const name of ["trustStores", "trustedIdentities"] as const) {
    const given = fields[name]?.items().map((item) => item.text()) ?? [];
    if (level === "skip" && given.length > 0) fields[name]?.fail(`${name} beside skip`, "skip alone");
    if (level !== "skip" && given.length === 0) statement.fail(`no ${name}`, name);
  }
  return level;
}
