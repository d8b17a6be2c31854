/** A URL as it may be printed: signed queries and user information are secrets, fragments say nothing. */
export function safeUrl(url: URL | string): string {
  const parsed = typeof url === "string" ? URL.parse(url) : url;
  if (parsed === null) return "(not a URL)";
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

/** A peer's text for a message: one line, without control characters, cut at `length` characters. */
export function peerText(text: string, length = 200): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
