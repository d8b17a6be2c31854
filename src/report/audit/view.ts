import type { Audit, AuditedImage, AuditedSigner, Use } from "../../core/audit/audit.ts";
import { causeOf, describeOwner, ownerOf } from "../../core/audit/breaks.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { placeName, type Workload } from "../../core/sources/mention.ts";
import type { Instant } from "../../core/time.ts";

/** What all reports of an audit say in the same words and count in the same way. */

/** What an image needs, the most urgent first; `fine` needs nothing. */
export const STATES = ["refused", "undetermined", "drift", "unpinned", "fine"] as const;
export type State = (typeof STATES)[number];

export function stateOf({ verdict, drift, pinned }: AuditedImage): State {
  if (verdict !== "accepted") return verdict;
  if (drift) return "drift";
  return pinned ? "fine" : "unpinned";
}

/** The images by what they need, each group in the order of the plan. */
export function byState(images: readonly AuditedImage[]): Readonly<Record<State, readonly AuditedImage[]>> {
  const groups: Record<State, AuditedImage[]> = { refused: [], undetermined: [], drift: [], unpinned: [], fine: [] };
  for (const image of images) groups[stateOf(image)].push(image);
  return groups;
}

/** What needs action first; otherwise in the order of the plan. */
export function urgentFirst(images: readonly AuditedImage[]): readonly AuditedImage[] {
  const groups = byState(images);
  return STATES.flatMap((state) => groups[state]);
}

export interface AuditTally {
  readonly images: number;
  readonly uses: number;
  readonly accepted: number;
  readonly refused: number;
  readonly undetermined: number;
  /** Whatever their verdict. */
  readonly unpinned: number;
  readonly drift: number;
  /** Accepted, and something is about to change. */
  readonly warned: number;
  readonly problems: number;
}

export function auditTally({ images, problems }: Audit): AuditTally {
  const count = (test: (image: AuditedImage) => boolean) => images.filter(test).length;
  return {
    images: images.length,
    uses: images.reduce((sum, { uses }) => sum + uses.length, 0),
    accepted: count(({ verdict }) => verdict === "accepted"),
    refused: count(({ verdict }) => verdict === "refused"),
    undetermined: count(({ verdict }) => verdict === "undetermined"),
    unpinned: count(({ pinned }) => !pinned),
    drift: count(({ drift }) => drift),
    warned: count(({ warnings }) => warnings.length > 0),
    problems: problems.length,
  };
}

/** The reason that decided, by which images are counted and grouped. */
export function decidingCode(image: AuditedImage): ReasonCode | undefined {
  return causeOf(image)?.code;
}

/** Proven and newest: how old the word is that the image was accepted on. */
export function newestSignature(signers: readonly AuditedSigner[]): Instant | undefined {
  const times = signers.flatMap(({ signedAt }) => (signedAt === undefined ? [] : signedAt));
  return times.length === 0 ? undefined : times.reduce((a, b) => (a > b ? a : b));
}

/** `releases: release.pub (SHA256:…)`: what the policy calls them says more than the name alone. */
export function signerName({ name, as }: AuditedSigner): string {
  return as === undefined || as === name ? name : `${as}: ${name}`;
}

const DIGEST_SHOWN = 12;

/** The reference with its digest cut to what people compare: `registry.example/app:1@sha256:9f2c41d0a1b2…`. */
export function shortImage(image: string): string {
  return image.replace(/@(sha(?:256|512)):([0-9a-f]+)$/, (_, algorithm: string, hex: string) =>
    hex.length > DIGEST_SHOWN ? `@${algorithm}:${hex.slice(0, DIGEST_SHOWN)}…` : `@${algorithm}:${hex}`,
  );
}

/** `Deployment shop/web, container app`. */
export function workloadName({ kind, namespace, name, container }: Workload): string {
  const path = namespace === undefined ? name : `${namespace}/${name}`;
  return `${kind} ${path}${container === undefined ? "" : `, container ${container}`}`;
}

/** `deploy/web.yaml:12:16, Deployment shop/web, container app (team-shop)`. */
export function useLine(use: Use): string {
  const { place, workload } = use;
  if (workload === undefined) return placeName(place);
  const owner = workload.owner === undefined ? "" : ` (${workload.owner})`;
  return `${placeName(place)}, ${workloadName(workload)}${owner}`;
}

/** Who answers for the uses of an image, each once, as they are called. */
export function ownersOf({ uses }: AuditedImage): readonly string[] {
  return [...new Set(uses.map((use) => describeOwner(ownerOf(use))))];
}

const SPANS: readonly (readonly [unit: string, length: number])[] = [
  ["y", 365 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
];

/** `3d`, `2y`, `<1m`; `+2h` for what is in the future. */
export function shortAge(at: Instant, now: Instant): string {
  const distance = Math.abs(now - at);
  const [unit, length] = SPANS.find(([, span]) => distance >= span) ?? ["", 0];
  if (length === 0) return "<1m";
  return `${at > now ? "+" : ""}${Math.floor(distance / length)}${unit}`;
}

/** The beginning of a text, where all of it would not be read. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;
}
