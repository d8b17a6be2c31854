/** An element of a parsed document. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Of the element itself, without that of its children. */
  readonly text: string;
}

interface Open {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

const TOKEN = /<\?xml [^?]*\?>|<\/([\w-]+)>|<([\w-]+)((?: [\w-]+="[^"<]*")*)(\/?)>|([^<]+)/y;
/** The characters of XML 1.0 (2.2) without those that this never reads. */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** As much of XML as we write, strictly. @throws Error for anything that is not well-formed. */
export function parseXml(text: string): XmlElement {
  if (FORBIDDEN.test(text)) throw new Error(`a character that XML does not know: ${FORBIDDEN.exec(text)?.[0]}`);
  const root: Open = { name: "", attributes: {}, children: [], text: "" };
  const open = [root];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    if (token === null) throw new Error(`no XML at ${at}: ${text.slice(at, at + 40)}`);
    read(token, open);
  }
  const [only, ...others] = root.children;
  if (only === undefined || others.length > 0 || open.length !== 1) throw new Error("not one root element");
  return only;
}

/** All elements of a name below one. */
export function allOf({ children }: XmlElement, name: string): readonly XmlElement[] {
  return children.flatMap((child) => [...(child.name === name ? [child] : []), ...allOf(child, name)]);
}

function read([, closed, opened, attributes = "", empty, content]: RegExpExecArray, open: Open[]): void {
  const parent = open.at(-1);
  if (parent === undefined) throw new Error("more ends than beginnings");
  if (content !== undefined) parent.text += decode(content);
  if (opened !== undefined) {
    const made: Open = { name: opened, attributes: attributesOf(attributes), children: [], text: "" };
    parent.children.push(made);
    if (empty === "") open.push(made);
  }
  if (closed === undefined) return;
  if (parent.name !== closed) throw new Error(`</${closed}> ends <${parent.name}>`);
  open.pop();
}

function attributesOf(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/ ([\w-]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, decode(value)]);
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) throw new Error(`an attribute twice: ${text}`);
  return Object.fromEntries(pairs);
}

function decode(text: string): string {
  return text.replace(/&([^;]*)(;?)/g, (whole, name: string, end: string) => {
    const character = end === ";" ? ENTITIES[name] : undefined;
    if (character === undefined) throw new Error(`not an entity: ${whole}`);
    return character;
  });
}
