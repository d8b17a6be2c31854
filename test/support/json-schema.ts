/**
 * As much of JSON Schema as docs/schemas (draft 2020-12) and the schema of SARIF (draft 4) use; an unknown keyword is an
 * error, not ignored.
 */
export type Schema = Readonly<Record<string, unknown>>;

const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$defs",
  "definitions",
  "id",
  "default",
  "title",
  "description",
]);

/** Where the value does not fit the schema, one line each; empty where it does. */
export function violations(value: unknown, schema: Schema, root: Schema = schema, at = "$"): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const check = KEYWORDS[keyword];
    if (check === undefined) return [`${at}: unknown keyword ${keyword}`];
    return check({ value, rule, schema, root, at });
  });
}

interface Check {
  readonly value: unknown;
  readonly rule: unknown;
  readonly schema: Schema;
  readonly root: Schema;
  readonly at: string;
}

const KEYWORDS: Readonly<Record<string, (check: Check) => readonly string[]>> = {
  $ref: ({ value, rule, root, at }) => violations(value, definition(root, String(rule)), root, at),
  type: ({ value, rule, at }) => {
    const types = Array.isArray(rule) ? rule : [rule];
    return types.some((type) => hasType(value, String(type))) ? [] : [`${at}: not of type ${types.join(" or ")}`];
  },
  const: ({ value, rule, at }) => (value === rule ? [] : [`${at}: not ${JSON.stringify(rule)}`]),
  enum: ({ value, rule, at }) => (asList(rule).includes(value) ? [] : [`${at}: ${String(value)} is not in the list`]),
  anyOf: ({ value, rule, root, at }) =>
    asList(rule).some((one) => violations(value, one as Schema, root, at).length === 0) ? [] : [`${at}: fits none`],
  oneOf: ({ value, rule, root, at }) =>
    asList(rule).filter((one) => violations(value, one as Schema, root, at).length === 0).length === 1
      ? []
      : [`${at}: does not fit exactly one`],
  format: ({ value, rule, at }) => {
    const fits = FORMATS[String(rule)];
    if (fits === undefined) return [`${at}: unknown format ${rule}`];
    return typeof value !== "string" || fits.test(value) ? [] : [`${at}: ${value} is no ${rule}`];
  },
  minItems: ({ value, rule, at }) =>
    !Array.isArray(value) || value.length >= Number(rule) ? [] : [`${at}: too few items`],
  uniqueItems: ({ value, rule, at }) =>
    rule !== true || !Array.isArray(value) || new Set(value.map((one) => JSON.stringify(one))).size === value.length
      ? []
      : [`${at}: the same item twice`],
  pattern: ({ value, rule, at }) =>
    typeof value !== "string" || new RegExp(String(rule), "u").test(value) ? [] : [`${at}: ${value} does not match`],
  minimum: ({ value, rule, at }) => (typeof value !== "number" || value >= Number(rule) ? [] : [`${at}: too small`]),
  maximum: ({ value, rule, at }) => (typeof value !== "number" || value <= Number(rule) ? [] : [`${at}: too large`]),
  items: ({ value, rule, root, at }) =>
    Array.isArray(value) ? value.flatMap((one, index) => violations(one, rule as Schema, root, `${at}[${index}]`)) : [],
  required: ({ value, rule, at }) =>
    isRecord(value)
      ? asList(rule).flatMap((name) => (Object.hasOwn(value, String(name)) ? [] : [`${at}: lacks ${name}`]))
      : [],
  properties: ({ value, rule, root, at }) =>
    isRecord(value)
      ? Object.entries(rule as Record<string, Schema>).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? violations(value[name], schema, root, `${at}.${name}`) : [],
        )
      : [],
  additionalProperties: ({ value, rule, schema, root, at }) => {
    const known = Object.keys((schema["properties"] ?? {}) as object);
    const others = isRecord(value) ? Object.entries(value).filter(([name]) => !known.includes(name)) : [];
    if (rule === false) return others.map(([name]) => `${at}: unexpected ${name}`);
    return others.flatMap(([name, one]) => violations(one, rule as Schema, root, `${at}.${name}`));
  },
};

const FORMATS: Readonly<Record<string, RegExp>> = {
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
  uri: /^[a-z][a-z0-9+.-]*:(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/i,
  "uri-reference": /^(?:[a-z][a-z0-9+.-]*:|(?=[^:]*(?:[/?#]|$)))(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$/i,
};

function definition(root: Schema, reference: string): Schema {
  const [, list = "", name = ""] = /^#\/(\$defs|definitions)\/(\w+)$/.exec(reference) ?? [];
  const found = ((root[list] ?? {}) as Record<string, Schema>)[name];
  if (found === undefined) throw new Error(`no definition ${reference}`);
  return found;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasType(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isRecord(value);
  if (type === "integer") return Number.isSafeInteger(value);
  return typeof value === type;
}
