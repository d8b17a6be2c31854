import { findingMember } from "../../core/explain.ts";
import { printable } from "../../core/printable.ts";
import type {
  ApproveResult,
  GcResult,
  InitResult,
  RotateResult,
  SignerResult,
  SignerSummary,
} from "../../core/tags/admin-results.ts";
import type { Instant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { failureRows, formatBlock, type Row } from "../text.ts";
import { type FailedName, failedMember, pinMember, publicationMember, roleMember, signerMember } from "./members.ts";
import {
  describeBinding,
  describeChange,
  describeKeys,
  describeRole,
  headingOf,
  publicationRows,
  shortId,
} from "./words.ts";

/** What the commands that look after signed tags have done. */

// --- init -----------------------------------------------------------------------------------------------------------------

/** What the command line adds to what was set up. */
export interface InitAddition {
  /** Where the keys that were made are; undefined where all are the user's own. */
  readonly keyFolder: string | undefined;
  /** The file of pins that has the new root. */
  readonly pinsFile: string;
  /** What the publisher should know of what was chosen. */
  readonly cautions: readonly string[];
}

export function initText(result: InitResult, addition: InitAddition, now: Instant, style: Style = PLAIN): string {
  const { gun, location, pin, roles, head } = result;
  const elsewhere = location === gun ? "" : ` --location ${location}`;
  const rows: readonly Row[] = [
    ...(location === gun ? [] : [["kept in", location] as const]),
    ...roles.map((role): Row => [role.name, describeRole(role, now)]),
    ["head", head],
    ...(addition.keyFolder === undefined
      ? []
      : [["keys", `${addition.keyFolder}: keep a copy of it elsewhere`] as const]),
    ["pinned", `${pin.root} in ${addition.pinsFile}`],
    ...addition.cautions.map((caution): Row => ["warning", caution]),
    ["next", `countersign trust sign ${gun}:TAG`],
    ["consumers", `countersign trust pin ${gun} --root-checksum ${pin.root}${elsewhere}`],
  ];
  return formatBlock(headingOf("set up", gun, undefined, style), rows, style);
}

/** docs/schemas/trust-init.json. */
export function initDocument(result: InitResult, addition: InitAddition): string {
  const { gun, location, head, pin, roles } = result;
  return formatDocument("trust init", {
    gun,
    location,
    head,
    pin: pinMember(pin),
    roles: roles.map(roleMember),
    keyFolder: addition.keyFolder,
    pinsFile: addition.pinsFile,
    cautions: addition.cautions,
  });
}

// --- signers --------------------------------------------------------------------------------------------------------------

export function signerText(result: SignerResult, style: Style = PLAIN): string {
  const { gun, change, signer, orphaned, rebound, publication } = result;
  const rows: readonly Row[] = [
    ["tags", signer.tags.join(" ")],
    ["keys", describeKeys(signer)],
    ...rebound.map((binding): Row => ["bound again", describeBinding(binding)]),
    ...orphaned.map((binding): Row => ["warning", `nobody signs this tag any more: ${describeBinding(binding)}`]),
    ...publicationRows(publication),
  ];
  return formatBlock(headingOf(change, `${signer.name} of ${gun}`, publication, style), rows, style);
}

export function signersText(results: readonly SignerResult[], style: Style = PLAIN): string {
  return results.map((result) => signerText(result, style)).join("\n");
}

/** docs/schemas/trust-signer.json. */
export function signersDocument(
  command: string,
  results: readonly SignerResult[],
  failed: readonly FailedName[] = [],
): string {
  return formatDocument(command, {
    repositories: results.map(({ gun, change, signer, orphaned, rebound, publication }) => ({
      gun,
      change,
      signer: signerMember(signer),
      orphaned,
      rebound,
      publication: publicationMember(publication),
    })),
    failed: failed.map(failedMember),
  });
}

/** `trust signer list`: a line for each. */
export function signerListText(
  gun: string,
  signers: readonly SignerSummary[],
  now: Instant,
  style: Style = PLAIN,
): string {
  if (signers.length === 0) return `${printable(gun)} has no signers: who holds its targets key signs tags\n`;
  const blocks = signers.map((signer) =>
    formatBlock(
      style.heading(printable(signer.name)),
      [
        ["tags", signer.tags.join(" ") + (signer.isTerminating ? " (nobody else for these)" : "")],
        ["state", describeRole(signer, now)],
        ["binds", plural(signer.bindings, "tag")],
      ],
      style,
    ),
  );
  return blocks.join("");
}

/** docs/schemas/trust-signer-list.json. */
export function signerListDocument(gun: string, signers: readonly SignerSummary[]): string {
  return formatDocument("trust signer list", { gun, signers: signers.map(signerMember) });
}

// --- rotate, approve --------------------------------------------------------------------------------------------------------

export function rotateText(result: RotateResult, style: Style = PLAIN): string {
  const { gun, role, addedKeyIds, removedKeyIds, threshold, root, publication } = result;
  const ids = (list: readonly string[]): string => list.map(shortId).join(" ");
  const rows: readonly Row[] = [
    ...(addedKeyIds.length === 0 ? [] : [["added", ids(addedKeyIds)] as const]),
    ...(removedKeyIds.length === 0 ? [] : [["removed", ids(removedKeyIds)] as const]),
    ["have to sign", plural(threshold, "key")],
    ...(root === undefined ? [] : [["root", `version ${root.version}, ${root.digest}`] as const]),
    ...publicationRows(publication),
  ];
  return formatBlock(headingOf("rotated", `${role} of ${gun}`, publication, style), rows, style);
}

/** docs/schemas/trust-rotate.json. */
export function rotateDocument(result: RotateResult): string {
  const { gun, role, addedKeyIds, removedKeyIds, threshold, root, publication } = result;
  return formatDocument("trust rotate", {
    gun,
    role,
    addedKeyIds,
    removedKeyIds,
    threshold,
    root: root ?? null,
    publication: publicationMember(publication),
  });
}

/** `approve`: what was agreed to is said in full, since that is what was signed. */
export function approveText(result: ApproveResult, style: Style = PLAIN): string {
  const { gun, role, version, changes, publication } = result;
  const rows: readonly Row[] = [
    ...changes.map((change): Row => ["agreed to", describeChange(change)]),
    ...publicationRows(publication),
  ];
  return formatBlock(headingOf("approved", `${role} version ${version} of ${gun}`, publication, style), rows, style);
}

/** docs/schemas/trust-approve.json. */
export function approveDocument({ gun, role, version, changes, publication }: ApproveResult): string {
  return formatDocument("trust approve", {
    gun,
    role,
    version,
    changes,
    publication: publicationMember(publication),
  });
}

// --- gc ---------------------------------------------------------------------------------------------------------------------

export function gcText(result: GcResult, style: Style = PLAIN): string {
  const { gun, removed, kept, tags, isDryRun, unsupported } = result;
  const word = isDryRun ? "would remove" : "removed";
  const rows: readonly Row[] = [
    [word, `${plural(removed.length, "old head")}, ${plural(tags.length, "tag")} that waited for what is published`],
    ["kept", plural(kept.length, "old head")],
    ...failureRows(unsupported),
  ];
  return formatBlock(headingOf(isDryRun ? "looked" : "cleaned", gun, undefined, style), rows, style);
}

/** docs/schemas/trust-gc.json. */
export function gcDocument({ gun, removed, kept, tags, isDryRun, unsupported }: GcResult): string {
  return formatDocument("trust gc", {
    gun,
    removed,
    kept,
    tags,
    dryRun: isDryRun,
    unsupported: unsupported && findingMember(unsupported),
  });
}
