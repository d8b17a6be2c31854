import { printable, printableLines } from "../../core/printable.ts";

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export const XML_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n';

/**
 * An element of XML 1.0. Text and attributes are escaped here; what `printable` leaves of them is all in the production
 * Char (section 2.2) but for U+FFFE and U+FFFF. Children are elements that this function made.
 */
export function element(name: string, attributes: Attributes, content: string | readonly string[]): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : ` ${key}="${escapeXml(printable(String(value)))}"`,
  );
  const open = `<${name}${written.join("")}`;
  if (content.length === 0) return `${open}/>\n`;
  if (typeof content === "string") return `${open}>${escapeXml(printableLines(content))}</${name}>\n`;
  return `${open}>\n${content.join("")}</${name}>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text and for attributes in double quotes, of XML and of HTML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "").replace(/[\ufffe\uffff]/g, "\ufffd");
}
