import type { ServerResponse } from "node:http";

/** What the person sees in the browser; nothing of it comes from a request. */
const TEXTS = {
  "signed-in": ["Signed in", "Countersign knows who signs. You can close this page and go back to the terminal."],
  failed: ["Not signed in", "The sign-in did not succeed. The terminal says why."],
  again: ["Answered already", "Countersign takes one answer, and has it. You can close this page."],
  stranger: ["Not this sign-in", "This answer does not belong to the sign-in that Countersign waits for."],
  "not-found": ["Nothing here", "Countersign only waits here for a sign-in to come back."],
} as const satisfies Record<string, readonly [string, string]>;

export type PageKind = keyof typeof TEXTS;

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  // The address of this page holds a code.
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  connection: "close",
} as const;

export function page(response: ServerResponse, status: number, kind: PageKind): void {
  const [title, text] = TEXTS[kind];
  response.writeHead(status, HEADERS).end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem }</style>
<h1>${title}</h1>
<p>${text}</p>
</html>
`);
}
