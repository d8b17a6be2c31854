import { malformed } from "../formats/members.ts";
import { type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import type { AuditPlan, PlanItem } from "./audit.ts";
import { Members } from "./members.ts";
import { checkVersion, readProblem, readRecord, readUse } from "./parse.ts";
import { compareReferences, sealPlan } from "./plan.ts";

const WHAT = "the plan";
/** What the document calls itself. */
export const PLAN_COMMAND = "audit plan";
const PLAN = ["schemaVersion", "command", "digest", "at", "sources", "items", "problems"];

/**
 * Reads a plan's document strictly: one version, no unknown members, references normalised and in order, and the digest has to
 * be that of what is there. `label` is what the file is called in errors.
 *
 * @throws CountersignError `record-invalid`, or `limit-reached`.
 */
export function parsePlan(bytes: Uint8Array, label: string): AuditPlan {
  return readRecord(label, () => {
    const json = parseJsonObject(bytes, { what: WHAT, code: "record-invalid", maxBytes: LIMITS.auditBytes });
    checkVersion(json["schemaVersion"], WHAT);
    const members = new Members(json, WHAT, PLAN);
    const command = members.text("command");
    if (command !== PLAN_COMMAND) throw malformed("the document is no plan of an audit", command, PLAN_COMMAND);
    return requireDigest(readPlan(members), members);
  });
}

function readPlan(members: Members): AuditPlan {
  const items = members.list("items", readItem);
  requireOrder(items.map(({ reference }) => reference));
  return sealPlan({
    at: members.time("at"),
    sources: members.texts("sources"),
    items: items.map(({ item }) => item),
    problems: members.list("problems", readProblem),
  });
}

function requireDigest(plan: AuditPlan, members: Members): AuditPlan {
  const said = members.digest("digest");
  if (said === plan.digest) return plan;
  throw malformed(`${WHAT} was changed: its digest is another`, plan.digest, said);
}

function readItem(value: JsonValue, where: string): { readonly item: PlanItem; readonly reference: Reference } {
  const members = new Members(value, where, ["image", "uses"]);
  const image = members.text("image");
  const reference = parseReference(image);
  const normalised = formatReference(reference);
  if (normalised !== image) throw malformed(`${where} is not normalised`, image, normalised);
  return { item: { image, uses: members.list("uses", readUse) }, reference };
}

/** Each once: an image that is listed twice could be looked at by two shards. */
function requireOrder(references: readonly Reference[]): void {
  const after = references.slice(1).find((reference, at) => {
    const before = references[at];
    return before !== undefined && compareReferences(before, reference) >= 0;
  });
  if (after === undefined) return;
  throw malformed(
    `${WHAT} is not in order`,
    formatReference(after),
    "every image once, by registry, repository and tag",
  );
}
