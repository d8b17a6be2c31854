import type { Audit } from "../../../core/audit/audit.ts";
import { nextStep } from "../../../core/explain.ts";
import { placeName, type SourceProblem } from "../../../core/sources/mention.ts";
import { formatInstant } from "../../../core/time.ts";
import { fileLink } from "../files.ts";
import type { AuditReportOptions } from "../options.ts";
import { type AuditTally, auditTally } from "../view.ts";
import { grouped, type Markup, markup, plural } from "./markup.ts";

/** Beyond this a page is not read; the JSON has all. */
const PROBLEMS_SHOWN = 500;

/** What the page is, and the numbers that matter. */
export function header(audit: Audit): Markup {
  const { policy, wanted } = audit.standard;
  const tally = auditTally(audit);
  return markup`<header class="top">
<div class="title">
<h1>Image audit</h1>
<p>${plural(tally.images, "image")} named in ${plural(tally.uses, "place")}, held against ${policy?.name ?? wanted}, as of <time datetime="${formatInstant(audit.at)}">${readableTime(audit)}</time></p>
</div>
<fieldset class="themes" hidden>
<legend class="unseen">Colours</legend>
${["auto", "light", "dark"].map((theme) => markup`<label><input type="radio" name="theme" value="${theme}"><span>${theme}</span></label>`)}
</fieldset>
</header>
${alerts(audit)}
<section aria-labelledby="numbers-title">
<h2 id="numbers-title" class="unseen">In numbers</h2>
<ul class="tiles">${tiles(tally)}</ul>
</section>`;
}

/** `2026-09-01 12:00 UTC`. */
function readableTime({ at }: Audit): string {
  return formatInstant(at)
    .replace("T", " ")
    .replace(/:\d\dZ$/, " UTC");
}

/** What nobody may overlook, whatever the numbers say. */
function alerts({ standard, shard }: Audit): readonly Markup[] {
  const weakened = standard.weakened.map((flag) => markup`<code>${flag}</code> `);
  return [
    ...(weakened.length === 0
      ? []
      : [markup`<p class="alert" role="note"><strong>Weakened.</strong> Checks were switched off by ${weakened}</p>`]),
    ...(shard === undefined
      ? []
      : [
          markup`<p class="alert" role="note"><strong>Not all images.</strong> This is shard ${shard.index} of ${shard.count}.</p>`,
        ]),
  ];
}

function tiles(tally: AuditTally): readonly Markup[] {
  const tile = (kind: string, count: number, name: string, filter: readonly [string, string]) =>
    markup`<li class="tile ${count === 0 ? "none" : kind}"><span class="number">${grouped(count)}</span><span class="name" data-filter="${filter[0]}" data-value="${filter[1]}">${name}</span></li>`;
  return [
    tile("refused", tally.refused, "refused", ["verdict", "refused"]),
    tile("undetermined", tally.undetermined, "undetermined", ["verdict", "undetermined"]),
    tile("accepted", tally.accepted, "accepted", ["verdict", "accepted"]),
    tile("unpinned", tally.unpinned, "not pinned", ["pinning", "unpinned"]),
    tile("moved", tally.drift, tally.drift === 1 ? "tag has moved" : "tags have moved", ["pinning", "moved"]),
    ...(tally.problems === 0
      ? []
      : [
          markup`<li class="tile undetermined"><span class="number">${grouped(tally.problems)}</span><a class="name" href="#problems">${tally.problems === 1 ? "place" : "places"} unread</a></li>`,
        ]),
  ];
}

/** What could not be read: nobody knows which images are named there. */
export function problemsSection({ problems }: Audit, options: Pick<AuditReportOptions, "files">): Markup | undefined {
  if (problems.length === 0) return undefined;
  const more = problems.length - PROBLEMS_SHOWN;
  return markup`<section id="problems" class="block" aria-labelledby="problems-title">
<h2 id="problems-title">Unread</h2>
<p class="lead">Nobody knows which images are named in ${problems.length === 1 ? "this place" : `these ${grouped(problems.length)} places`}.</p>
<ul class="cards">${problems.slice(0, PROBLEMS_SHOWN).map((problem) => problemItem(problem, options))}</ul>
${more > 0 ? markup`<p class="rest">${grouped(more)} more, all of them with <code>-o json</code>.</p>` : undefined}
</section>`;
}

function problemItem({ place, finding }: SourceProblem, { files }: Pick<AuditReportOptions, "files">): Markup {
  const { code, message, found, wanted } = finding;
  const name = markup`<code class="where">${placeName(place)}</code>`;
  const link = fileLink(files, place);
  return markup`<li class="card">
<p class="cause"><span class="code undetermined">${code}</span> ${link === undefined ? name : markup`<a href="${link}">${name}</a>`}</p>
<p>${message}</p>
<dl class="facts">${fact("found", found)}${fact("wanted", wanted)}${fact("next", nextStep(finding))}</dl>
</li>`;
}

export function fact(name: string, value: string | undefined): Markup | undefined {
  return value === undefined ? undefined : markup`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** What every image was held against, and from what the audit follows. */
export function standardSection(audit: Audit, version: string): Markup {
  const { policy, wanted, digest, weakened } = audit.standard;
  return markup`<section id="standard" class="block" aria-labelledby="standard-title">
<h2 id="standard-title">What was required</h2>
<dl class="card facts wide">
${policy === undefined ? undefined : fact("policy", policy.name)}
${policy === undefined ? undefined : digestFact("policy’s digest", policy.digest)}
${fact("wanted", wanted)}
${fact("weakened by", weakened.length === 0 ? undefined : weakened.join(", "))}
${fact("looked in", audit.sources.join(", "))}
${fact("as of", formatInstant(audit.at))}
${digestFact("standard", digest)}
${digestFact("plan", audit.plan)}
${fact("made by", `countersign ${version}`)}
</dl>
</section>`;
}

function digestFact(name: string, digest: string): Markup {
  return markup`<div><dt>${name}</dt><dd><code>${digest}</code></dd></div>`;
}
