import type { AuditPlan, PlanItem } from "../../core/audit/audit.ts";
import { parseReference } from "../../core/oci/reference.ts";
import { printable } from "../../core/printable.ts";
import { placeName } from "../../core/sources/mention.ts";
import { formatInstant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import type { Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";

/** For people: what would be looked at, where it is named first, and how much of it each registry has. */
export function planText(plan: AuditPlan, style: Style): string {
  const lines = plan.items.map((item) => `${printable(item.image)}${style.label(`  ${placesOf(item)}`)}\n`);
  return `${lines.join("")}${lines.length === 0 ? "" : "\n"}${summary(plan, style)}`;
}

function placesOf({ uses: [first, ...others] }: PlanItem): string {
  const place = first === undefined ? "nowhere" : printable(placeName(first.place));
  return others.length === 0 ? place : `${place} and ${plural(others.length, "other place")}`;
}

function summary({ at, digest, items, problems }: AuditPlan, style: Style): string {
  const registries = Map.groupBy(items, ({ image }) => parseReference(image).registry);
  const rows: readonly Row[] = [
    ...[...registries].map(([registry, own]): Row => ["of", `${registry}: ${own.length}`]),
    ...problems.map(({ place, finding }): Row => ["unread", `${placeName(place)}: ${finding.message}`]),
    ["as of", formatInstant(at)],
    ["digest", digest],
  ];
  const heading = `${"plan".padEnd(HEADING_WIDTH)}${style.heading(plural(items.length, "image"))}`;
  return formatBlock(heading, rows, style);
}
