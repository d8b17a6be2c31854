import type { PublicKey } from "../core/crypto/public-key.ts";
import { CountersignError } from "../core/errors.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import type { NamedRoleKey, NewRoleKey } from "../io/tags/key-ring.ts";
import { type RotateWish, rotateKeys } from "../ops/tags/rotate.ts";
import { rotateDocument, rotateText } from "../report/tags/administration.ts";
import type { Context } from "./context.ts";
import { flag, list, number, type RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { requireYes } from "./tags-consent.ts";
import { concludeEach, stateClass } from "./tags-each.ts";
import { refuseBoth } from "./tags-options.ts";
import { openPublisher, openPublishing, type Publishing } from "./tags-publisher.ts";
import { readRepository } from "./tags-repository.ts";

/** `countersign trust rotate ROLE REPO`. */
export async function rotateRole(
  context: Context,
  output: Output,
  role: string,
  name: string,
  raw: RawOptions,
): Promise<void> {
  const repository = readRepository(name);
  const { gun } = repository;
  refuseOdd(raw);
  const remove = removedBy(raw);
  const makesKey = !flag(raw, "renew") && remove === "all" && list(raw, "newKey").length === 0;
  await requireYes(context, questionOf(role, gun, makesKey, remove), flag(raw, "yes") || flag(raw, "renew"));
  const publishing = await openPublishing(context, output, [repository], raw);
  try {
    const publisher = await openPublisher(publishing, repository);
    const keys = await newKeys(publishing, role, gun, makesKey);
    const result = await rotateKeys(publisher, { role, remove, threshold: number(raw, "threshold"), ...keys });
    await output.result({ text: (style) => rotateText(result, style), json: () => rotateDocument(result) });
    concludeEach(context, [], stateClass(result.publication));
  } finally {
    await publishing.wiring.close();
  }
}

function refuseOdd(raw: RawOptions): void {
  const others = [
    ["newKey", "--new-key"],
    ["addKey", "--add-key"],
    ["removeKey", "--remove-key"],
  ] as const;
  for (const other of others) refuseBoth(raw, ["renew", "--renew"], other);
  refuseBoth(raw, ["newKey", "--new-key"], ["addKey", "--add-key"]);
  refuseBoth(raw, ["newKey", "--new-key"], ["removeKey", "--remove-key"]);
}

/** Without a word on single keys, all go. */
function removedBy(raw: RawOptions): RotateWish["remove"] {
  const ids = list(raw, "removeKey");
  const odd = ids.find((id) => !/^[0-9a-f]{64}$/.test(id));
  if (odd !== undefined) {
    throw new CountersignError("usage", "not the id of a key", {
      found: odd,
      wanted: "64 hexadecimal digits, as countersign trust inspect -o json shows them",
    });
  }
  const isPartial = flag(raw, "renew") || ids.length > 0 || list(raw, "addKey").length > 0 || number(raw, "threshold");
  return isPartial && list(raw, "newKey").length === 0 ? ids : "all";
}

function questionOf(
  role: string,
  gun: string,
  makesKey: boolean,
  remove: RotateWish["remove"],
): { readonly lines: readonly string[]; readonly question: string } {
  const gone = remove === "all" ? "its present keys sign nothing any more" : `keys that go: ${remove.length}`;
  const made = makesKey ? ["A new key is made and kept on this machine."] : [];
  return { lines: [`The keys of ${role} of ${gun} change: ${gone}.`, ...made], question: "Rotate them?" };
}

/** New keys are public halves for the metadata; whose private half is here signs with it. */
async function newKeys(
  publishing: Publishing,
  role: string,
  gun: string,
  makesKey: boolean,
): Promise<Pick<RotateWish, "add" | "keep">> {
  const { context, ring, raw } = publishing;
  if (makesKey) {
    const made: NewRoleKey = await ring.generate({ name: role, gun }, context.referenceTime);
    return { add: [made.signer.publicKey], keep: async () => void (await made.keep()) };
  }
  const added: AddedKey[] = [];
  for (const reference of [...list(raw, "newKey"), ...list(raw, "addKey")]) {
    added.push(await eitherHalf(publishing, reference, { name: role, gun }));
  }
  const keep = async () => {
    for (const key of added) await key.keep?.();
  };
  return { add: added.map(({ publicKey }) => publicKey), keep };
}

type AddedKey = { readonly publicKey: PublicKey } & Partial<Pick<NamedRoleKey, "keep">>;

/** Somebody else's public key, who signs where it is; or a private one. */
async function eitherHalf(
  { context, output, ring }: Publishing,
  reference: string,
  purpose: { readonly name: string; readonly gun: string },
): Promise<AddedKey> {
  const { kind } = parseKeyReference(reference);
  if (kind === "file" || kind === "variable") {
    try {
      return { publicKey: await loadPublicKey(reference, { ...context, warn: output.warn }) };
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code !== "key-invalid") throw thrown;
    }
  }
  const { signer, keep } = await ring.name(reference, purpose, context.referenceTime);
  return { publicKey: signer.publicKey, keep };
}
