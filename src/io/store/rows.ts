import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Audit, AuditedImage, AuditedSigner, Use } from "../../core/audit/audit.ts";
import { decidingReason } from "../../core/audit/breaks.ts";
import { splitImage } from "../../core/audit/names.ts";
import { ownerOf } from "../../core/audit/workloads.ts";
import type { Finding } from "../../core/errors.ts";
import type { SourceProblem } from "../../core/sources/mention.ts";
import { formatInstant, type Instant } from "../../core/time.ts";

type Row = Readonly<Record<string, string | number | bigint | boolean | Uint8Array | undefined>>;

/** Writes one audit as rows of the tables; to be called in a transaction. Returns the run's id. */
export function insertAudit(database: DatabaseSync, audit: Audit, digest: string, document: Uint8Array): void {
  const into = new Inserter(database);
  const run = into.insert("runs", runRow(audit, digest, document));
  for (const image of audit.images) insertImage(into, run, image);
  for (const problem of audit.problems) into.insert("problems", problemRow(run, problem));
}

/** One prepared statement for each table. */
class Inserter {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** All rows of a table have the same columns. Returns the row's id. */
  insert(table: string, row: Row): bigint {
    const statement = this.#statements.get(table) ?? this.#prepare(table, Object.keys(row));
    return BigInt(statement.run(...Object.values(row).map(toSql)).lastInsertRowid);
  }

  #prepare(table: string, columns: readonly string[]): StatementSync {
    const marks = columns.map(() => "?").join(", ");
    const statement = this.#database.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${marks})`);
    this.#statements.set(table, statement);
    return statement;
  }
}

function toSql(value: Row[string]): SQLInputValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  return value ?? null;
}

function runRow(audit: Audit, digest: string, document: Uint8Array): Row {
  const { at, sources, plan, standard, images } = audit;
  const count = (verdict: AuditedImage["verdict"]) => images.filter((image) => image.verdict === verdict).length;
  return {
    digest,
    at: formatInstant(at),
    scope: scopeOf(sources),
    plan,
    standard: standard.digest,
    wanted: standard.wanted,
    policy: standard.policy?.name,
    policy_digest: standard.policy?.digest,
    images: images.length,
    accepted: count("accepted"),
    refused: count("refused"),
    undetermined: count("undetermined"),
    document,
  };
}

/** What makes runs a history of the same thing. */
export function scopeOf(sources: readonly string[]): string {
  return JSON.stringify(sources);
}

function insertImage(into: Inserter, run: bigint, image: AuditedImage): void {
  const id = into.insert("images", imageRow(run, image));
  for (const signer of image.signers) into.insert("signers", signerRow(id, signer));
  for (const [position, reason] of image.reasons.entries()) into.insert("reasons", reasonRow(id, position, 0, reason));
  for (const [position, reason] of image.warnings.entries()) into.insert("reasons", reasonRow(id, position, 1, reason));
  for (const use of image.uses) into.insert("uses", useRow(id, use));
}

function imageRow(run: bigint, image: AuditedImage): Row {
  const { repository, tag } = splitImage(image.image);
  return {
    run,
    image: image.image,
    name: image.name,
    repository,
    tag,
    digest: image.digest,
    verdict: image.verdict,
    reason: decidingReason(image)?.code,
    rule: image.rule?.place,
    pinned: image.pinned,
    drift: image.drift,
    tag_digest: image.tagDigest,
    scanned_at: timeOf(image.scannedAt),
  };
}

function signerRow(image: bigint, { kind, id, name, as, format, signedAt }: AuditedSigner): Row {
  return { image, kind, signer: id, name, called: as, format, signed_at: timeOf(signedAt) };
}

function reasonRow(image: bigint, position: number, warning: number, reason: Finding): Row {
  const { code, message, found, wanted, place } = reason;
  return { image, position, warning, code, message, found, wanted, place };
}

function useRow(image: bigint, use: Use): Row {
  const { as, kind, place, workload } = use;
  return {
    image,
    kind,
    written: as,
    source: place.source,
    line: place.line,
    col: place.column,
    owner: ownerOf(use).name,
    workload_kind: workload?.kind,
    namespace: workload?.namespace,
    workload: workload?.name,
    container: workload?.container,
  };
}

function problemRow(run: bigint, { place, finding }: SourceProblem): Row {
  const { source, line, column } = place;
  return { run, source, line, col: column, code: finding.code, message: finding.message, found: finding.found };
}

function timeOf(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at);
}
