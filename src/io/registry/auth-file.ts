import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { errnoOf, throwIfAborted } from "../disk/errors.ts";
import type { Credential } from "../http/auth.ts";

/** Omits a property from each member of a union by itself. */
type Without<Union, Name extends PropertyKey> = Union extends unknown ? Omit<Union, Name> : never;

/** A credential that does not say yet where it was found. */
export type Entry = Without<Credential, "source">;

/** What Docker's `config.json` and Podman's `auth.json` hold of credentials. */
export interface AuthFile {
  /** By host, or host and path; Docker Hub's by its URL. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** `credHelpers`: a helper's name by host. */
  readonly helpers: ReadonlyMap<string, string>;
  /** `credsStore`: the helper for everything else. */
  readonly store: string | undefined;
}

const HUB_URL = "https://index.docker.io/v1/";

/** undefined where there is no such file. @throws CountersignError `configuration-invalid`, `interrupted`. */
export async function readAuthFile(
  path: string,
  parse: (bytes: Uint8Array, name: string) => AuthFile,
  signal?: AbortSignal,
): Promise<AuthFile | undefined> {
  try {
    const file = await open(path, WITHOUT_WAITING);
    try {
      return parse(await readAll(file, path, signal), path);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === undefined) throw cause;
    const message = `the credentials in ${path} cannot be read`;
    throw new CountersignError("configuration-invalid", message, { found: code, cause });
  }
}

/** A pipe is read too (`REGISTRY_AUTH_FILE=<(…)`), but one that nobody writes to keeps nobody waiting. */
const WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const PAUSE_MS = 20;

/** One byte more than allowed at most: the parser refuses it. */
async function readAll(file: FileHandle, path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const end = performance.now() + LIMITS.helperMs;
  const buffer = Buffer.alloc(LIMITS.credentialBytes + 1);
  let size = 0;
  while (size < buffer.byteLength) {
    throwIfAborted(signal);
    const bytesRead = await readSome(file, buffer, size);
    if (bytesRead === 0) break;
    if (bytesRead === undefined && performance.now() > end) throw invalid(path, "a pipe that does not end");
    if (bytesRead === undefined) await sleep(PAUSE_MS);
    size += bytesRead ?? 0;
  }
  return buffer.subarray(0, size);
}

/** undefined where there is nothing yet. */
async function readSome(file: FileHandle, buffer: Buffer, offset: number): Promise<number | undefined> {
  try {
    return (await file.read(buffer, offset, buffer.byteLength - offset, null)).bytesRead;
  } catch (thrown) {
    if (errnoOf(thrown) === "EAGAIN") return undefined;
    throw thrown;
  }
}

/** @throws CountersignError `configuration-invalid`, never with anything of the content. */
export function parseAuthFile(bytes: Uint8Array, name: string): AuthFile {
  const json = readJson(bytes, name);
  return {
    entries: parseEntries(member(json, "auths", name), name),
    helpers: new Map(
      Object.entries(member(json, "credHelpers", name)).flatMap(([host, helper]) =>
        typeof helper === "string" && helper !== "" ? [[normaliseKey(host), helper] as const] : [],
      ),
    ),
    store: typeof json["credsStore"] === "string" && json["credsStore"] !== "" ? json["credsStore"] : undefined,
  };
}

/** `~/.dockercfg`: the entries alone, without a name around them. */
export function parseLegacyFile(bytes: Uint8Array, name: string): AuthFile {
  return { entries: parseEntries(readJson(bytes, name), name), helpers: new Map(), store: undefined };
}

function readJson(bytes: Uint8Array, name: string): JsonObject {
  if (bytes.byteLength === 0) return {};
  try {
    return parseJsonObject(bytes, { what: name, code: "configuration-invalid", maxBytes: LIMITS.credentialBytes });
  } catch (thrown) {
    // A limit of the user's own file is for the user to keep: trying again does not help.
    if (!(thrown instanceof CountersignError) || thrown.code !== "limit-reached") throw thrown;
    const { message, found, wanted } = thrown;
    throw new CountersignError("configuration-invalid", message, { found, wanted, cause: thrown });
  }
}

function member(json: JsonObject, key: string, name: string): JsonObject {
  const value = json[key] ?? {};
  if (isObject(value)) return value;
  throw invalid(name, `"${key}" is not an object`);
}

function parseEntries(auths: JsonObject, name: string): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const [key, value] of Object.entries(auths)) {
    const entry = parseEntry(value, key, name);
    if (entry !== undefined) entries.set(normaliseKey(key), entry);
  }
  return entries;
}

/** An empty entry only marks that a helper knows more. */
function parseEntry(value: JsonValue, key: string, name: string): Entry | undefined {
  if (!isObject(value)) throw invalid(name, `the entry of ${key} is not an object`);
  const { identitytoken, registrytoken, auth, username, password } = value;
  if (isText(registrytoken)) return { kind: "registry-token", token: registrytoken };
  if (isText(identitytoken)) return { kind: "identity-token", token: identitytoken };
  if (isText(auth)) return decodeAuth(auth, key, name);
  if (isText(username) && isText(password)) return { kind: "password", username, password };
  return undefined;
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "";
}

/** `user:password` in base64, padded or not; Docker cuts trailing NULs, and a password may hold colons. */
function decodeAuth(auth: string, key: string, name: string): Entry {
  const text = base64Text(auth)?.replace(/\0+$/, "");
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 1) throw invalid(name, `"auth" of ${key} is not user:password in base64`);
  return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function base64Text(text: string): string | undefined {
  const bytes = Buffer.from(text.trim(), "base64");
  const unpadded = (encoded: string) => encoded.replace(/=+$/, "");
  if (unpadded(bytes.toString("base64")) !== unpadded(text.trim())) return undefined;
  try {
    return decodeUtf8(bytes);
  } catch {
    return undefined;
  }
}

/** Old entries are URLs (`https://host/v1/`): the host is what counts. Docker Hub's is known by its URL. */
function normaliseKey(key: string): string {
  if (key === HUB_URL) return key;
  const [host = "", ...path] = key
    .replace(/^https?:\/\//i, "")
    .replace(/\/+$/, "")
    .split("/");
  const isApi = path.length === 1 && (path[0] === "v1" || path[0] === "v2");
  return [host.toLowerCase(), ...(isApi ? [] : path)].join("/");
}

function invalid(name: string, found: string): CountersignError {
  return new CountersignError("configuration-invalid", `the credentials in ${name} cannot be used`, { found });
}
