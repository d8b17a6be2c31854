import { findingMember } from "../../core/explain.ts";
import type { BoundTag, RefreshResult, RevokeTagsResult, SignTagsResult } from "../../core/tags/publish-results.ts";
import type { Instant } from "../../core/time.ts";
import { formatInstant } from "../../core/time.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, type Row } from "../text.ts";
import { type FailedName, failedMember, publicationMember } from "./members.ts";
import { describeExpiry, headingOf, publicationRows, warningRows } from "./words.ts";

/** What signing, taking back and refreshing came to. */

export function signedTagsText(results: readonly SignTagsResult[], style: Style = PLAIN): string {
  return results.map((result) => signText(result, style)).join("\n");
}

function signText({ gun, tags, isChanged, publication, warnings }: SignTagsResult, style: Style): string {
  const [first] = tags;
  const rows: readonly Row[] = [
    ...tags.flatMap(tagRows),
    ...(isChanged ? [] : [["unchanged", "it was signed just so"] as const]),
    ...publicationRows(publication),
    ...warningRows(warnings),
  ];
  const word = !isChanged && publication.state === "published" ? "unchanged" : "signed";
  return formatBlock(headingOf(word, `${gun}@${first?.digest ?? ""}`, publication, style), rows, style);
}

function tagRows({ tag, digest, was, roles }: BoundTag): readonly Row[] {
  const before = was === undefined || was === digest ? "" : `, before ${was}`;
  return [["tag", `${tag}, by ${roles.join(", ")}${before}`]];
}

/** docs/schemas/trust-sign.json. */
export function signedTagsDocument(results: readonly SignTagsResult[], failed: readonly FailedName[]): string {
  return formatDocument("trust sign", {
    images: results.map(({ gun, tags, isChanged, publication, warnings }) => ({
      gun,
      tags,
      changed: isChanged,
      publication: publicationMember(publication),
      warnings: warnings.map(findingMember),
    })),
    failed: failed.map(failedMember),
  });
}

// --- revoke ---------------------------------------------------------------------------------------------------------------

export function revokedTagsText(results: readonly RevokeTagsResult[], style: Style = PLAIN): string {
  return results.map((result) => revokeText(result, style)).join("\n");
}

function revokeText(result: RevokeTagsResult, style: Style): string {
  const { gun, reason, revoked, isChanged, publication, warnings } = result;
  const rows: readonly Row[] = [
    ...revoked.map(({ tag, digest, role }): Row => {
      return tag === undefined ? ["digest", `${digest}, by ${role}`] : ["tag", `${tag}, ${digest}, by ${role}`];
    }),
    ["because", reason],
    ...(isChanged ? [] : [["unchanged", "it was revoked already"] as const]),
    ...publicationRows(publication),
    ...warningRows(warnings),
  ];
  return formatBlock(headingOf("revoked", gun, publication, style), rows, style);
}

/** docs/schemas/trust-revoke.json. */
export function revokedTagsDocument(results: readonly RevokeTagsResult[], failed: readonly FailedName[]): string {
  return formatDocument("trust revoke", {
    images: results.map(({ gun, reason, revoked, isChanged, publication, warnings }) => ({
      gun,
      reason,
      revoked: revoked.map(({ tag, digest, role }) => ({ tag: tag ?? null, digest, role })),
      changed: isChanged,
      publication: publicationMember(publication),
      warnings: warnings.map(findingMember),
    })),
    failed: failed.map(failedMember),
  });
}

// --- refresh --------------------------------------------------------------------------------------------------------------

export function refreshedText(results: readonly RefreshResult[], now: Instant, style: Style = PLAIN): string {
  return results.map((result) => refreshText(result, now, style)).join("\n");
}

function refreshText(result: RefreshResult, now: Instant, style: Style): string {
  const { gun, merged, renewed, timestamp, snapshot, publication, notices } = result;
  const expiry = (label: string, file: RefreshResult["timestamp"]): readonly Row[] =>
    file === undefined ? [] : [[label, `version ${file.version}, ${describeExpiry(file.expires, now)}`]];
  const rows: readonly Row[] = [
    ...expiry("timestamp", timestamp),
    ...expiry("snapshot", snapshot),
    ...(merged.length === 0 ? [] : [["caught up", merged.join(", ")] as const]),
    ...(renewed.length === 0 ? [] : [["renewed", renewed.join(", ")] as const]),
    ...publicationRows(publication),
    ...warningRows(notices),
  ];
  return formatBlock(headingOf("refreshed", gun, publication, style), rows, style);
}

/** docs/schemas/trust-refresh.json. */
export function refreshedDocument(results: readonly RefreshResult[], failed: readonly FailedName[]): string {
  return formatDocument("trust refresh", {
    repositories: results.map(({ gun, merged, renewed, timestamp, snapshot, publication, notices }) => ({
      gun,
      timestamp: freshMember(timestamp),
      snapshot: freshMember(snapshot),
      merged,
      renewed,
      publication: publicationMember(publication),
      notices: notices.map(findingMember),
    })),
    failed: failed.map(failedMember),
  });
}

function freshMember(file: RefreshResult["timestamp"]): Readonly<Record<string, unknown>> | null {
  return file === undefined ? null : { version: file.version, expires: formatInstant(file.expires) };
}
