import { CountersignError } from "../core/errors.ts";
import {
  isHead,
  type KitImage,
  type KitList,
  type KitPolicy,
  type KitTrust,
  kitImageName,
} from "../core/formats/kit.ts";
import type { Digest } from "../core/oci/digest.ts";
import { printable, printableLines } from "../core/printable.ts";
import { describeAge, formatInstant, type Instant } from "../core/time.ts";
import { endsOf, type TrustEnd } from "../core/trust/ends.ts";
import type { TrustRoot } from "../core/trust/root.ts";
import { formatBytes, plural } from "./amounts.ts";
import { formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "./text.ts";
import { type MovedImage, type Movement, movedMembers, movedText } from "./transfer.ts";
import { daysLeft } from "./trusted-root.ts";

/** A kit: one that was made just now, or one that was read. */
export interface KitReport {
  /** As the user called it. */
  readonly file: string;
  readonly digest: Digest;
  readonly list: KitList;
  /** The trust roots of the list, in its order. */
  readonly trustRoots: readonly TrustRoot[];
  /** Of the file. */
  readonly bytes: number;
}

/** What became of the trust material that a kit brought for an instance of this machine. */
export interface TrustUpdate {
  /** Of the instance here; what the kit calls it where there is none. */
  readonly name: string;
  /**
   * - `updated`: taken over, verified from this machine's own root on
   * - `current`: this machine's own is as new
   * - `unknown-instance`: no instance here has this repository
   * - `no-metadata`: the kit holds nothing that it could be verified by
   */
  readonly outcome: "updated" | "current" | "unknown-instance" | "no-metadata";
  readonly refreshedAt?: Instant | undefined;
  readonly expires?: Instant | undefined;
}

/** A trust root that images were judged by. */
export interface UsedTrust {
  /** As the verdicts call it. */
  readonly label: string;
  readonly refreshedAt?: Instant | undefined;
  readonly expires?: Instant | undefined;
}

/** The result of a `save` or a `load`. */
export interface KitResult {
  readonly movement: Extract<Movement, "save" | "load">;
  readonly images: readonly MovedImage[];
  /** undefined where none was made. */
  readonly kit: KitReport | undefined;
  readonly updates: readonly TrustUpdate[];
  readonly used: readonly UsedTrust[];
  /** What the kit holds is the answer: nothing was judged. */
  readonly isListing: boolean;
  /** The text of the policy in the kit, where that was asked for. */
  readonly policy?: string | undefined;
  readonly now: Instant;
}

// --- text -------------------------------------------------------------------------------------------------------------

export function kitText(result: KitResult, style: Style = PLAIN): string {
  const { movement, images, kit, isListing } = result;
  const blocks = images.length === 0 ? [] : [movedText(movement, images, style)];
  if (kit !== undefined) blocks.push(blockOf(kit, result, style));
  if (!isListing && images.some(isLeft)) blocks.push(`${style.heading(NOTHING[movement])}\n`);
  return blocks.join("\n");
}

function isLeft({ verdicts, destination }: MovedImage): boolean {
  return verdicts.length > 0 && destination === undefined;
}

const NOTHING: Readonly<Record<KitResult["movement"], string>> = {
  save: "Nothing was saved: every image has to be accepted.",
  load: "Nothing was loaded: every image has to be accepted.",
};

function blockOf(kit: KitReport, { updates, used, isListing, now }: KitResult, style: Style): string {
  const { file, digest, list, trustRoots, bytes } = kit;
  const { attached, trust, createdAt } = list;
  const [heads, images] = [list.images.filter(isHead), list.images.filter((image) => !isHead(image))];
  const rows: readonly Row[] = [
    ["digest", digest],
    ["made", `${describeAge(createdAt, now)}, at ${formatInstant(createdAt)}`],
    [
      "holds",
      `${plural(images.length, "image")}, ${plural(attached.length, "attached manifest")}, ${formatBytes(bytes)}`,
    ],
    ...(isListing ? images.map((image): Row => ["image", imageText(image)]) : []),
    ...heads.map(({ repository = "" }): Row => ["signed tags", repository]),
    ...trust.map((one, at): Row => ["trust root", trustText(one, trustRoots[at], now)]),
    ...(list.policy === undefined ? [] : [["policy", policyText(list.policy)] as const]),
    ...updates.map((one): Row => ["trust here", updateText(one, now)]),
    ...used.flatMap(({ label, expires }): readonly Row[] =>
      expires === undefined ? [] : [["judged by", `${label}, ${lifeText(expires, now)}`]],
    ),
  ];
  return formatBlock(`${style.heading("kit".padEnd(HEADING_WIDTH))}${printable(file)}`, rows, style);
}

function imageText(image: KitList["images"][number]): string {
  const name = kitImageName(image);
  return name.endsWith(image.manifest.digest) ? name : `${name}@${image.manifest.digest}`;
}

function trustText(trust: KitTrust, root: TrustRoot | undefined, now: Instant): string {
  const { name, source, fetchedAt, expires } = trust;
  const [first] = root === undefined ? [] : endsOf(root);
  const where = source.kind === "tuf" ? source.mirror : source.file;
  return [
    name === undefined ? where : `${name} (${where})`,
    ...(fetchedAt === undefined ? [] : [`fetched ${describeAge(fetchedAt, now)}`]),
    expires === undefined ? "a file, which does not expire" : lifeText(expires, now),
    ...(first === undefined ? [] : [endText(first, now)]),
  ].join(", ");
}

/** A kit brings no rules, as it brings no trust. */
function policyText({ file, digest }: KitPolicy): string {
  return `${file}@${digest}, to be read; a kit's policy is never judged by`;
}

function endText({ kind, until }: TrustEnd, now: Instant): string {
  return `its ${kind} ${until < now ? "ended" : "end"} ${describeAge(until, now)}`;
}

function lifeText(expires: Instant, now: Instant): string {
  if (now >= expires) return `expired ${describeAge(expires, now)}`;
  return `${plural(daysLeft(expires, now), "day")} left, until ${formatInstant(expires)}`;
}

const OUTCOMES: Readonly<Record<TrustUpdate["outcome"], string>> = {
  updated: "taken from the kit",
  current: "as new as the kit's, and kept",
  "unknown-instance": "not taken: no instance of this machine has this repository",
  "no-metadata": "not taken: the kit holds no metadata to verify it by",
};

function updateText({ name, outcome, expires }: TrustUpdate, now: Instant): string {
  return `${name}: ${OUTCOMES[outcome]}${expires === undefined ? "" : `, ${lifeText(expires, now)}`}`;
}

/**
 * The policy in a kit, by itself. Whoever made the kit wrote it: what a terminal would obey is escaped.
 *
 * @throws CountersignError `usage` where there is none.
 */
export function kitPolicyText({ policy }: KitResult): string {
  if (policy !== undefined) return printableLines(policy);
  throw new CountersignError("usage", "there is no policy in the kit", {
    found: "images that were judged by flags",
    wanted: "a kit that was made by save --policy",
  });
}

// --- JSON -------------------------------------------------------------------------------------------------------------

/** docs/schemas/kit-report.json. */
export function kitDocument({ movement, images, kit, updates, used, isListing, now }: KitResult): string {
  return formatDocument(movement, {
    ...(isListing ? {} : movedMembers(images)),
    kit: kit === undefined ? null : kitMember(kit, now),
    ...(movement === "load"
      ? {
          trustUpdates: updates.map((one) => updateMember(one, now)),
          judgedBy: used.map((one) => usedMember(one, now)),
        }
      : {}),
  });
}

function kitMember(
  { file, digest, list, trustRoots, bytes }: KitReport,
  now: Instant,
): Readonly<Record<string, unknown>> {
  return {
    file,
    digest,
    bytes,
    createdAt: formatInstant(list.createdAt),
    images: list.images.filter((image) => !isHead(image)).map(imageMember),
    ...(list.images.some(isHead) && { signedTags: list.images.filter(isHead).map(headMember) }),
    attached: list.attached,
    trust: list.trust.map((one, at) => trustMember(one, trustRoots[at], now)),
    policy: list.policy && { file: list.policy.file, digest: list.policy.digest },
  };
}

function imageMember(image: KitImage): Readonly<Record<string, unknown>> {
  return { image: kitImageName(image), digest: image.manifest.digest };
}

function headMember({ repository, manifest }: KitImage): Readonly<Record<string, unknown>> {
  return { repository, digest: manifest.digest };
}

function trustMember(trust: KitTrust, root: TrustRoot | undefined, now: Instant): Readonly<Record<string, unknown>> {
  const { name, source, trustedRoot, fetchedAt, expires, roles, tuf } = trust;
  return {
    name: name ?? null,
    ...(source.kind === "tuf" ? { mirror: source.mirror } : { file: source.file }),
    digest: trustedRoot.digest,
    ...lifeMembers(fetchedAt, expires, now),
    ends: root && endsOf(root).map(({ kind, until }) => ({ kind, until: formatInstant(until) })),
    metadata: roles.map((role) => ({ ...role, expires: formatInstant(role.expires) })),
    canUpdate: tuf !== undefined,
  };
}

function updateMember(
  { name, outcome, refreshedAt, expires }: TrustUpdate,
  now: Instant,
): Readonly<Record<string, unknown>> {
  return { name, outcome, ...lifeMembers(refreshedAt, expires, now) };
}

function usedMember({ label, refreshedAt, expires }: UsedTrust, now: Instant): Readonly<Record<string, unknown>> {
  return { label, ...lifeMembers(refreshedAt, expires, now) };
}

function lifeMembers(
  fetchedAt: Instant | undefined,
  expires: Instant | undefined,
  now: Instant,
): Readonly<Record<string, unknown>> {
  return {
    fetchedAt: fetchedAt === undefined ? undefined : formatInstant(fetchedAt),
    expires: expires === undefined ? undefined : formatInstant(expires),
    daysLeft: expires === undefined ? undefined : daysLeft(expires, now),
  };
}
