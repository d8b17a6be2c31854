import type { JsonValue } from "../json.ts";
import { type CelNode, isNode } from "./cel-tree.ts";

/** A part of a statement that an expression names. */
export interface NamedPart {
  /** `predicate.builder.id`, `subject[0].name`. */
  readonly text: string;
  /** From the statement on. */
  readonly path: readonly (string | number)[];
}

/** Who reads a refusal looks for the value that was not the right one; an expression seldom names more. */
const PARTS_SHOWN = 4;
const VALUE_SHOWN = 120;

/** Every part of the statement that an expression names, each once; `members` are the names that stand for its own. */
export function namedParts(nodes: Iterable<CelNode>, members: readonly string[]): readonly NamedPart[] {
  const parts = [...nodes].flatMap((node) => {
    const part = partOf(node, members);
    return part === undefined || part.path.length === 0 ? [] : [{ node, part }];
  });
  const inner = new Set(parts.map(({ node }) => accessOf(node)?.receiver));
  const whole = parts.filter(({ node }) => !inner.has(node)).map(({ part }) => part);
  return [...new Map(whole.map((part) => [part.text, part])).values()];
}

/** What a member is taken of, and which: by a name, or by a key or a number in brackets. */
function accessOf({ op, args }: CelNode): { readonly receiver: CelNode; readonly key: unknown } | undefined {
  if ((op !== "." && op !== "[]") || !Array.isArray(args)) return undefined;
  const [receiver, key]: readonly unknown[] = args;
  if (!isNode(receiver)) return undefined;
  if (op === ".") return { receiver, key };
  return isNode(key) && key.op === "value" ? { receiver, key: key.args } : undefined;
}

function partOf(node: CelNode, members: readonly string[]): NamedPart | undefined {
  const { op, args } = node;
  if (op === "id" && args === "statement") return { text: "statement", path: [] };
  if (op === "id" && typeof args === "string" && members.includes(args)) return { text: args, path: [args] };
  const access = accessOf(node);
  const within = access && partOf(access.receiver, members);
  if (access === undefined || within === undefined) return undefined;
  const { key } = access;
  if (typeof key === "bigint") return { text: `${within.text}[${key}]`, path: [...within.path, Number(key)] };
  if (typeof key !== "string") return undefined;
  const text = op === "." ? `${within.text}.${key}` : `${within.text}[${JSON.stringify(key)}]`;
  return { text, path: [...within.path, key] };
}

/** `predicate.builder.id is "https://builder.example"`; undefined where nothing is named. */
export function describeParts(parts: readonly NamedPart[], statement: JsonValue): string | undefined {
  const shown = parts.slice(0, PARTS_SHOWN).map(({ text, path }) => `${text} is ${describe(valueAt(statement, path))}`);
  return shown.length === 0 ? undefined : shown.join(", ");
}

function valueAt(statement: JsonValue, path: NamedPart["path"]): JsonValue | undefined {
  let value: JsonValue | undefined = statement;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string | number, JsonValue>>)[name];
  }
  return value;
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return "not there";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > VALUE_SHOWN ? `${text.slice(0, VALUE_SHOWN).toWellFormed()}…` : text;
}
