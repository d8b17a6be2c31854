import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { equalBytes } from "../../src/core/bytes.ts";
import { verifySigned } from "../../src/core/crypto/digest-signature.ts";
import { parsePublicKey } from "../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { preAuthEncoding } from "../../src/core/formats/dsse.ts";
import type { UntrustedSignature } from "../../src/core/formats/envelope.ts";
import { readStatement } from "../../src/core/formats/intoto.ts";
import { parseBundle, type UntrustedBundle } from "../../src/core/formats/sigstore-bundle.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import { loadTrustMaterial } from "../../src/core/trust/load.ts";
import { type Demands, PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import { NOW } from "./sigstore/times.ts";

/** Who signs the cases that do not say. */
export interface CaseDefaults {
  readonly identity: string;
  readonly issuer: string;
}

/**
 * A case as sigstore-conformance lays them out: a folder with `bundle.sigstore.json`, and where they are not those beside
 * the folder `artifact` and `trusted_root.json`; `identity` and `issuer`, or `key.pub`. Ours have a `case.json` too.
 */
export class BundleCase {
  readonly name: string;
  readonly #folder: URL;
  readonly #defaults: CaseDefaults;

  constructor(parent: URL, name: string, defaults: CaseDefaults) {
    this.name = name;
    this.#folder = new URL(`${name}/`, parent);
    this.#defaults = defaults;
  }

  get isGood(): boolean {
    return !this.name.endsWith("_fail");
  }

  has(file: string): boolean {
    return existsSync(new URL(file, this.#folder));
  }

  /** The case's own file, or the one that is shared. */
  read(file: string, shared = file): Uint8Array {
    return new Uint8Array(readFileSync(new URL(this.has(file) ? file : `../${shared}`, this.#folder)));
  }

  #text(file: "identity" | "issuer"): string {
    return this.has(file) ? Buffer.from(this.read(file)).toString().trim() : this.#defaults[file];
  }

  /** What `case.json` says beside: why it is refused, and what more is demanded. */
  get particulars(): { readonly code?: ReasonCode; readonly demands?: Partial<Demands> } {
    return this.has("case.json") ? JSON.parse(Buffer.from(this.read("case.json")).toString()) : {};
  }

  /** @throws CountersignError where the case is refused. */
  async verify(): Promise<void> {
    const signature = signatureOf(parseBundle(this.read("bundle.sigstore.json")), this.read("artifact", "a.txt"));
    const trust = await loadTrustMaterial(this.read("trusted_root.json"), this.name);
    const demands = { ...PUBLIC_DEMANDS, ...this.particulars.demands };
    if (this.has("key.pub")) {
      const key = parsePublicKey(this.read("key.pub"), "key.pub");
      if (!verifySigned(key, signature.signed, signature.signature))
        throw new CountersignError("wrong-key", "by another");
      trust.proveKey(signature, key, { ...demands, certificateLogs: 0, times: 0 }, NOW);
      return;
    }
    const { identity } = trust.proveCertificate(signature, demands, NOW);
    const wanted = [this.#text("identity"), this.#text("issuer")];
    if (identity.subject !== wanted[0] || identity.issuer !== wanted[1]) {
      const found = `${identity.subject} by ${identity.issuer}`;
      throw new CountersignError("wrong-identity", "by another", { found, wanted: wanted.join(" by ") });
    }
  }
}

function signatureOf(bundle: UntrustedBundle, artifact: Uint8Array): UntrustedSignature {
  const { content, signer, logEntries, timestamps } = bundle;
  const material = { certificates: signer.kind === "certificate" ? signer.certificates : [], logEntries, timestamps };
  if (content.kind === "dsse") {
    const { payload, payloadType, signature } = content.envelope;
    requireEqual(payloadType === MEDIA_TYPES.intoto && readStatement(payload).subjects.includes(digestOf(artifact)));
    const signed = { kind: "bytes", bytes: preAuthEncoding(payloadType, payload) } as const;
    return { ...material, encoding: "dsse", signed, signature, payload, timestamped: signature };
  }
  const { signature, digest, digestAlgorithm } = content.message;
  requireEqual(digestAlgorithm === "SHA2_256" && equalBytes(digest, createHash("sha256").update(artifact).digest()));
  return {
    ...material,
    encoding: "plain",
    signed: { kind: "bytes", bytes: artifact },
    signature,
    timestamped: signature,
  };
}

function requireEqual(isEqual: boolean): void {
  if (!isEqual) throw new CountersignError("wrong-digest", "the bundle is about another artifact");
}
