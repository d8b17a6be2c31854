import { CountersignError } from "../../core/errors.ts";

/** Which token: every attribute that is there must agree (RFC 7512, section 2.5). */
export interface TokenQuery {
  readonly label?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly serial?: string | undefined;
  readonly slotId?: number | undefined;
}

/** Which object in it. */
export interface ObjectQuery {
  readonly label?: string | undefined;
  /** CKA_ID in hexadecimal. */
  readonly id?: string | undefined;
}

/** RFC 7512: a key in a token, the module that speaks to it, and where its PIN is. */
export interface Pkcs11Uri {
  readonly token: TokenQuery;
  readonly object: ObjectQuery;
  readonly modulePath?: string | undefined;
  readonly pinValue?: string | undefined;
  readonly pinSource?: string | undefined;
  /** The same without its query, which may hold a PIN. */
  readonly label: string;
}

/** Whether it says more than which key it is: what opens the token, or which native code to run. */
export function namesPowers({ modulePath, pinValue, pinSource }: Pkcs11Uri): boolean {
  return modulePath !== undefined || pinValue !== undefined || pinSource !== undefined;
}

const PATH_ATTRIBUTES = ["token", "manufacturer", "model", "serial", "slot-id", "object", "id", "type"] as const;
const QUERY_ATTRIBUTES = ["module-path", "pin-value", "pin-source"] as const;

/**
 * Reads a `pkcs11:` URI. An attribute that is not understood is refused, never passed over: it could tell two keys apart.
 * Values are not repeated in errors.
 *
 * @throws CountersignError `key-invalid`.
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  const [, path = "", query = ""] = /^pkcs11:([^?]*)(?:\?(.*))?$/is.exec(text) ?? [];
  const where = attributes(path, ";", PATH_ATTRIBUTES);
  const how = attributes(query, "&", QUERY_ATTRIBUTES);
  const type = string(where, "type");
  if (type !== undefined && type !== "private" && type !== "public") throw unusable("a type that is no key's");
  const [pinValue, pinSource] = [string(how, "pin-value"), string(how, "pin-source")];
  // RFC 7512, section 2.4: a URI with both should be refused.
  if (pinValue !== undefined && pinSource !== undefined) throw unusable("both pin-value and pin-source");
  return requireOneKey({
    token: {
      label: string(where, "token"),
      manufacturer: string(where, "manufacturer"),
      model: string(where, "model"),
      serial: string(where, "serial"),
      slotId: slotNumber(string(where, "slot-id")),
    },
    object: { label: string(where, "object"), id: where.get("id")?.toString("hex") },
    modulePath: string(how, "module-path"),
    pinValue,
    pinSource,
    label: `pkcs11:${path}`,
  });
}

/** cosign's rule: whatever else is named, a token and a key in it are. */
function requireOneKey(uri: Pkcs11Uri): Pkcs11Uri {
  if (uri.token.label === undefined && uri.token.slotId === undefined) throw unusable("neither token nor slot-id");
  if (uri.object.label === undefined && uri.object.id === undefined) throw unusable("neither object nor id");
  return uri;
}

function attributes(part: string, separator: string, known: readonly string[]): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const attribute of part === "" ? [] : part.split(separator)) {
    const [, name = "", value = ""] = /^([a-z-]+)=(.*)$/s.exec(attribute) ?? [];
    if (!known.includes(name)) throw unusable(name === "" ? "something that is no attribute" : `"${name}"`, known);
    if (found.has(name)) throw unusable(`"${name}" twice`);
    if (value === "") throw unusable(`"${name}" without a value`);
    found.set(name, unquote(value, name));
  }
  return found;
}

/** RFC 3986 percent-encoding, byte by byte: an id need not be text. */
function unquote(value: string, name: string): Buffer {
  if (/%(?![0-9A-Fa-f]{2})/.test(value)) throw unusable(`broken percent-encoding in "${name}"`);
  const parts = value.match(/%..|[^%]+/gs) ?? [];
  return Buffer.concat(
    parts.map((part) => (part.startsWith("%") ? Buffer.from(part.slice(1), "hex") : Buffer.from(part))),
  );
}

function string(attributes: ReadonlyMap<string, Buffer>, name: string): string | undefined {
  const bytes = attributes.get(name);
  if (bytes === undefined) return undefined;
  const text = bytes.toString("utf8");
  if (Buffer.from(text).equals(bytes)) return text;
  throw unusable(`"${name}" that is not UTF-8`);
}

function slotNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^(?:0|[1-9][0-9]{0,9})$/.test(text)) return Number(text);
  throw unusable("a slot-id that is no number");
}

function unusable(found: string, known?: readonly string[]): CountersignError {
  return new CountersignError("key-invalid", "not a pkcs11: URI that names one key", {
    found,
    wanted: known?.join(", ") ?? "pkcs11:token=LABEL;object=LABEL, or slot-id and id in their places",
  });
}
