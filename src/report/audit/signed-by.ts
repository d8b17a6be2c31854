import type { AuditedSigner, Use } from "../../core/audit/audit.ts";
import { signerMember, timeMember } from "../../core/audit/facts.ts";
import type { SignedBy, SignedImage } from "../../core/audit/signed-by.ts";
import { printable } from "../../core/printable.ts";
import { describeAge, formatInstant, formatInstantExactly, type Instant } from "../../core/time.ts";
import { findingMember, formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { formatBlock, formatRows, HEADING_WIDTH, type Row } from "../text.ts";
import { useMember } from "./json.ts";
import { signerName, useLine } from "./view.ts";

/** Images, and places of one image, that are shown; all of them are in the JSON. */
const SHOWN = 50;
const USES_SHOWN = 5;

/** Where an answer comes from. */
export interface AskedAudit {
  readonly at: Instant;
  readonly sources: readonly string[];
}

/** What was asked, of what, and the answer. */
export interface SignedByAnswer {
  /** As it was written. */
  readonly who: string;
  readonly audits: readonly AskedAudit[];
  readonly answer: SignedBy;
}

/** What somebody signed, the newest first; what is signed at no proven time; what nobody could look at. */
export function signedByText({ who, audits, answer }: SignedByAnswer, style: Style = PLAIN): string {
  const { signers, since, signed, unproven, unseen } = answer;
  const head: readonly Row[] = [
    ...(signers.length === 0 ? [["signer", `${who}, of whom no signature was accepted`] as const] : []),
    ...signers.flatMap((signer): readonly Row[] => [
      ["signer", signerName(signer)],
      ["identified by", signer.id],
    ]),
    ["since", since === undefined ? "ever" : formatInstant(since)],
    ...audits.map(({ at, sources }): Row => ["audit", `${formatInstant(at)} of ${sources.join(" ")}`]),
  ];
  const unknown = unseen.map(({ image }): Row => ["undetermined", image.name]);
  return [
    `${style.heading("signed by")}\n${formatRows(head, style)}`,
    ...cut(signed, (one) => imageText(one, style)),
    ...cut(unproven, (one) => imageText(one, style)),
    ...(unknown.length === 0
      ? []
      : [
          `${style.undetermined("could not be looked at, and may be theirs as well")}\n${formatRows(few(unknown), style)}`,
        ]),
    `${tallyText(answer)}\n`,
  ].join("\n");
}

function imageText({ image, signers, signedAt, at, isCurrent }: SignedImage, style: Style): string {
  const { verdict, name, uses } = image;
  const rows: readonly Row[] = [
    ["signed", signedAt === undefined ? "at a time that nothing proves" : timeText(signedAt, at)],
    ...[...new Set(signers.map(signerName))].map((signer): Row => ["signed by", signer]),
    ...(isCurrent ? [] : [["last seen", formatInstant(at)] as const]),
    ...useRows(uses, isCurrent ? "runs in" : "ran in"),
  ];
  return formatBlock(`${style[verdict](verdict.padEnd(HEADING_WIDTH))}${printable(name)}`, rows, style);
}

function timeText(signedAt: Instant, at: Instant): string {
  return `${formatInstant(signedAt)}, ${describeAge(signedAt, at).replace(/ ago$/, " before the audit")}`;
}

function useRows(uses: readonly Use[], label: string): readonly Row[] {
  const shown = uses.slice(0, USES_SHOWN).map((use): Row => [label, useLine(use)]);
  return uses.length > USES_SHOWN ? [...shown, [label, `${uses.length - USES_SHOWN} more`]] : shown;
}

function cut(images: readonly SignedImage[], format: (image: SignedImage) => string): readonly string[] {
  const shown = images.slice(0, SHOWN).map(format);
  return images.length > SHOWN ? [...shown, `${images.length - SHOWN} more, all of them with -o json\n`] : shown;
}

function few(rows: readonly Row[]): readonly Row[] {
  return rows.length > SHOWN
    ? [...rows.slice(0, SHOWN), ["and", `${rows.length - SHOWN} more, all of them with -o json`]]
    : rows;
}

function tallyText({ since, signed, unproven, earlier, unseen }: SignedBy): string {
  const parts = [
    `${signed.length} signed${since === undefined ? "" : " since"}`,
    ...(unproven.length === 0 ? [] : [`${unproven.length} at a time that nothing proves`]),
    ...(earlier === 0 ? [] : [`${earlier} before`]),
    ...(unseen.length === 0 ? [] : [`${unseen.length} could not be looked at`]),
  ];
  return `${parts.join(", ")}; of signatures that were accepted`;
}

/** docs/schemas/audit-signed-by.json. */
export function signedByDocument({ who, audits, answer }: SignedByAnswer): string {
  const { signers, since, signed, unproven, earlier, unseen } = answer;
  return formatDocument("audit signed-by", {
    who,
    since: timeMember(since) ?? null,
    signers: signers.map(whoMember),
    audits: audits.map(({ at, sources }) => ({ at: formatInstantExactly(at), sources })),
    summary: { signed: signed.length, unproven: unproven.length, earlier, unseen: unseen.length },
    images: [...signed.map((one) => imageMember(one, true)), ...unproven.map((one) => imageMember(one, false))],
    unseen: unseen.map(({ image }) => ({ image: image.image, reasons: image.reasons.map(findingMember) })),
  });
}

function whoMember({ kind, id, name, as }: AuditedSigner): Readonly<Record<string, unknown>> {
  return { kind, id, name, as };
}

function imageMember(
  { image, signers, signedAt, at, isCurrent }: SignedImage,
  proven: boolean,
): Readonly<Record<string, unknown>> {
  return {
    image: image.image,
    name: image.name,
    digest: image.digest ?? null,
    verdict: image.verdict,
    reasons: image.reasons.map(findingMember),
    signers: signers.map(signerMember),
    signedAt: timeMember(signedAt) ?? null,
    proven,
    current: isCurrent,
    seenAt: formatInstantExactly(at),
    uses: image.uses.map(useMember),
  };
}
