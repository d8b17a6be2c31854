import { stat } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Audit } from "../../core/audit/audit.ts";
import { parseAudit } from "../../core/audit/parse.ts";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { digestOf } from "../../core/oci/digest.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";
import { insertAudit } from "./rows.ts";
import { SCHEMA, STORE_ID, STORE_VERSION } from "./schema.ts";
import { asStoreError, loadSqlite, notAStore } from "./sqlite.ts";

/** One audit that is kept. */
export interface KeptRun {
  readonly id: number;
  /** Of its document. */
  readonly digest: string;
  /** The sources that make runs a history. */
  readonly scope: string;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Audits that are kept in a file, as rows to be asked in SQL and as documents to be read back whole. SQLite's rollback journal
 * rather than its write-ahead log: that one needs memory that all processes share, which folders on a network do not have.
 */
export class AuditStore {
  readonly #database: DatabaseSync;
  readonly #label: string;

  private constructor(database: DatabaseSync, label: string) {
    this.#database = database;
    this.#label = label;
  }

  /**
   * Opens the store at an absolute path; `create` makes one where there is nothing. `label` is what it is called in errors.
   *
   * @throws CountersignError `record-invalid` for what is no store or one of a newer version; `disk-error`, `unsupported`.
   */
  static async open(path: string, label: string, mode: "create" | "existing"): Promise<AuditStore> {
    await checkFile(path, label, mode);
    const { DatabaseSync } = await loadSqlite();
    const database = guarded(label, () => new DatabaseSync(path, { timeout: LIMITS.lockWaitMs }));
    const store = new AuditStore(database, label);
    try {
      store.#prepare(mode);
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Keeps an audit with its document, all of it or nothing. The same document a second time changes nothing: the answer is
   * whether it is new.
   *
   * @throws CountersignError `record-invalid` for a shard; `disk-error`.
   */
  keep(audit: Audit, document: string): boolean {
    if (audit.shard !== undefined) {
      throw new CountersignError("record-invalid", "a shard is not kept: it is no audit of the whole", {
        found: `shard ${audit.shard.index} of ${audit.shard.count}`,
        next: "merge the shards first: countersign audit merge",
      });
    }
    const bytes = encodeUtf8(document);
    const [digest, packed] = [digestOf(bytes), gzipSync(bytes)];
    return this.#transaction(() => {
      if (this.select("SELECT 1 FROM runs WHERE digest = ?", digest).length > 0) return false;
      insertAudit(this.#database, audit, digest, packed);
      return true;
    });
  }

  /** The last run of each scope, the newest first. */
  latestRuns(): readonly KeptRun[] {
    return this.#runs("SELECT id, digest, scope FROM latest_runs ORDER BY at DESC, id DESC");
  }

  /** All runs of a scope, the newest first. */
  runsOf(scope: string): readonly KeptRun[] {
    return this.#runs("SELECT id, digest, scope FROM runs WHERE scope = ? ORDER BY at DESC, id DESC", scope);
  }

  /** The audit as it was kept. @throws CountersignError `record-invalid` where its bytes are not those any more. */
  read({ id, digest }: KeptRun): Audit {
    const [row] = this.select("SELECT document FROM runs WHERE id = ?", id);
    const packed = row?.["document"];
    const bytes = packed instanceof Uint8Array ? unpack(packed) : undefined;
    if (bytes !== undefined && digestOf(bytes) === digest) return parseAudit(bytes, `${this.#label}, run ${id}`);
    throw new CountersignError("record-invalid", `${this.#label}: run ${id} is damaged`, {
      found: bytes === undefined ? "a document that cannot be unpacked" : `a document with ${digestOf(bytes)}`,
      wanted: digest,
    });
  }

  /** The rows of a question. */
  select(sql: string, ...values: readonly (string | number)[]): readonly Row[] {
    return guarded(this.#label, () => this.#database.prepare(sql).all(...values));
  }

  #runs(sql: string, ...values: readonly string[]): readonly KeptRun[] {
    return this.select(sql, ...values).map((row) => ({
      id: Number(row["id"]),
      digest: String(row["digest"]),
      scope: String(row["scope"]),
    }));
  }

  #prepare(mode: "create" | "existing"): void {
    // A view or a trigger of a file that somebody handed us calls nothing.
    this.#exec("PRAGMA trusted_schema = OFF");
    if (mode === "create") this.#transaction(() => this.#check() || this.#database.exec(SCHEMA));
    else if (!this.#check()) throw notAStore(this.#label, "an empty file: nothing was kept in it yet");
  }

  /** Whether the store has its tables; an empty database, as an empty file is one, has none yet. */
  #check(): boolean {
    const [id, version] = [this.#pragma("application_id"), this.#pragma("user_version")];
    const isEmpty = id === 0 && version === 0 && this.select("SELECT 1 FROM sqlite_schema LIMIT 1").length === 0;
    if (isEmpty) return false;
    if (id !== STORE_ID) throw notAStore(this.#label, "a database of another program");
    if (version === STORE_VERSION) return true;
    throw new CountersignError("record-invalid", `${this.#label}: the store is of another version`, {
      found: `version ${version}`,
      wanted: `version ${STORE_VERSION}`,
      next: "use the version of countersign that wrote it, or name another file with --store",
    });
  }

  #pragma(name: string): number {
    return Number(this.select(`PRAGMA ${name}`)[0]?.[name]);
  }

  #exec(sql: string): void {
    guarded(this.#label, () => this.#database.exec(sql));
  }

  /** Takes the lock for writing at once: two that read first and write then would each wait for the other. */
  #transaction<Result>(work: () => Result): Result {
    this.#exec("BEGIN IMMEDIATE");
    try {
      const result = guarded(this.#label, work);
      this.#exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** SQLite would make a store out of nothing, and wait for what is no file. */
async function checkFile(path: string, label: string, mode: "create" | "existing"): Promise<void> {
  const found = await onDisk(`look for the store ${label}`, () => ifPresent(() => stat(path)));
  if (found === undefined && mode === "existing") {
    throw new CountersignError("record-invalid", "there is no such store", {
      found: label,
      next: "countersign audit --store FILE makes one",
    });
  }
  if (found !== undefined && !found.isFile()) throw notAStore(label, found.isDirectory() ? "a folder" : "no file");
}

function guarded<Result>(label: string, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    throw asStoreError(thrown, label);
  }
}

function unpack(packed: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(packed, { maxOutputLength: LIMITS.auditBytes });
  } catch {
    return undefined;
  }
}
