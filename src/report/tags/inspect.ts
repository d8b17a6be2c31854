import { explainFinding, findingMember } from "../../core/explain.ts";
import type { JsonValue } from "../../core/json.ts";
import { printable, printableJson } from "../../core/printable.ts";
import type { InspectResult, TagInspection } from "../../core/tags/admin-results.ts";
import { describeAge, type Instant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, formatRows, HEADING_WIDTH, type Row } from "../text.ts";
import { bindingMember, type FailedName, failedMember, pendingMember, roleMember, signerMember } from "./members.ts";
import { describePending, describePin, describeRole, describeSigner, shortId } from "./words.ts";

/** Tags that are listed in text; a repository may have thousands. */
const TAGS_SHOWN = 500;
const UNSIGNED_SHOWN = 16;

/** What is known of a repository's signed tags: who may sign, until when, and every tag with what it means. */
export function inspectText(result: InspectResult, now: Instant, style: Style = PLAIN): string {
  const heading = `${style.heading("signed tags".padEnd(HEADING_WIDTH))}${printable(result.gun)}`;
  return `${formatBlock(heading, repositoryRows(result, now), style)}\n${tagsText(result.tags, now, style)}`;
}

function repositoryRows(result: InspectResult, now: Instant): readonly Row[] {
  const { gun, location, aliases, head, pin, rootDigest, roles, signers, notices, waiting } = result;
  return [
    ...(location === gun ? [] : [["kept in", location] as const]),
    ...(aliases.length === 0 ? [] : [["also called", aliases.join(", ")] as const]),
    ["head", head],
    ["root is", rootDigest],
    ["pinned", pin === undefined ? "no: nothing here is proven to be the publisher's" : describePin(pin)],
    ...roles.map((role): Row => [role.name, describeRole(role, now)]),
    ...signers.map((signer): Row => ["signer", describeSigner(signer, now)]),
    ...waiting.map((pending): Row => ["waiting", describePending(pending)]),
    ...unsignedRows(result),
    ...notices.map((notice): Row => ["warning", explainFinding(notice)]),
  ];
}

function unsignedRows({ unsignedTags = [], releasedDigests }: InspectResult): readonly Row[] {
  const more = unsignedTags.length - UNSIGNED_SHOWN;
  const names = unsignedTags.slice(0, UNSIGNED_SHOWN).join(", ");
  return [
    ...(releasedDigests === 0
      ? []
      : [["released", `${plural(releasedDigests, "digest")} that no tag names now`] as const]),
    ...(unsignedTags.length === 0 ? [] : [["unsigned", more > 0 ? `${names} and ${more} more` : names] as const]),
  ];
}

function tagsText(tags: readonly TagInspection[], now: Instant, style: Style): string {
  if (tags.length === 0) return "no tag is signed\n";
  const shown = tags.slice(0, TAGS_SHOWN).map((tag) => tagText(tag, now, style));
  const more = tags.length - shown.length;
  return `${shown.join("")}${more > 0 ? `${more} more, all of them with -o json\n` : ""}`;
}

function tagText(inspection: TagInspection, now: Instant, style: Style): string {
  const { binding, role, keyIds } = inspection;
  const { tag = "", digest, revoked } = binding;
  const paint = revoked === undefined ? style.accepted : style.refused;
  const word = paint((revoked === undefined ? "signed" : "revoked").padEnd(HEADING_WIDTH));
  const by = `${role} (${keyIds.map(shortId).join(" ")})`;
  const age = binding.signedAt === undefined ? "" : `, ${describeAge(binding.signedAt, now)}`;
  const rows: readonly Row[] = [["by", `${by}${age}`], ...tagRows(inspection, now)];
  return `${word}${printable(tag)}  ${digest}\n${formatRows(rows, style)}`;
}

function tagRows({ binding, shadowed, registryDigest }: TagInspection, now: Instant): readonly Row[] {
  const { revoked, requires, source, note, digest } = binding;
  return [
    ...(revoked === undefined ? [] : [["because", `${revoked.reason}, ${describeAge(revoked.at, now)}`] as const]),
    ...(source === undefined ? [] : [["source", source] as const]),
    ...(note === undefined ? [] : [["note", note] as const]),
    ...requires.map(({ identity, issuer }): Row => ["requires", `a signature by ${identity} (${issuer})`]),
    ...shadowed.map(
      (other): Row => ["not heeded", `${other.role} binds it to ${other.digest}: an earlier role decides`],
    ),
    ...divergenceRows(digest, registryDigest),
  ];
}

function divergenceRows(signed: string, registry: string | null | undefined): readonly Row[] {
  if (registry === undefined || registry === signed) return [];
  const found = registry === null ? "no such tag" : `the tag at ${registry}`;
  return [["warning", `the registry has ${found}: what is signed counts`]];
}

export function inspectsText(results: readonly InspectResult[], now: Instant, style: Style = PLAIN): string {
  return results.map((result) => inspectText(result, now, style)).join("\n");
}

/** What scripts that read Docker's output expect: no document of ours, and no version. */
export function dctDocument(inspection: JsonValue): string {
  return `${printableJson(inspection)}\n`;
}

/** docs/schemas/trust-inspect.json. */
export function inspectDocument(results: readonly InspectResult[], failed: readonly FailedName[] = []): string {
  return formatDocument("trust inspect", {
    repositories: results.map(repositoryMember),
    failed: failed.map(failedMember),
  });
}

function repositoryMember(result: InspectResult): Readonly<Record<string, unknown>> {
  const { gun, location, aliases, head, pin, rootDigest, roles, signers, tags, waiting, notices } = result;
  return {
    gun,
    location,
    aliases,
    head,
    pin: pin === undefined ? null : { mode: pin.mode, root: pin.root, rootVersion: pin.rootVersion },
    root: rootDigest,
    roles: roles.map(roleMember),
    signers: signers.map(signerMember),
    tags: tags.map(tagMember),
    releasedDigests: result.releasedDigests,
    unsignedTags: result.unsignedTags,
    waiting: waiting.map(pendingMember),
    notices: notices.map(findingMember),
  };
}

function tagMember({
  binding,
  role,
  keyIds,
  shadowed,
  registryDigest,
}: TagInspection): Readonly<Record<string, unknown>> {
  return { ...bindingMember(binding), role, keyIds, shadowed, registryDigest };
}
