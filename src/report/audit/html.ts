import type { Audit } from "../../core/audit/audit.ts";
import { breaksSection } from "./html/breaks.ts";
import { charts } from "./html/charts.ts";
import { embeddedJson, pageData } from "./html/data.ts";
import { imagesSection } from "./html/images.ts";
import { markup, verbatim } from "./html/markup.ts";
import page from "./html/page.json" with { type: "json" };
import { header, problemsSection, standardSection } from "./html/sections.ts";
import type { AuditReportOptions } from "./options.ts";

/** A signet: a ring and a tick. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6.5' fill='none' stroke='%231a7f37' stroke-width='2'/%3E%3Cpath d='M5 8.2l2 2 4-4.4' fill='none' stroke='%231a7f37' stroke-width='2'/%3E%3C/svg%3E";

/** Nothing is loaded from anywhere; no script and no style but the page's own, which are named by their hashes. */
const POLICY = [
  "default-src 'none'",
  `script-src '${page.scriptHash}'`,
  `style-src '${page.styleHash}'`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * One page that needs nothing else: no server, no network, no other file. Without scripts it has its charts, what would
 * stop, what was not read, and the first images; with them, all images, and what was found out about each.
 */
export function auditHtml(audit: Audit, { version, files }: Pick<AuditReportOptions, "version" | "files">): string {
  const data = embeddedJson(pageData(audit, { files }));
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="countersign ${version}">
<link rel="icon" href="${ICON}">
<title>Image audit: ${titleOf(audit)}</title>
<style>${verbatim(page.style.join("\n"))}</style>
</head>
<body>
<a class="skip" href="#images-title">Skip to the images</a>
<div class="page">
${header(audit)}
<nav aria-label="Sections"><a href="#summary">Summary</a><a href="#breaks">What stops</a><a href="#images">Images</a>${audit.problems.length === 0 ? undefined : markup`<a href="#problems">Unread</a>`}<a href="#standard">What was required</a></nav>
<main>
<section id="summary" aria-labelledby="summary-title">
<h2 id="summary-title" class="unseen">Summary</h2>
${charts(audit)}
</section>
${breaksSection(audit)}
${imagesSection(audit)}
${problemsSection(audit, { files })}
${standardSection(audit, version)}
</main>
<footer><p>Made by countersign ${version}. This page loads nothing and sends nothing.</p></footer>
</div>
<script type="application/json" id="data">${verbatim(data)}</script>
<script>${verbatim(page.script.join("\n"))}</script>
</body>
</html>
`.text;
}

function titleOf({ images }: Audit): string {
  const count = (verdict: string) => images.filter((image) => image.verdict === verdict).length;
  return `${count("refused")} refused, ${count("undetermined")} undetermined, ${count("accepted")} accepted`;
}
