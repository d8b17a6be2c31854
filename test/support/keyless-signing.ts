import type { Signatory } from "../../src/core/ports.ts";
import type { Instant } from "../../src/core/time.ts";
import { loadTrustMaterial } from "../../src/core/trust/load.ts";
import type { Demands, TrustMaterial } from "../../src/core/trust/material.ts";
import type { IdentityToken } from "../../src/core/trust/token.ts";
import { fulcio } from "../../src/io/sigstore/fulcio.ts";
import { type KeylessOptions, keylessSignatory, provesWithoutLogs } from "../../src/io/sigstore/keyless.ts";
import { rekor } from "../../src/io/sigstore/rekor.ts";
import { timestampAuthority } from "../../src/io/sigstore/tsa.ts";
import { sigstoreWitness, type WitnessOptions } from "../../src/io/sigstore/witness.ts";
import type { SigstoreScene } from "./sigstore-clients.ts";

export interface KeylessWish {
  readonly token?: IdentityToken;
  readonly log?: "rekor1" | "rekor2" | "none";
  readonly hasTimestamps?: boolean;
  readonly logLater?: boolean;
  /** In place of the instance's own. */
  readonly trustedRoot?: Uint8Array;
  readonly with?: Partial<KeylessOptions>;
}

export interface KeylessScene {
  readonly signatory: Signatory;
  readonly trust: TrustMaterial;
  readonly demands: Demands;
}

/** What `sign` without a key makes of a running instance: Rekor 2 and a timestamp authority unless told otherwise. */
export async function keyless(scene: SigstoreScene, wish: KeylessWish = {}): Promise<KeylessScene> {
  const { log = "rekor2", hasTimestamps = true, logLater } = wish;
  const trust = await loadTrustMaterial(wish.trustedRoot ?? scene.sigstore.trustedRoot, "trusted_root.json");
  const demands: Demands = {
    logs: log === "none" ? 0 : 1,
    timestamps: hasTimestamps ? 1 : 0,
    certificateLogs: trust.namesCertificateLogs ? 1 : 0,
    times: 1,
    currentTime: false,
  };
  const now = () => Date.now() as Instant;
  const token = wish.token ?? scene.token();
  const options: WitnessOptions = {
    logs:
      log === "none"
        ? { clients: [], count: 0 }
        : { clients: [rekor(scene.ask, scene.base(log), log === "rekor1" ? 1 : 2)], count: 1 },
    timestampAuthorities: hasTimestamps
      ? { clients: [timestampAuthority(scene.ask, scene.base("tsa"))], count: 1 }
      : { clients: [], count: 0 },
    check: provesWithoutLogs({ trust, demands }, now),
    logLater,
  };
  const signatory = keylessSignatory({
    authority: fulcio(scene.ask, scene.base("fulcio"), now),
    token: async () => token,
    trust,
    demands,
    witness: sigstoreWitness(options),
    now,
    ...wish.with,
  });
  return { signatory, trust, demands };
}
