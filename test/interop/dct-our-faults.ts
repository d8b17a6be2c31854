import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { publicKeyFrom } from "../../src/core/crypto/public-key.ts";
import { signData } from "../../src/core/crypto/signature.ts";
import { parseDigest } from "../../src/core/oci/digest.ts";
import { parseRepository } from "../../src/core/oci/reference.ts";
import type { Signer } from "../../src/core/ports.ts";
import { USUAL_CEILINGS, USUAL_LIFETIMES } from "../../src/core/tags/lifetimes.ts";
import { HEAD_TAG } from "../../src/core/tags/names.ts";
import { formatPins } from "../../src/core/tags/pins-file.ts";
import { instant } from "../../src/core/time.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { initTrust } from "../../src/ops/tags/init.ts";
import type { PushedImage } from "./images.ts";
import type { Workplace } from "./workplace.ts";

/**
 * Signed tags of one image, set up at another time or with another life than the command line lets anybody; and the environment
 * of a consumer who has pinned their root.
 */
export async function expiredTrust(
  work: Workplace,
  gun: string,
  image: PushedImage,
  { timestampLivesMs, signedAt }: { readonly timestampLivesMs: number; readonly signedAt: number },
): Promise<Readonly<Record<string, string>>> {
  const store = openRegistry(parseRepository(gun), { env: {}, homeDirectory: work.path("home") });
  const one = { signers: [fresh()], threshold: 1 };
  const now = instant(Math.floor(signedAt));
  const { digest, size, mediaType } = image.descriptor;
  const binding = { digest: parseDigest(digest), length: size, mediaType, signedAt: now, requires: [] };
  const { pin } = await initTrust({
    store,
    gun,
    head: HEAD_TAG,
    aliases: [],
    roles: { root: one, targets: one, snapshot: one, timestamp: one },
    lifetimes: { ...USUAL_LIFETIMES, timestamp: { lives: timestampLivesMs, renewed: 1 } },
    ceilings: USUAL_CEILINGS,
    now,
    content: {
      signers: [],
      bindings: [
        { ...binding, tag: "1.0" },
        { ...binding, tag: undefined },
      ],
    },
    keep: async () => undefined,
  });
  await store.close();
  const folder = gun.replaceAll(/[^a-z0-9]/g, "-");
  const file = work.write(`${folder}/pins.json`, formatPins({ pins: [pin], mirrors: {} }));
  return { COUNTERSIGN_PINS: file, XDG_STATE_HOME: join(work.path(folder), "state") };
}

function fresh(): Signer {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { publicKey: publicKeyFrom(privateKey, "a key"), sign: async (data) => signData(privateKey, data) };
}
