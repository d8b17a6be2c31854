import { HEAD_TAG } from "../core/tags/names.ts";
import { PinsOnDisk } from "../io/tags/pins.ts";
import type { TrustPlace } from "../ops/tags/whole.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import { openRepository, pinsPlace, type Repository, whereMetadataIs } from "./tags-repository.ts";

/** Where a repository's signed tags are and which root is pinned for them, if any; a mirror is read in its origin's name. */
export async function trustPlace(
  context: Context,
  wiring: Wiring,
  repository: Repository,
  raw: RawOptions,
  mode: "read" | "write" = "read",
): Promise<TrustPlace> {
  const pins = new PinsOnDisk(pinsPlace(context, raw));
  const gun = await pins.originOf(repository.gun);
  const pin = await pins.find(gun);
  const store = await openRepository(wiring, whereMetadataIs(repository, pin), mode);
  return { store, gun, head: HEAD_TAG, pin };
}
