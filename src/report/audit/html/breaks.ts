import type { Audit } from "../../../core/audit/audit.ts";
import { type Break, describeOwner, describeWorkload, whatBreaks } from "../../../core/audit/breaks.ts";
import { describeFix, type FixAction, shortestFix } from "../../../core/audit/fix.ts";
import { tallyWorkloads } from "../../../core/audit/workloads.ts";
import { causesOf } from "../causes.ts";
import { cut, shortImage } from "../view.ts";
import { grouped, type Markup, markup, plural } from "./markup.ts";
import { fact } from "./sections.ts";

/** Causes, the owners of each, and the workloads of each owner that the page names; the JSON has all. */
const CAUSES_SHOWN = 50;
const FIXES_SHOWN = 8;
const OWNERS_SHOWN = 50;
const OWNERS_UNFOLDED = 5;
const WORKLOADS_SHOWN = 100;
/** Longer names are cut. */
const NAME_CHARACTERS = 160;

/** What would stop if every image had to be accepted: by cause and owner, with what to do. */
export function breaksSection(audit: Audit): Markup {
  const causes = causesOf(whatBreaks(audit));
  const more = causes.length - CAUSES_SHOWN;
  return markup`<section id="breaks" class="block" aria-labelledby="breaks-title">
<h2 id="breaks-title">What stops if this is enforced</h2>
<p class="lead">${leadOf(audit)}</p>
${fixList(shortestFix(audit))}
<ul class="cards">${causes.slice(0, CAUSES_SHOWN).map(causeItem)}</ul>
${more > 0 ? markup`<p class="rest">${more} more causes, all of them with <code>-o json</code>.</p>` : undefined}
</section>`;
}

function leadOf(audit: Audit): Markup {
  const { workloads, stopped, unknown } = tallyWorkloads(audit);
  if (stopped === 0 && unknown === 0)
    return markup`Nothing: every image of ${plural(workloads, "workload")} is accepted.`;
  const doubt = unknown === 0 ? undefined : markup` Of <strong>${grouped(unknown)} more</strong> nobody can tell yet.`;
  return markup`<strong>${grouped(stopped)} of ${plural(workloads, "workload")}</strong> would stop.${doubt}`;
}

/** What to do first: each thing with what runs again once it and all before it are done. */
function fixList(fixes: readonly FixAction[]): Markup | undefined {
  if (fixes.length === 0) return undefined;
  const more = fixes.length - FIXES_SHOWN;
  return markup`<div class="card way">
<h3>The shortest way</h3>
<p class="note">Do this first: every next step frees most of what is still stopped.</p>
<ol>${fixes.slice(0, FIXES_SHOWN).map(fixItem)}</ol>
${more > 0 ? markup`<p class="rest">and ${plural(more, "more step")}, all of them with <code>-o json</code></p>` : undefined}
</div>`;
}

function fixItem(fix: FixAction): Markup {
  const owners = cut(fix.owners.map(({ owner }) => describeOwner(owner)).join(", "), NAME_CHARACTERS);
  const frees = fix.frees === 0 ? "frees none alone" : `frees ${plural(fix.frees, "workload")}`;
  return markup`<li>${cut(describeFix({ ...fix, image: shortImage(fix.image) }), NAME_CHARACTERS)} <span class="code refused">${fix.code}</span>
<span class="frees"><strong>${frees}</strong>${owners === "" ? undefined : ` of ${owners}`}</span></li>`;
}

function causeItem(breaks: readonly [Break, ...Break[]]): Markup {
  const [{ verdict, code, message, wanted, place, next }] = breaks;
  const workloads = breaks.reduce((sum, one) => sum + one.workloads.length, 0);
  return markup`<li class="card">
<p class="cause"><span class="code ${verdict}" data-filter="reason" data-value="${code}">${code}</span> <span class="count">${verdict === "refused" ? `stops ${plural(workloads, "workload")}` : `leaves ${plural(workloads, "workload")} in doubt`}</span></p>
<p>${message}</p>
<dl class="facts">${fact("wanted", wanted === undefined ? place : place === undefined ? wanted : `${wanted} (${place})`)}${fact("next", next)}</dl>
${ownerList(breaks)}
</li>`;
}

/** The first owners, and the others folded. */
function ownerList(breaks: readonly Break[]): Markup {
  const [first, others] = [breaks.slice(0, OWNERS_UNFOLDED), breaks.slice(OWNERS_UNFOLDED, OWNERS_SHOWN)];
  const left = breaks.length - OWNERS_SHOWN;
  const rest = left > 0 ? markup`<li>and ${plural(left, "more owner")}</li>` : undefined;
  const folded = markup`<li><details><summary>${plural(breaks.length - first.length, "more owner")}</summary><ul>${others.map(ownerItem)}${rest}</ul></details></li>`;
  return markup`<ul class="owners">${first.map(ownerItem)}${others.length === 0 ? undefined : folded}</ul>`;
}

function ownerItem({ owner, workloads, images }: Break): Markup {
  const name = cut(describeOwner(owner), NAME_CHARACTERS);
  const more = workloads.length - WORKLOADS_SHOWN;
  const named = workloads
    .slice(0, WORKLOADS_SHOWN)
    .map(
      (workload) =>
        markup`<li>${cut(describeWorkload(workload), NAME_CHARACTERS)} <span class="muted">${cut(workload.source, NAME_CHARACTERS)}</span></li>`,
    );
  return markup`<li><details><summary><strong>${name}</strong> <span class="muted">${plural(workloads.length, "workload")}, ${plural(images.length, "image")}</span></summary>
<ul class="workloads">${named}${more > 0 ? markup`<li>and ${more} more</li>` : undefined}</ul></details></li>`;
}
