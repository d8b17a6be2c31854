import { type Digest, isDigest } from "../../core/oci/digest.ts";
import type { Session } from "./session.ts";

/** 405 where deleting is switched off (distribution-spec, "Content Management"); 400 and 501 are what some say instead. */
const UNSUPPORTED: readonly number[] = [400, 405, 501];

/** Takes a tag away, or a manifest with every tag that names it. */
export async function removeManifest(
  session: Session,
  target: string | Digest,
): Promise<"removed" | "absent" | "unsupported"> {
  const what = isDigest(target) ? `the manifest ${target}` : `the tag ${target}`;
  const scopes = [`repository:${session.repository}:pull,push,delete`];
  const path = `manifests/${target}`;
  const expect = [200, 202, 204, 404, ...UNSUPPORTED];
  return await session.run({ method: "DELETE", path, what, scopes, expect }, async ({ status }) => {
    if (status === 404) return "absent";
    return UNSUPPORTED.includes(status) ? "unsupported" : "removed";
  });
}
