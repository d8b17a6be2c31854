import type { Audit, AuditedImage } from "../../../core/audit/audit.ts";
import { describeOwner, ownerOf } from "../../../core/audit/breaks.ts";
import { placeName } from "../../../core/sources/mention.ts";
import { formatInstant } from "../../../core/time.ts";
import { cut, decidingCode, newestSignature, shortImage, signerName, urgentFirst } from "../view.ts";
import { VERDICTS } from "./charts.ts";
import { grouped, type Markup, markup, plural } from "./markup.ts";
import { AGES } from "./query.ts";

/** Rows that are in the page itself, for who has no script; with it, all are shown. */
const ROWS = 200;
const NAME_CHARACTERS = 80;

const COLUMNS = [
  ["verdict", "Verdict"],
  ["image", "Image"],
  ["why", "Why, or who signed"],
  ["pinning", "Pinned"],
  ["signed", "Signed"],
  ["uses", "Uses"],
] as const;

/** The table of all images. Everything that needs the page's script to work is hidden until it runs. */
export function imagesSection(audit: Audit): Markup {
  const rows = urgentFirst(audit.images).slice(0, ROWS).map(rowOf);
  const count = audit.images.length;
  const text =
    count > ROWS
      ? `The first ${grouped(ROWS)} of ${plural(count, "image")}; a browser that runs scripts shows all of them.`
      : plural(count, "image");
  return markup`<section id="images" class="block" aria-labelledby="images-title">
<h2 id="images-title" tabindex="-1">Images</h2>
${filters(audit)}
<p id="hits" class="hits" role="status" aria-live="polite">${text}</p>
<table role="table" aria-labelledby="images-title" aria-describedby="hits">
<thead role="rowgroup"><tr role="row">${COLUMNS.map(([key, name]) => markup`<th role="columnheader" scope="col" data-column="${key}">${name}</th>`)}</tr></thead>
<tbody role="rowgroup" id="rows">
${rows}
</tbody>
</table>
<p class="more" hidden><button type="button" id="more">Show more</button></p>
</section>`;
}

function filters(audit: Audit): Markup {
  const codes = distinct(audit.images.flatMap((image) => decidingCode(image) ?? []));
  const owners = distinct(audit.images.flatMap(({ uses }) => uses.map((use) => describeOwner(ownerOf(use)))));
  return markup`<form id="filters" class="filters" role="search" aria-label="Filter images" hidden>
<label class="search"><span>Search</span><input type="search" name="q" autocomplete="off" spellcheck="false" placeholder="name, signer, file, owner"></label>
${select(
  "verdict",
  "Verdict",
  "all verdicts",
  VERDICTS.map((verdict) => [verdict, verdict]),
)}
${select(
  "reason",
  "Reason",
  "all reasons",
  codes.map((code) => [code, code]),
)}
${select(
  "owner",
  "Owner",
  "all owners",
  owners.map((owner) => [owner, cut(owner, NAME_CHARACTERS)]),
)}
${select("pinning", "Pinned", "pinned or not", [
  ["pinned", "pinned"],
  ["unpinned", "not pinned"],
  ["moved", "tag has moved"],
])}
${select("age", "Signed", "at any time", [...AGES.map(({ name }, index) => [String(index), name] as const), ["unknown", "time unknown"]])}
${select(
  "sort",
  "Sort by",
  "what is urgent",
  COLUMNS.slice(1).map(([key, name]) => [key, name.toLowerCase()]),
)}
<button type="reset">Clear</button>
</form>`;
}

function select(
  name: string,
  label: string,
  all: string,
  options: readonly (readonly [value: string, text: string])[],
): Markup {
  const items = options.map(([value, text]) => markup`<option value="${value}">${text}</option>`);
  return markup`<label class="by-${name}"><span>${label}</span><select name="${name}"><option value="">${all}</option>${items}</select></label>`;
}

/** As the page's script makes them, but that nothing opens. */
function rowOf(image: AuditedImage): Markup {
  const signedAt = newestSignature(image.signers);
  const [use] = image.uses;
  const place = use === undefined ? "" : placeName(use.place);
  return markup`<tr role="row">
<td role="cell" class="verdict"><span class="badge ${image.verdict}">${image.verdict}</span></td>
<td role="cell" class="image"><code class="brief">${shortImage(image.image)}</code></td>
<td role="cell" class="why"><div class="brief">${whyOf(image)}</div></td>
<td role="cell" class="pinning">${image.drift ? "tag has moved" : image.pinned ? "pinned" : "no"}</td>
<td role="cell" class="signed">${signedAt === undefined ? "–" : formatInstant(signedAt).slice(0, 10)}</td>
<td role="cell" class="uses">${image.uses.length} <span class="muted">${place}</span></td>
</tr>
`;
}

function whyOf(image: AuditedImage): Markup {
  const code = decidingCode(image);
  const [finding] = image.reasons;
  if (code === undefined) return markup`${image.signers.map(signerName).join(", ")}`;
  return markup`<span class="code ${image.verdict}">${code}</span> ${finding?.found ?? finding?.message}`;
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted();
}
