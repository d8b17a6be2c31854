import type { Audit, AuditedImage } from "../../core/audit/audit.ts";
import { printable } from "../../core/printable.ts";
import type { AuditReportOptions } from "./options.ts";
import { decidingCode, signerName, urgentFirst } from "./view.ts";
import { escapeXml } from "./xml.ts";

/** One page that needs nothing else: no server, no network, no other file. */
export function auditHtml(audit: Audit, { version }: Pick<AuditReportOptions, "version">): string {
  const rows = urgentFirst(audit.images).map(rowOf).join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="countersign ${escapeXml(version)}">
<title>Image audit</title>
</head>
<body>
<table>
<thead><tr><th scope="col">verdict</th><th scope="col">image</th><th scope="col">why, or who signed</th></tr></thead>
<tbody>${rows}</tbody>
</table>
</body>
</html>
`;
}

function rowOf(image: AuditedImage): string {
  const why = decidingCode(image) ?? image.signers.map(signerName).join(", ");
  return `<tr>${[image.verdict, image.image, why].map((text) => `<td>${escapeXml(printable(text))}</td>`).join("")}</tr>`;
}
