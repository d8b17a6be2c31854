import { resolve } from "node:path";
import { encodeUtf8 } from "../core/bytes.ts";
import { publicKeyPem } from "../core/crypto/public-key.ts";
import { CountersignError } from "../core/errors.ts";
import { checkSignerName } from "../core/tags/names.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { type KeyRing, type RingKey, ROLE_ALGORITHMS } from "../io/tags/key-ring.ts";
import { formatDocument } from "../report/json.ts";
import { type KeysReport, keysDocument, keysText } from "../report/tags/keys.ts";
import type { Context } from "./context.ts";
import { flag, type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openRing } from "./tags-ring.ts";

/** `trust key generate NAME`. The public half is written first: a key without it is found again by `list`. */
export async function generateRoleKey(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  checkSignerName(name);
  const algorithm = ROLE_ALGORITHMS.find((known) => known === text(raw, "algorithm")) ?? "ed25519";
  const ring = openRing(context, output);
  const publicFile = `${name}.pub`;
  const path = resolve(context.workingDirectory, text(raw, "dir") ?? ".", publicFile);
  const made = await ring.generate({ name }, context.referenceTime, algorithm);
  await writeFileAtomic(path, encodeUtf8(publicKeyPem(made.signer.publicKey)), { mode: 0o644, exclusive: true });
  const key = await made.keep();
  const shown = text(raw, "dir") === undefined ? publicFile : `${text(raw, "dir")}/${publicFile}`;
  await report(output, { command: "generate", folder: ring.folder, keys: [key], publicFile: shown });
}

/** `trust key load KEY`. */
export async function loadRoleKey(context: Context, output: Output, reference: string, raw: RawOptions): Promise<void> {
  const ring = openRing(context, output);
  const name = text(raw, "name") ?? "signer";
  if (!RESERVED.has(name)) checkSignerName(name);
  const load = flag(raw, "reference") ? ring.remember.bind(ring) : ring.load.bind(ring);
  const key = await load(reference, { name }, context.referenceTime);
  await report(output, { command: "load", folder: ring.folder, keys: [key] });
}

/** What keys are called that are no signer's. */
const RESERVED: ReadonlySet<string> = new Set(["root", "targets", "online"]);

/** `trust key list`. */
export async function listRoleKeys(context: Context, output: Output): Promise<void> {
  const ring = openRing(context, output);
  await report(output, { command: "list", folder: ring.folder, keys: await ring.list() });
}

async function report(output: Output, keys: KeysReport): Promise<void> {
  await output.result({ text: (style) => keysText(keys, style), json: () => keysDocument(keys) });
}

/** `trust key export ID`: the PEM text alone, so that it can be redirected to a file. */
export async function exportRoleKey(context: Context, output: Output, id: string, raw: RawOptions): Promise<void> {
  const ring = openRing(context, output);
  const key = await keyNamed(ring, id);
  const isPrivate = flag(raw, "private");
  const pem = isPrivate ? await ring.exportPrivate(key.keyId) : await ring.exportPublic(key.keyId);
  await output.result({
    text: () => pem,
    json: () =>
      formatDocument("trust key export", {
        keyId: key.keyId,
        name: key.name,
        type: isPrivate ? "private" : "public",
        pem,
      }),
  });
}

/** By its id, by the beginning of it, or by a name that one key alone has. */
async function keyNamed(ring: KeyRing, id: string): Promise<RingKey> {
  const keys = await ring.list();
  const named = keys.filter(({ name }) => name === id);
  const [key, ...others] =
    named.length > 0 ? named : keys.filter(({ keyId }) => id !== "" && keyId.startsWith(id.toLowerCase()));
  if (key !== undefined && others.length === 0) return key;
  const wanted = "the id of a key, the beginning of one, or a name that one key alone has";
  const next = "countersign trust key list shows the keys of this machine";
  if (key === undefined)
    throw new CountersignError("role-key-missing", "there is no such key here", { found: id, wanted, next });
  const found = `${id}: ${[key, ...others].map(({ keyId }) => keyId.slice(0, 16)).join(", ")}`;
  throw new CountersignError("usage", "more than one key is called so", { found, wanted, next });
}
