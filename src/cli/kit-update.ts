import { CountersignError } from "../core/errors.ts";
import type { KitBlob, KitTrust } from "../core/formats/kit.ts";
import { type Instant, instant } from "../core/time.ts";
import type { TufTrust } from "../io/config/instances.ts";
import { hashOf } from "../io/tuf/hashes.ts";
import { type Anchor, consult, type TufRepository } from "../io/tuf/repository.ts";
import type { TufSource } from "../io/tuf/source.ts";
import { roleOf, versionOf } from "../io/tuf/updater.ts";
import type { KitContents } from "../ops/kit-contents.ts";
import type { TrustUpdate } from "../report/kit.ts";
import type { Context } from "./context.ts";
import { addressOf, consultKept, describeTrust, WISHES } from "./kit-trust.ts";
import { configurationOf, repositoryOf, TRUSTED_ROOT, type TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/**
 * Takes newer trust material out of a kit, for the instances of this machine that have the same repository. It is verified
 * by TUF, from this machine's own root on and against what was seen here before, as if the repository itself had served
 * it: who made the kit does not matter.
 *
 * @throws CountersignError `trust-rejected`, `trust-stale`, `limit-reached`, `disk-error`, `configuration-invalid`.
 */
export async function updateTrust(
  context: Context,
  { config }: Pick<TrustOptions, "config">,
  kit: KitContents,
): Promise<readonly TrustUpdate[]> {
  const { instances } = await configurationOf(context, config);
  const updates: TrustUpdate[] = [];
  for (const trust of kit.list.trust) {
    const name = describeTrust(trust);
    const files = await readFiles(kit, trust);
    const known = instances.find(({ source }) => source.kind === "tuf" && isOf(source, trust));
    if (files === undefined) updates.push({ name, outcome: "no-metadata" });
    else if (known?.source.kind !== "tuf") updates.push({ name, outcome: "unknown-instance" });
    else updates.push({ name: known.name, ...(await updateOne(context, known.source, files)) });
  }
  return updates;
}

function isOf(source: TufTrust, { source: from }: KitTrust): boolean {
  return from.kind === "tuf" && from.mirror === addressOf(source);
}

/** What a kit holds of a repository. */
interface Files {
  readonly roots: readonly Uint8Array[];
  readonly roles: ReadonlyMap<string, Uint8Array>;
  readonly trustedRoot: Uint8Array;
  /** As the kit says. */
  readonly fetchedAt: Instant | undefined;
}

async function readFiles(kit: KitContents, { tuf, trustedRoot, fetchedAt }: KitTrust): Promise<Files | undefined> {
  if (tuf === undefined) return undefined;
  const read = (blob: KitBlob): Promise<Uint8Array> => kit.readBlob(blob);
  const roots: Uint8Array[] = [];
  for (const root of tuf.roots) roots.push(await read(root));
  const roles = new Map<string, Uint8Array>();
  for (const role of tuf.roles) roles.set(role.role, await read(role));
  return { roots, roles, trustedRoot: await read(trustedRoot), fetchedAt };
}

async function updateOne(context: Context, source: TufTrust, files: Files): Promise<Omit<TrustUpdate, "name">> {
  const { referenceTime: now, signal } = context;
  const own = await repositoryOf(context, source, NOBODY);
  const kept = await consultKept(own, context);
  if (kept !== undefined && versionIn(kept) >= (versionOf(files.roles.get("timestamp") ?? NOTHING) ?? 0)) {
    return { outcome: "current", refreshedAt: kept.refreshedAt, expires: kept.expires };
  }
  const repository = { ...own, anchor: anchorIn(own.anchor, files), source: kitSource(files, own.name) };
  const confirmedAt = instant(Math.min(files.fetchedAt ?? now, now));
  const { refreshedAt, expires, unkept } = await consult(repository, WISHES, { now, confirmedAt, mode: "now", signal });
  if (unkept !== undefined) {
    const { code, message, found, wanted, next } = unkept;
    throw new CountersignError(code, message, { found, wanted, next });
  }
  return { outcome: "updated", refreshedAt, expires };
}

const NOTHING = new Uint8Array();

function versionIn({
  roles,
}: {
  readonly roles: readonly { readonly role: string; readonly version: number }[];
}): number {
  return roles.find(({ role }) => role === "timestamp")?.version ?? 0;
}

const NOBODY: TrustServices = {
  get services(): never {
    throw new CountersignError("internal", "a connection was wanted where none may be opened");
  },
};

/** A root that is known by its hash alone, where the kit has it: a kit need not begin with the first version. */
function anchorIn(anchor: Anchor, { roots }: Files): TufRepository["anchor"] {
  if ("root" in anchor) return anchor;
  const root = roots.find((bytes) => hashOf(bytes, "sha256") === anchor.sha256);
  return root === undefined ? anchor : { root };
}

/** A repository as far as a kit holds it. Nothing that it serves is believed. */
function kitSource({ roots, roles, trustedRoot }: Files, name: string): TufSource {
  const versions = new Map(roots.map((bytes) => [versionOf(bytes), bytes]));
  return {
    async metadata(file, maxBytes) {
      const role = roleOf(file);
      const bytes = role === "root" ? versions.get(Number.parseInt(file, 10)) : roles.get(role);
      if (bytes === undefined || bytes.byteLength <= maxBytes) return bytes;
      throw new CountersignError("limit-reached", `${file} of ${name} in the kit is larger than will be read`, {
        found: `${bytes.byteLength} bytes`,
        wanted: `at most ${maxBytes} bytes`,
      });
    },
    // Of another length it is another file, and refused as one.
    target: async (path) => (path.at(-1)?.endsWith(TRUSTED_ROOT) === true ? trustedRoot : undefined),
  };
}
