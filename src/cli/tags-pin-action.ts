import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { type Digest, digestOf, isDigest } from "../core/oci/digest.ts";
import type { RootRole, SignedRole } from "../core/tags/metadata.ts";
import { HEAD_TAG } from "../core/tags/names.ts";
import { pinOf, type RootPin } from "../core/tags/pin.ts";
import { readRole } from "../core/tags/read.ts";
import { checkGun } from "../core/tags/trust-view.ts";
import { verifyFirstRoot } from "../core/tags/verify-role.ts";
import { newestRoot } from "../core/tags/view.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { PinsOnDisk } from "../io/tags/pins.ts";
import { readWholeTrust } from "../ops/tags/whole.ts";
import { type PinsReport, pinsDocument, pinsText } from "../report/tags/pins.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openRepository, pinsPlace, type Repository, readRepository } from "./tags-repository.ts";

/** `countersign trust pin [REPO]`. */
export async function pinRoot(
  context: Context,
  output: Output,
  name: string | undefined,
  raw: RawOptions,
): Promise<void> {
  const wish = readWish(raw);
  const place = pinsPlace(context, raw);
  const pins = new PinsOnDisk({ ...place, isNamed: place.isNamed && (wish.kind === "list" || wish.kind === "remove") });
  if (name === undefined) return await list(output, pins, place.label, wish);
  const repository = readRepository(name);
  const change = await act(context, output, pins, place.label, repository, wish, raw);
  await say(output, { file: place.label, ...change });
}

type Wish =
  | { readonly kind: "list" }
  | { readonly kind: "remove" }
  | { readonly kind: "tofu" }
  | { readonly kind: "dct" }
  | { readonly kind: "checksum"; readonly digest: Digest }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "mirror"; readonly mirror: string };

const KINDS = [
  ["rootChecksum", "--root-checksum"],
  ["root", "--root"],
  ["tofu", "--tofu"],
  ["fromDct", "--from-dct"],
  ["remove", "--remove"],
  ["mirror", "--mirror"],
] as const;

/** @throws CountersignError `usage` for two ways at once, and for a checksum that is none. */
function readWish(raw: RawOptions): Wish {
  const given = KINDS.filter(([name]) => raw[name] !== undefined && raw[name] !== false);
  if (given.length > 1) {
    throw new CountersignError("usage", "one thing can be done at a time", {
      found: given.map(([, spelled]) => spelled).join(" and "),
      wanted: "one of them",
    });
  }
  const [checksum, file, mirror] = [text(raw, "rootChecksum"), text(raw, "root"), text(raw, "mirror")];
  if (checksum !== undefined) return { kind: "checksum", digest: readChecksum(checksum) };
  if (file !== undefined) return { kind: "file", file };
  if (mirror !== undefined) return { kind: "mirror", mirror: readRepository(mirror).gun };
  if (flag(raw, "tofu")) return { kind: "tofu" };
  if (flag(raw, "fromDct")) return { kind: "dct" };
  return flag(raw, "remove") ? { kind: "remove" } : { kind: "list" };
}

/** With `sha256:` in front or without. */
function readChecksum(given: string): Digest {
  const digest = /^[0-9a-f]{64}$/i.test(given) ? `sha256:${given.toLowerCase()}` : given;
  if (isDigest(digest) && digest.startsWith("sha256:")) return digest;
  throw new CountersignError("usage", "not the checksum of a root", {
    found: given,
    wanted: "sha256: and 64 hexadecimal digits",
  });
}

async function list(output: Output, pins: PinsOnDisk, file: string, wish: Wish): Promise<void> {
  if (wish.kind !== "list") throw new CountersignError("usage", "no repository is named", { wanted: "REPOSITORY" });
  await say(output, { file, change: undefined, ...(await pins.all()) });
}

type Change = Pick<PinsReport, "change" | "pins" | "mirrors">;
const NO_MIRRORS: PinsReport["mirrors"] = {};

async function act(
  context: Context,
  output: Output,
  pins: PinsOnDisk,
  label: string,
  repository: Repository,
  wish: Wish,
  raw: RawOptions,
): Promise<Change> {
  const { gun } = repository;
  const before = await pins.find(gun);
  if (wish.kind === "remove") return await remove(pins, gun, before);
  if (wish.kind === "mirror") {
    await pins.putMirror(wish.mirror, gun);
    return { change: "pinned", pins: before === undefined ? [] : [before], mirrors: { [wish.mirror]: gun } };
  }
  if (wish.kind === "list") return { change: undefined, pins: [before ?? absent(gun, label)], mirrors: NO_MIRRORS };
  const pin = await chosen(context, output, repository, wish, raw);
  const isSame = before?.root === pin.root;
  // Somebody has compared by now what was only trusted on first use.
  if (isSame && before.location === pin.location && (before.mode === pin.mode || pin.mode === "tofu")) {
    return { change: "unchanged", pins: [before], mirrors: NO_MIRRORS };
  }
  if (before !== undefined && !isSame && !flag(raw, "force")) throw otherPin(before, pin, label);
  await pins.put(pin);
  return { change: "pinned", pins: [pin], mirrors: NO_MIRRORS };
}

/** Of a mirror the mirror's line goes, of a repository its pin. */
async function remove(pins: PinsOnDisk, gun: string, before: RootPin | undefined): Promise<Change> {
  const origin = await pins.originOf(gun);
  const wasMirror = await pins.removeMirror(gun);
  const wasPinned = await pins.remove(gun);
  return {
    change: wasMirror || wasPinned ? "removed" : "unchanged",
    pins: before === undefined ? [] : [before],
    mirrors: wasMirror ? { [gun]: origin } : NO_MIRRORS,
  };
}

/** The root that was chosen, verified as far as it can be, as a pin. */
async function chosen(
  context: Context,
  output: Output,
  repository: Repository,
  wish: Extract<Wish, { kind: "checksum" | "file" | "tofu" | "dct" }>,
  raw: RawOptions,
): Promise<RootPin> {
  const { gun } = repository;
  const named = text(raw, "location");
  const elsewhere = named === undefined ? undefined : readRepository(named);
  const terms = { gun, firstSeen: context.referenceTime, ...(elsewhere && { location: elsewhere.gun }) };
  if (wish.kind === "file") return pinOf(await rootInFile(context, gun, wish.file), { ...terms, mode: "pinned" });
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [elsewhere?.gun ?? gun]);
  try {
    const store = await openRepository(wiring, elsewhere ?? repository, "read");
    const { roots } = await readWholeTrust({ store, gun, head: HEAD_TAG }, terms.firstSeen);
    if (wish.kind === "dct") {
      const { rootVouchedFor } = await import("./tags-docker-root.ts");
      return pinOf(await rootVouchedFor(context, gun, roots, raw), { ...terms, mode: "dct" });
    }
    if (wish.kind === "tofu") return pinOf(newestRoot({ roots }), { ...terms, mode: "tofu" });
    return pinOf(withChecksum(roots, wish.digest, store.location), { ...terms, mode: "pinned" });
  } finally {
    await wiring.close();
  }
}

async function rootInFile(context: Context, gun: string, file: string): Promise<SignedRole<RootRole>> {
  const path = resolve(context.workingDirectory, file);
  const bytes = await readNamedFile({ path, label: file }, LIMITS.tufRootBytes);
  if (bytes === undefined) {
    throw new CountersignError("configuration-invalid", "the root cannot be read", {
      found: `no file ${file}`,
      wanted: "a root.json of signed tags",
    });
  }
  const root = readRole(bytes, "root", file);
  verifyFirstRoot(root);
  checkGun(root, gun);
  return root;
}

function withChecksum(roots: readonly SignedRole<RootRole>[], wanted: Digest, location: string): SignedRole<RootRole> {
  const root = roots.find(({ bytes }) => digestOf(bytes) === wanted);
  if (root !== undefined) return root;
  throw new CountersignError("pin-mismatch", `${location} serves no root with this checksum`, {
    found: roots.map(({ body, bytes }) => `version ${body.version}: ${digestOf(bytes)}`).join(", "),
    wanted,
    next: "compare it with what the publisher says, on another way than by this registry; pin nothing until you know",
  });
}

function otherPin(before: RootPin, pin: RootPin, label: string): CountersignError {
  return new CountersignError("destination-exists", `another root of ${pin.gun} is pinned already`, {
    found: `${before.root}, version ${before.rootVersion}, in ${label}`,
    wanted: `${pin.root}, version ${pin.rootVersion}`,
    next: "find out from the publisher whether trust was set up anew; --force replaces the pin. Later roots need no new pin",
  });
}

function absent(gun: string, label: string): never {
  throw new CountersignError("no-pin", `no root of ${gun} is pinned`, {
    found: `no pin of it in ${label}`,
    next: `countersign trust pin ${gun} --root-checksum sha256:…, with the checksum that the publisher names`,
  });
}

async function say(output: Output, report: PinsReport): Promise<void> {
  await output.result({ text: (style) => pinsText(report, style), json: () => pinsDocument(report) });
}
