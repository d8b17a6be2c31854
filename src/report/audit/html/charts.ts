import type { Audit, AuditedImage } from "../../../core/audit/audit.ts";
import type { VerdictStatus } from "../../../core/verify/verdict.ts";
import { cut, decidingCode, newestSignature, ownersOf } from "../view.ts";
import { grouped, type Markup, markup, plural } from "./markup.ts";
import { AGES, spanOf } from "./query.ts";

/**
 * Charts are lists: every bar stands behind its name and its number, so that nothing is said by a colour or a length alone.
 * The page's script makes the names of `data-filter` buttons that filter the table.
 */

/** Bars of one chart; the others are counted together. */
const BARS = 8;
/** A longer name is cut; the filter that it stands for is not. */
const NAME_CHARACTERS = 80;
export const VERDICTS: readonly VerdictStatus[] = ["refused", "undetermined", "accepted"];

interface Bar {
  readonly name: string;
  /** The filter that the bar stands for, and its value there. */
  readonly filter?: readonly [filter: string, value: string] | undefined;
  /** Classes of colours and their amounts, from the left. */
  readonly parts: readonly (readonly [kind: string, amount: number])[];
  /** Said behind the name; the sum of the parts where there is nothing else to say. */
  readonly amount?: string | undefined;
}

export function charts(audit: Audit): Markup {
  return markup`<div class="charts">
${verdictChart(audit.images)}
${pinningChart(audit.images)}
${ageChart(audit)}
${reasonChart(audit.images)}
${ownerChart(audit.images)}
</div>`;
}

function chart(id: string, title: string, note: string, body: Markup): Markup {
  return markup`<section class="card chart" aria-labelledby="${id}">
<h3 id="${id}">${title}</h3>
<p class="note">${note}</p>
${body}
</section>`;
}

// --- verdicts -----------------------------------------------------------------------------------------------------------

const RADIUS = 40;
const CIRCUMFERENCE = 2 * Math.PI * RADIUS;
/** A slice of one image in twenty thousand is to be seen, too. */
const THINNEST = CIRCUMFERENCE / 90;

function verdictChart(images: readonly AuditedImage[]): Markup {
  const counts = VERDICTS.map(
    (verdict) => [verdict, images.filter((image) => image.verdict === verdict).length] as const,
  );
  const accepted = counts.find(([verdict]) => verdict === "accepted")?.[1] ?? 0;
  const share = percentage(accepted, images.length);
  const rows = counts.map(
    ([verdict, count]) =>
      markup`<li><span class="dot ${verdict}"></span>${named(verdict, ["verdict", verdict])}<span class="amount">${grouped(count)}</span></li>`,
  );
  return chart(
    "chart-verdicts",
    "Verdicts",
    "Images by what came out",
    markup`<div class="donut"><svg viewBox="0 0 100 100" aria-hidden="true">${donut(counts)}
<text x="50" y="49" class="share">${share}</text><text x="50" y="62" class="of">accepted</text></svg>
<ul class="legend">${rows}</ul></div>`,
  );
}

function donut(counts: readonly (readonly [string, number])[]): readonly Markup[] {
  const present = counts.filter(([, count]) => count > 0);
  const total = present.reduce((sum, [, count]) => sum + count, 0);
  const widened = present.map(([kind, count]) => [kind, Math.max(THINNEST, (count / total) * CIRCUMFERENCE)] as const);
  const scale = CIRCUMFERENCE / widened.reduce((sum, [, length]) => sum + length, 0);
  const gap = present.length > 1 ? 1.5 : 0;
  let start = 0;
  return widened.map(([kind, length]) => {
    const [offset, shown] = [start, Math.max(0.5, length * scale - gap)];
    start += length * scale;
    return markup`<circle class="${kind}" cx="50" cy="50" r="${RADIUS}" stroke-dasharray="${round(shown)} ${round(CIRCUMFERENCE - shown)}" stroke-dashoffset="${round(-offset)}"/>`;
  });
}

// --- bars ---------------------------------------------------------------------------------------------------------------

function reasonChart(images: readonly AuditedImage[]): Markup {
  const codes = new Map<string, readonly [VerdictStatus, number]>();
  for (const image of images) {
    const code = decidingCode(image);
    if (code !== undefined) codes.set(code, [image.verdict, (codes.get(code)?.[1] ?? 0) + 1]);
  }
  const bars = [...codes]
    .toSorted(([, [, a]], [, [, b]]) => b - a)
    .map(([code, part]): Bar => ({ name: code, filter: ["reason", code], parts: [part] }));
  const body = bars.length === 0 ? nothing("Everything was accepted.") : barList(bars, "more reasons");
  return chart("chart-reasons", "Reasons", "Why images were not accepted", body);
}

function ownerChart(images: readonly AuditedImage[]): Markup {
  const owners = new Map<string, Record<VerdictStatus, number>>();
  for (const image of images) {
    for (const owner of ownersOf(image)) {
      const counts = owners.get(owner) ?? { refused: 0, undetermined: 0, accepted: 0 };
      counts[image.verdict] += 1;
      owners.set(owner, counts);
    }
  }
  const bars = [...owners]
    .toSorted(([, a], [, b]) => b.refused - a.refused || b.undetermined - a.undetermined || b.accepted - a.accepted)
    .map(
      ([name, counts]): Bar => ({
        name,
        filter: ["owner", name],
        parts: VERDICTS.map((verdict) => [verdict, counts[verdict]]),
        amount: VERDICTS.flatMap((verdict) =>
          counts[verdict] === 0 ? [] : `${grouped(counts[verdict])} ${verdict}`,
        ).join(", "),
      }),
    );
  const body = bars.length === 0 ? nothing("No image is used.") : barList(bars, "more owners");
  return chart("chart-owners", "Owners", "Whose images they are", body);
}

function pinningChart(images: readonly AuditedImage[]): Markup {
  const count = (test: (image: AuditedImage) => boolean) => images.filter(test).length;
  const parts = [
    ["pinned", "pinned to a digest", count(({ pinned, drift }) => pinned && !drift)],
    ["moved", "pinned, and the tag has moved", count(({ drift }) => drift)],
    ["unpinned", "named by a tag alone", count(({ pinned, drift }) => !pinned && !drift)],
  ] as const;
  const bars = parts.map(
    ([value, name, amount]): Bar => ({
      name,
      filter: ["pinning", value],
      parts: [[value, amount]],
      amount: `${grouped(amount)} (${percentage(amount, images.length)})`,
    }),
  );
  return chart("chart-pinning", "Pinned", "Whether the name says which bytes", barList(bars, ""));
}

function barList(bars: readonly Bar[], others: string): Markup {
  const shown = bars.slice(0, BARS);
  const longest = Math.max(1, ...shown.map(({ parts }) => sumOf(parts)));
  const more = bars.length - shown.length;
  const rest = more > 0 ? markup`<li class="rest">and ${grouped(more)} ${others}</li>` : undefined;
  return markup`<ul class="bars">${shown.map((one) => barItem(one, longest))}${rest}</ul>`;
}

function barItem({ name, filter, parts, amount }: Bar, longest: number): Markup {
  let start = 0;
  const pieces = parts
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => {
      const [x, width] = [start, (count / longest) * 100];
      start += width;
      return markup`<rect class="${kind}" x="${round(x)}%" width="${round(width)}%" height="100%"/>`;
    });
  return markup`<li>${named(name, filter)}<span class="amount">${amount ?? grouped(sumOf(parts))}</span><svg class="bar" aria-hidden="true">${pieces}</svg></li>`;
}

// --- age ----------------------------------------------------------------------------------------------------------------

function ageChart({ at, images }: Audit): Markup {
  const accepted = images.filter(({ verdict }) => verdict === "accepted");
  const spans = accepted.flatMap(({ signers }) => {
    const signedAt = newestSignature(signers);
    return signedAt === undefined ? [] : spanOf(signedAt, at);
  });
  const counts = AGES.map((_, span) => spans.filter((one) => one === span).length);
  const highest = Math.max(1, ...counts);
  const columns = AGES.map((age, span) => columnItem(age, String(span), counts[span] ?? 0, highest));
  const unknown = accepted.length - spans.length;
  const note =
    unknown === 0
      ? "Since the newest accepted signature"
      : `Since the newest accepted signature; ${plural(unknown, "image")} without a proven time`;
  return chart("chart-ages", "Age of signatures", note, markup`<ul class="columns">${columns}</ul>`);
}

function columnItem({ name, short }: (typeof AGES)[number], value: string, count: number, highest: number): Markup {
  const height = round((count / highest) * 100);
  return markup`<li><span class="amount">${grouped(count)}</span><svg class="column" aria-hidden="true"><rect class="accepted" y="${round(100 - height)}%" width="100%" height="${height}%"/></svg><span class="name" title="${name}" data-filter="age" data-value="${value}">${short}</span></li>`;
}

// --- what they share ----------------------------------------------------------------------------------------------------

function named(name: string, filter: Bar["filter"]): Markup {
  if (filter === undefined) return markup`<span class="name">${cut(name, NAME_CHARACTERS)}</span>`;
  return markup`<span class="name" data-filter="${filter[0]}" data-value="${filter[1]}">${cut(name, NAME_CHARACTERS)}</span>`;
}

function nothing(text: string): Markup {
  return markup`<p class="nothing">${text}</p>`;
}

/** Never "100 %" of what is not all, nor "0 %" of what is there. */
export function percentage(part: number, whole: number): string {
  if (whole === 0) return "–";
  const share = (part / whole) * 100;
  if (part > 0 && share < 1) return "<1 %";
  if (part < whole && share > 99) return ">99 %";
  return `${Math.round(share)} %`;
}

function sumOf(parts: Bar["parts"]): number {
  return parts.reduce((sum, [, amount]) => sum + amount, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
