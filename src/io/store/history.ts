import { readImage, readRecord } from "../../core/audit/parse.ts";
import { matchesWho, type Sighting, type Who } from "../../core/audit/signed-by.ts";
import { malformed } from "../../core/formats/members.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { REASONS, type ReasonCode } from "../../core/reasons.ts";
import { parseInstant } from "../../core/time.ts";
import type { AuditStore } from "./audit-store.ts";

type Row = Readonly<Record<string, unknown>>;

/**
 * What somebody signed, as no last run knows of it any more: each image, digest and time once, as the last one that did saw it. The
 * image may still be in use, accepted for somebody else's signature.
 *
 * @throws CountersignError `record-invalid` where a row holds what no audit does.
 */
export function pastSightings(store: AuditStore, who: Who, label: string): readonly Sighting[] {
  const ids = store.select(SIGNERS).filter((row) => matchesWho(who, signerOf(row)));
  const images = new Set(ids.flatMap((row) => store.select(PAST, String(row["signer"])).map(({ id }) => Number(id))));
  return [...images].flatMap((id) => store.select(IMAGE, id).map((row) => sightingOf(store, row, id, label)));
}

const SIGNERS = "SELECT DISTINCT kind, signer, name, called FROM signers ORDER BY signer, name, called";

const PAST = `
  SELECT max(i.id) AS id FROM signers AS s JOIN images AS i ON i.id = s.image
  WHERE s.signer = ? AND NOT EXISTS
    (SELECT 1 FROM latest AS l JOIN signers AS now ON now.image = l.id
      WHERE l.image = i.image AND l.digest IS i.digest AND now.signer = s.signer)
  GROUP BY i.image, i.digest, s.signed_at ORDER BY max(i.id) DESC`;

const IMAGE = "SELECT r.at, i.* FROM images AS i JOIN runs AS r ON r.id = i.run WHERE i.id = ?";

function signerOf(row: Row): Parameters<typeof matchesWho>[1] {
  const { kind, signer, name, called } = row;
  const as = typeof called === "string" ? { as: called } : {};
  return { kind: kind === "key" ? "key" : "identity", id: String(signer), name: String(name), ...as };
}

function sightingOf(store: AuditStore, row: Row, id: number, label: string): Sighting {
  return readRecord(label, () => {
    const at = parseInstant(String(row["at"]));
    if (at === undefined) throw malformed(`the time of image ${id} is none`, String(row["at"]));
    const parts = {
      reasons: store
        .select("SELECT * FROM reasons WHERE image = ? AND warning = 0 ORDER BY position", id)
        .map(reasonMember),
      signers: store.select("SELECT * FROM signers WHERE image = ? ORDER BY rowid", id).map(signerMember),
      uses: store.select("SELECT * FROM uses WHERE image = ? ORDER BY rowid", id).map(useMember),
    };
    return { at, isCurrent: false, image: readImage(imageMember(row, parts), `image ${id}`) };
  });
}

// --- rows as the members of a document, which are read as strictly as those of a file ---------------------------------

type Parts = Readonly<Record<"reasons" | "signers" | "uses", readonly JsonObject[]>>;

function imageMember(row: Row, parts: Parts): JsonObject {
  return {
    ...members(row, ["image", "name", "verdict"]),
    digest: jsonOf(row["digest"]),
    ...parts,
    warnings: [],
    pinned: row["pinned"] === 1,
    drift: row["drift"] === 1,
    ...members(row, ["tag_digest", "scanned_at"], { tag_digest: "tagDigest", scanned_at: "scannedAt" }),
    checked: [],
    notChecked: [],
  };
}

function reasonMember(row: Row): JsonObject {
  const code = String(row["code"]);
  const next = Object.hasOwn(REASONS, code) ? REASONS[code as ReasonCode].next : "";
  return { ...members(row, ["code", "message", "found", "wanted", "place"]), next };
}

function signerMember(row: Row): JsonObject {
  return members(row, ["kind", "signer", "name", "called", "format", "signed_at"], {
    signer: "id",
    called: "as",
    signed_at: "signedAt",
  });
}

function useMember(row: Row): JsonObject {
  const place = members(row, ["source", "line", "col"], { col: "column" });
  const names = { workload_kind: "kind", workload: "name" };
  const workload = members(row, ["workload_kind", "namespace", "workload", "container"], names);
  return {
    ...members(row, ["written", "kind"], { written: "as" }),
    place,
    ...("name" in workload && { workload }),
  };
}

/** Columns that are not NULL, as members of the same or of another name. */
function members(row: Row, columns: readonly string[], names: Readonly<Record<string, string>> = {}): JsonObject {
  const present = columns.filter((column) => row[column] !== null && row[column] !== undefined);
  return Object.fromEntries(present.map((column) => [names[column] ?? column, jsonOf(row[column])]));
}

function jsonOf(value: unknown): JsonValue {
  if (typeof value === "string" || typeof value === "number") return value;
  return value instanceof Uint8Array ? "" : null;
}
