import { printable } from "../../../core/printable.ts";
import { escapeXml } from "../xml.ts";

/** HTML that is safe to put into a page: only `markup` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Markup | string | number | undefined | readonly Markup[];

/** A piece of HTML. What stands in it as text is made printable and escaped; pieces are taken as they are. */
export function markup(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.reduce((text, part, at) => `${text}${written(values[at - 1])}${part}`));
}

function written(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string" || typeof value === "number") return escapeXml(printable(String(value)));
  return value.map(({ text }) => text).join("");
}

/** Our own script, style or data, which is no text of HTML. */
export function verbatim(text: string): Markup {
  return new Markup(text);
}

/** `20,000`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `1 image`, `20,000 images`. */
export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
