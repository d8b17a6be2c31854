import { compareTexts } from "../bytes.ts";
import { type ReasonCode, reasonClass } from "../reasons.ts";
import type { Audit, AuditedImage, Use } from "./audit.ts";
import { type BreakCause, causeKey, causeOf } from "./breaks.ts";
import { splitImage } from "./names.ts";
import { Ranking } from "./ranking.ts";
import { type Owner, ownerOf, workloadKey, workloadOf } from "./workloads.ts";

/**
 * What is done: somebody signs, attests or scans a digest, pins a mention; whoever keeps the policy decides on a rule;
 * another digest is deployed; somebody looks into what seems tampered with.
 */
export type FixKind = "sign" | "attest" | "scan" | "pin" | "rule" | "replace" | "inspect";

/** One thing to do, and what it comes to. */
export interface FixAction extends BreakCause {
  readonly kind: FixKind;
  /** What it is done to: name and digest of an image; its repository, where one rule serves all that is in there. */
  readonly image: string;
  /** Workloads of which every image is accepted once this and all before it is done. */
  readonly frees: number;
  /** Whose they are, most first. */
  readonly owners: readonly { readonly owner: Owner; readonly workloads: number }[];
  /** Keys of the plan items that it is about. */
  readonly images: readonly string[];
}

/**
 * What to do so that most workloads run soonest, if every image had to be accepted. Each next action frees most of what is
 * still stopped; where no single one frees any, it is the one that most are waiting for. What could not be looked at is in
 * no action, and a workload with such an image is freed by none.
 */
export function shortestFix(audit: Audit): readonly FixAction[] {
  const { actions, workloads } = needsOf(audit);
  const ranking = new Ranking<Ranked>(comesFirst);
  const rank = (action: Action) => ranking.push({ action, frees: action.freeing.length });
  for (const workload of workloads) lastNeed(workload);
  for (const action of actions) rank(action);
  const fixes: FixAction[] = [];
  for (let next = ranking.take(); next !== undefined; next = ranking.take()) {
    const { action } = next;
    if (action.isDone) continue;
    action.isDone = true;
    fixes.push(finished(action));
    for (const last of action.waiting.flatMap((workload) => meet(workload, action))) rank(last);
  }
  return fixes;
}

/** An action while it is ranked. It only ever rises: what is outdated comes out after it was done, and is passed over. */
interface Ranked {
  readonly action: Action;
  readonly frees: number;
}

interface Action {
  readonly kind: FixKind;
  readonly cause: BreakCause;
  readonly target: string;
  readonly key: string;
  readonly images: Set<string>;
  /** Everything that it is done for. */
  readonly waiting: Workload[];
  /** Those of them that need nothing else any more. */
  readonly freeing: Workload[];
  isDone: boolean;
}

interface Workload {
  readonly owner: Owner;
  readonly needs: Set<Action>;
  /** It has an image that could not be looked at: nothing frees it for certain. */
  isUnknown: boolean;
}

function comesFirst(a: Ranked, b: Ranked): boolean {
  const [one, other] = [a.action, b.action];
  const order = b.frees - a.frees || other.waiting.length - one.waiting.length || compareTexts(one.key, other.key);
  return order < 0;
}

/** Notes and returns what a workload is freed by, where it needs one thing only. */
function lastNeed(workload: Workload): readonly Action[] {
  const [last, ...others] = workload.needs;
  if (last === undefined || others.length > 0 || workload.isUnknown) return [];
  last.freeing.push(workload);
  return [last];
}

function meet(workload: Workload, action: Action): readonly Action[] {
  workload.needs.delete(action);
  return lastNeed(workload);
}

function finished({ kind, cause, target, images, freeing }: Action): FixAction {
  return { kind, ...cause, image: target, frees: freeing.length, owners: countOwners(freeing), images: [...images] };
}

function countOwners(workloads: readonly Workload[]): FixAction["owners"] {
  const counts = new Map<string, { readonly owner: Owner; workloads: number }>();
  for (const { owner } of workloads) {
    const key = JSON.stringify([owner.from, owner.name]);
    const count = counts.get(key) ?? { owner, workloads: 0 };
    count.workloads += 1;
    counts.set(key, count);
  }
  return [...counts]
    .toSorted(([oneKey, one], [otherKey, other]) => other.workloads - one.workloads || compareTexts(oneKey, otherKey))
    .map(([, count]) => count);
}

// --- what each workload needs -----------------------------------------------------------------------------------------

function needsOf(audit: Audit): { readonly actions: Iterable<Action>; readonly workloads: Iterable<Workload> } {
  const [actions, workloads] = [new Map<string, Action>(), new Map<string, Workload>()];
  for (const image of audit.images) {
    const cause = causeOf(image);
    if (cause === undefined) continue;
    const action = image.verdict === "refused" ? actionFor(actions, image, cause) : undefined;
    for (const use of image.uses) {
      const workload = workloadFor(workloads, image, use);
      if (action === undefined) workload.isUnknown = true;
      else need(workload, action);
    }
  }
  return { actions: [...actions.values()].filter(({ waiting }) => waiting.length > 0), workloads: workloads.values() };
}

function need(workload: Workload, action: Action): void {
  if (workload.needs.has(action)) return;
  workload.needs.add(action);
  action.waiting.push(workload);
}

function workloadFor(workloads: Map<string, Workload>, image: AuditedImage, use: Use): Workload {
  const key = workloadKey(workloadOf(image, use));
  const workload = workloads.get(key) ?? { owner: ownerOf(use), needs: new Set(), isUnknown: false };
  workloads.set(key, workload);
  return workload;
}

/** The same thing is done once, however many names the image has. */
function actionFor(actions: Map<string, Action>, image: AuditedImage, cause: BreakCause): Action {
  const kind = kindOf(cause.code);
  const { repository } = splitImage(image.image);
  const subject = kind === "rule" ? repository : `${repository}@${image.digest ?? image.image}`;
  const key = JSON.stringify([subject, causeKey(cause)]);
  const action = actions.get(key) ?? newAction(kind, cause, kind === "rule" ? repository : image.name, key);
  action.images.add(image.image);
  actions.set(key, action);
  return action;
}

function newAction(kind: FixKind, cause: BreakCause, target: string, key: string): Action {
  return { kind, cause, target, key, images: new Set(), waiting: [], freeing: [], isDone: false };
}

const BY_KIND: Readonly<Record<Exclude<FixKind, "sign" | "inspect">, readonly ReasonCode[]>> = {
  attest: ["unattested", "condition-not-met"],
  scan: ["unscanned", "scan-old", "scan-invalid"],
  pin: ["unpinned", "lock-drift", "tag-moved"],
  rule: ["no-policy", "exception-expired"],
  replace: [
    ...(["forbidden", "withdrawn", "vulnerable", "signer-distrusted", "platform-missing"] as const),
    ...(["digest-mismatch", "size-mismatch", "manifest-invalid", "layout-invalid", "layer-invalid"] as const),
    "decompression-bomb",
  ],
};

/** What does not hold although it was signed may be an attack: somebody looks before anything is signed over it. */
const SUSPICIOUS: readonly ReasonCode[] = ["bad-signature", "wrong-digest", "wrong-repository"];

function kindOf(code: ReasonCode): FixKind {
  const kinds = Object.keys(BY_KIND) as (keyof typeof BY_KIND)[];
  const kind = kinds.find((one) => BY_KIND[one].includes(code));
  if (kind !== undefined) return kind;
  return SUSPICIOUS.includes(code) || reasonClass(code) !== "refused" ? "inspect" : "sign";
}

const VERBS: Readonly<Record<FixKind, string>> = {
  sign: "sign",
  attest: "attest",
  scan: "scan",
  pin: "pin",
  rule: "decide on a rule for",
  replace: "replace",
  inspect: "look into",
};

/** `sign registry.example/acme/app:1@sha256:…`: what to do, without what is wanted. */
export function describeFix({ kind, image }: Pick<FixAction, "kind" | "image">): string {
  return `${VERBS[kind]} ${image}`;
}
