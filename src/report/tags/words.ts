import type { Finding } from "../../core/errors.ts";
import { explainFinding } from "../../core/explain.ts";
import { printable } from "../../core/printable.ts";
import type {
  PendingRole,
  Publication,
  RoleSummary,
  SignerSummary,
  TrustChange,
} from "../../core/tags/admin-results.ts";
import type { Binding } from "../../core/tags/binding.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { describeAge, formatInstant, type Instant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import type { Style } from "../style.ts";
import { failureRows, HEADING_WIDTH, type Row } from "../text.ts";

/** The words that the reports on signed tags have in common. */

/** Enough of a key's id to tell the keys of one repository apart; all of it is in the JSON. */
export function shortId(id: string): string {
  return `${id.slice(0, 12)}…`;
}

/** `until 2027-11-23T07:33:00Z (in 365 days)`, `expired 2026-11-20T…Z (3 days ago)`. */
export function describeExpiry(expires: Instant, now: Instant): string {
  const word = expires <= now ? "expired" : "until";
  return `${word} ${formatInstant(expires)} (${describeDistance(expires, now)})`;
}

const DAY_MS = 86_400_000;

/** In whole days where there are some: what was signed a second ago for seven days ends in seven days. */
function describeDistance(expires: Instant, now: Instant): string {
  const days = Math.round((expires - now) / DAY_MS);
  return days >= 2 ? `in ${days} days` : describeAge(expires, now);
}

/** `1 key`, `2 of 3 keys`: how many have to sign of how many that may. */
export function describeKeys({ keyIds, threshold }: Pick<RoleSummary, "keyIds" | "threshold">): string {
  const ids = keyIds.map(shortId).join(" ");
  return `${threshold} of ${plural(keyIds.length, "key")}: ${ids}`;
}

export function describeRole(role: RoleSummary, now: Instant): string {
  const { version, expires } = role;
  return [
    version === undefined ? "nothing signed yet" : `version ${version}`,
    describeKeys(role),
    ...(expires === undefined ? [] : [describeExpiry(expires, now)]),
  ].join(", ");
}

/** `ci: tags v1.* v2.*, 12 bound; version …`. */
export function describeSigner(signer: SignerSummary, now: Instant): string {
  const { name, tags, bindings, isTerminating } = signer;
  const alone = isTerminating ? ", nobody else for these" : "";
  return `${name}: tags ${tags.join(" ")}${alone}, ${bindings} bound; ${describeRole(signer, now)}`;
}

export function describePin({ root, rootVersion, mode }: Pick<RootPin, "mode" | "root" | "rootVersion">): string {
  return `${root}, root version ${rootVersion}, ${PIN_MODES[mode]}`;
}

const PIN_MODES: Readonly<Record<RootPin["mode"], string>> = {
  pinned: "chosen",
  tofu: "trusted on first use",
  dct: "vouched for by a root of Docker Content Trust",
};

/** `targets, version 3: 1 more signature wanted, by any of 5c1f… 77ab…`. */
export function describePending({ role, version, missing, open, tag }: PendingRole): string {
  const more = `${plural(missing, "more signature")} wanted`;
  const who = open.length === 0 ? "" : `, by any of ${open.map(shortId).join(" ")}`;
  return `${role}, version ${version}: ${more}${who} (tag ${tag})`;
}

/** What became of a change, as rows; what is published may come with warnings. */
export function publicationRows(publication: Publication): readonly Row[] {
  switch (publication.state) {
    case "pending":
      return [["waiting", describePending(publication.waiting)]];
    case "staged":
      return [...stagedRow(publication.roles), ...failureRows(publication.finding)];
    case "published":
      return [["published", `head ${publication.head}`], ...warningRows(publication.warnings)];
  }
}

function stagedRow(roles: readonly string[]): readonly Row[] {
  return roles.length === 0 ? [] : [["staged", roles.join(", ")]];
}

export function warningRows(warnings: readonly Finding[]): readonly Row[] {
  return warnings.map((finding): Row => ["warning", explainFinding(finding)]);
}

/** `signed         registry.example/acme/app:1.4`, painted by whether everybody sees it already. */
export function headingOf(word: string, name: string, publication: Publication | undefined, style: Style): string {
  const isDone = publication === undefined || publication.state === "published";
  return `${(isDone ? style.accepted : style.undetermined)(word.padEnd(HEADING_WIDTH))}${printable(name)}`;
}

/** `1.4 → sha256:…`: what a tag stands for. */
export function describeBinding({ tag, digest }: Pick<Binding, "tag" | "digest">): string {
  return tag === undefined ? digest : `${tag} is ${digest}`;
}

/** A tag that is bound to what it meant may be confirmed, or demand something else. */
function boundBefore({ was, digest, requires }: Extract<TrustChange, { readonly kind: "bound" }>): string {
  const before = was === undefined ? "" : was === digest ? " again" : `, before ${was}`;
  return `${before}${demandsOf(requires)}`;
}

function demandsOf(requires: Extract<TrustChange, { readonly kind: "released" }>["requires"]): string {
  const demanded = requires.map(({ identity, issuer }) => `${identity} (${issuer})`).join(", ");
  return demanded === "" ? "" : `, with a signature by ${demanded}`;
}

function signerIs({ tags, terminating, keyIds, threshold }: Extract<TrustChange, { readonly signer: string }>): string {
  const alone = terminating ? ", and nobody after it" : "";
  return `tags ${tags.join(" ")}${alone}, ${keysOf(keyIds)}; ${threshold} have to sign`;
}

export function describeChange(change: TrustChange): string {
  switch (change.kind) {
    case "bound":
      return `${change.role} binds ${change.tag} to ${change.digest}${boundBefore(change)}`;
    case "unbound":
      return `${change.role} no longer binds ${change.tag}, before ${change.was}`;
    case "revoked":
      return `${change.role} takes ${change.what} back: ${change.reason}`;
    case "released":
      return `${change.role} releases ${change.digest}${demandsOf(change.requires)}`;
    case "withdrawn":
      return `${change.role} no longer releases ${change.digest}`;
    case "signer-added":
    case "signer-changed":
      return `signer ${change.signer} ${change.kind === "signer-added" ? "added" : "changed"}: ${signerIs(change)}`;
    case "signer-removed":
      return `signer ${change.signer} removed`;
    case "keys":
      return `keys of ${change.role}: ${keyChanges(change)}; ${change.threshold} have to sign`;
    case "version":
      return `${change.role}: version ${change.from ?? "none"}, then ${change.to}, until ${change.expires}`;
  }
}

function keysOf(ids: readonly string[]): string {
  return `${ids.length === 1 ? "key" : "keys"} ${ids.map(shortId).join(" ")}`;
}

function keyChanges({
  added,
  removed,
}: {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}): string {
  const parts = [
    ...(added.length === 0 ? [] : [`${keysOf(added)} added`]),
    ...(removed.length === 0 ? [] : [`${keysOf(removed)} removed`]),
  ];
  return parts.join(", ") || "the same";
}
