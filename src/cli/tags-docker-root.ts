import { resolve } from "node:path";
import { requireContinuity } from "../core/dct/continuity.ts";
import { verifyNextDctRoot } from "../core/dct/roots.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { RootRole, SignedRole } from "../core/tags/metadata.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { dockerTrustFolder, readDockerCache } from "../io/notary/cache.ts";
import type { Context } from "./context.ts";
import { type RawOptions, text } from "./options.ts";

/**
 * The first root of new signed tags, where the root of Docker Content Trust that was trusted on this machine vouches for it.
 *
 * @throws CountersignError `pin-mismatch` where it does not, `no-pin` where Docker trusted none here, `root-of-another`.
 */
export async function rootVouchedFor(
  context: Context,
  gun: string,
  roots: readonly SignedRole<RootRole>[],
  raw: RawOptions,
): Promise<SignedRole<RootRole>> {
  const old = verifyNextDctRoot(undefined, await trustedRoot(context, gun, raw), gun);
  const [first] = roots;
  if (first === undefined) throw new CountersignError("internal", "verified metadata has no root");
  requireContinuity(old.body, gun, first);
  return first;
}

async function trustedRoot(context: Context, gun: string, raw: RawOptions): Promise<Uint8Array> {
  const { env, homeDirectory, workingDirectory } = context;
  const [file, folder] = [text(raw, "dctRoot"), text(raw, "trustDir")];
  if (file !== undefined) return await readRootFile(resolve(workingDirectory, file), file);
  const trustFolder = folder === undefined ? dockerTrustFolder(env, homeDirectory) : resolve(workingDirectory, folder);
  const root = (await readDockerCache(trustFolder, gun))?.files.get("root");
  if (root !== undefined) return root;
  throw new CountersignError("no-pin", "Docker trusted no root of this repository here", {
    found: `nothing of ${gun} in ${trustFolder}`,
    wanted: "the trust folder of a machine that pulled it with content trust, or its root.json (--dct-root)",
    next: `ask the publisher for the checksum of root 1: countersign trust pin ${gun} --root-checksum sha256:…`,
  });
}

/** @throws CountersignError `configuration-invalid` where there is no such file. */
export async function readRootFile(path: string, label: string): Promise<Uint8Array> {
  const bytes = await readNamedFile({ path, label }, LIMITS.dctFileBytes);
  if (bytes !== undefined) return bytes;
  throw new CountersignError("configuration-invalid", "the root cannot be read", {
    found: `no file ${label}`,
    wanted: "root.json of Docker Content Trust",
  });
}
