import type { SuccessorSigner } from "../../core/dct/successor.ts";
import type { Finding } from "../../core/errors.ts";
import { explainBriefly, findingMember } from "../../core/explain.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { printable } from "../../core/printable.ts";
import type { InitResult } from "../../core/tags/admin-results.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import type { Instant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import { pinMember, roleMember } from "./members.ts";
import { describeRole } from "./words.ts";

/** A tag of Docker Content Trust, and what becomes of it. */
export interface ReportedTag {
  readonly tag: string;
  readonly digest: Digest;
  readonly state: "same" | "moved" | "untagged" | "gone";
  readonly registryDigest: Digest | undefined;
  readonly signers: readonly string[];
}

/** What is to be taken over, and what was. */
export interface MigrationReport {
  readonly plan: {
    readonly gun: string;
    readonly tags: readonly ReportedTag[];
    readonly signers: readonly SuccessorSigner[];
    readonly notices: readonly Finding[];
  };
  readonly source: {
    /** A server's address, or a folder. */
    readonly location: string;
    /** Which root vouched for it. */
    readonly anchor: "docker's own" | "a file" | "first use";
    readonly rootVersion: number;
    /** What has expired, in words. */
    readonly lapses: readonly string[];
  };
  /** undefined: nothing was written. */
  readonly done: MigrationDone | undefined;
}

export interface MigrationDone {
  readonly init: InitResult;
  readonly tags: readonly (ReportedTag & { readonly roles: readonly string[] })[];
  /** Whether who trusts the old root can go over by it. */
  readonly hasContinuity: boolean;
  /** By role: whether Docker's key goes on, a new one was made, or one was named. */
  readonly origins: ReadonlyMap<string, "kept" | "new" | "given">;
  readonly keyFolder: string;
  readonly pinsFile: string;
}

const STATES: Readonly<Record<ReportedTag["state"], string>> = {
  same: "",
  moved: ", the registry's tag names another",
  untagged: ", no such tag in the registry",
  gone: ", not in the registry: left out",
};

export function migrationText(report: MigrationReport, now: Instant, style: Style = PLAIN): string {
  const { plan, done } = report;
  const heading = done === undefined ? style.undetermined("planned") : style.accepted("taken over");
  const padding = " ".repeat(Math.max(1, HEADING_WIDTH - (done === undefined ? "planned" : "taken over").length));
  const rows = [...sourceRows(report), ...(done === undefined ? [] : doneRows(plan.gun, done, now))];
  return formatBlock(`${heading}${padding}${printable(plan.gun)}`, rows, style);
}

const ANCHORS: Readonly<Record<MigrationReport["source"]["anchor"], string>> = {
  "docker's own": "the root that Docker trusted here",
  "a file": "the root in a file",
  "first use": "the root that the server has now, on first use",
};

function sourceRows({ plan, source, done }: MigrationReport): readonly Row[] {
  const left = plan.tags.filter(({ state }) => state === "gone");
  const tags = done?.tags ?? plan.tags;
  return [
    ["from", source.location],
    ["verified by", `${ANCHORS[source.anchor]}, now version ${source.rootVersion}`],
    ...[...tags, ...(done === undefined ? [] : left)].map((tag): Row => ["tag", describeTag(tag)]),
    ...plan.signers.map((signer): Row => ["signer", describeSigner(signer)]),
    ...source.lapses.map((lapse): Row => ["warning", lapse]),
    ...plan.notices.map((notice): Row => ["warning", explainBriefly(notice)]),
  ];
}

function describeTag(tag: ReportedTag & { readonly roles?: readonly string[] }): string {
  const by = tag.signers.join(" ") || "Repo Admin";
  const now = tag.roles === undefined ? "" : `, now by ${tag.roles.join(" ")}`;
  return `${tag.tag} is ${tag.digest}, signed by ${by}${now}${STATES[tag.state]}`;
}

function describeSigner({ name, formerly, keys, tags }: SuccessorSigner): string {
  const renamed = name === formerly ? "" : ` (was ${formerly})`;
  return `${name}${renamed}: tags ${tags.join(" ")}, ${plural(keys.length, "key")}`;
}

function doneRows(gun: string, done: MigrationDone, now: Instant): readonly Row[] {
  const { init, hasContinuity, origins, keyFolder, pinsFile } = done;
  const kept = [...origins].filter(([, origin]) => origin === "kept").map(([role]) => role);
  const made = [...origins].filter(([, origin]) => origin === "new").map(([role]) => role);
  const pin = `countersign trust pin ${gun} --root-checksum ${init.pin.root}`;
  return [
    ...init.roles.map((role): Row => [role.name, describeRole(role, now)]),
    ["head", init.head],
    ...(kept.length === 0 ? [] : [["keys kept", `${kept.join(" ")}, now in ${keyFolder}`] as const]),
    ...(made.length === 0 ? [] : [["keys made", `${made.join(" ")}, in ${keyFolder}: keep a copy elsewhere`] as const]),
    ["pinned", `${init.pin.root} in ${pinsFile}`],
    [
      "consumers",
      hasContinuity ? `countersign trust pin ${gun} --from-dct, where Docker trusted the old root; else ${pin}` : pin,
    ],
    ["next", `countersign trust refresh ${gun}, every day`],
  ];
}

/** docs/schemas/trust-migrate.json. */
export function migrationDocument({ plan, source, done }: MigrationReport): string {
  return formatDocument("trust migrate", {
    gun: plan.gun,
    source: {
      location: source.location,
      anchor: source.anchor,
      rootVersion: source.rootVersion,
      expired: source.lapses,
    },
    isDryRun: done === undefined,
    tags: plan.tags.map((tag) => tagMember(tag, done)),
    signers: plan.signers.map(({ name, formerly, keys, tags }) => ({
      name,
      formerly,
      tags,
      keyIds: keys.map((key) => keyIdOf(tufKeyOf(key))),
    })),
    notices: plan.notices.map(findingMember),
    signedTags: done && doneMember(done),
  });
}

function tagMember(
  { tag, digest, state, registryDigest, signers }: ReportedTag,
  done: MigrationDone | undefined,
): object {
  const roles = done?.tags.find((each) => each.tag === tag)?.roles;
  return { tag, digest, signers, state, registryDigest: registryDigest ?? null, roles };
}

function doneMember({ init, hasContinuity, origins, keyFolder, pinsFile }: MigrationDone): object {
  return {
    location: init.location,
    head: init.head,
    pin: pinMember(init.pin),
    roles: init.roles.map(roleMember),
    hasContinuity,
    keys: Object.fromEntries(origins),
    keyFolder,
    pinsFile,
  };
}
