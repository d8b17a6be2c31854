import { resolve } from "node:path";
import { encodeUtf8 } from "../core/bytes.ts";
import { withPrehash } from "../core/crypto/prehash.ts";
import { type PublicKey, parsePublicKey } from "../core/crypto/public-key.ts";
import { type PlaceOfUse, refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, type Finding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Digest } from "../core/oci/digest.ts";
import {
  type KeyIdentity,
  type KeyReference,
  type Place,
  placeName,
  type TrustReference,
  type WithdrawnList,
} from "../core/policy/document.ts";
import type { Believed } from "../core/verify/exhibit.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import type { PolicyMaterial } from "../core/verify/rulebook.ts";
import { proveWithdrawn } from "../core/verify/withdrawn.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import type { SignedList } from "../ops/withdrawn-artifact.ts";
import { bundleBeside } from "./blob-files.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { readWholly } from "./policy-file.ts";
import { namesTrust } from "./signer-options.ts";
import type { FindTrust } from "./signers.ts";
import { findTrust } from "./trust.ts";
import type { TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

export interface MaterialOptions {
  /** Where the policy is: what it names is beside it. */
  readonly folder: string;
  /** Whom to believe where the policy does not say. */
  readonly trust: TrustOptions;
  /** What is to be judged: published keys are for loopback registries. */
  readonly places: readonly PlaceOfUse[];
  readonly find: FindTrust;
  /** Fetches a list of withdrawn digests, `oci://…`; absent where no connection is opened. */
  readonly fetchList?: ((reference: string) => Promise<SignedList>) | undefined;
}

/** What a policy names: keys, trust roots and lists in files beside it, each read once, when it is first asked for. */
export class PolicyFiles implements PolicyMaterial {
  readonly #context: Context;
  readonly #output: Output;
  readonly #wiring: TrustServices;
  readonly #options: MaterialOptions;
  readonly #keys = new Map<KeyIdentity, Promise<readonly PublicKey[]>>();
  readonly #trust = new Map<string, Promise<Believed>>();
  readonly #withdrawn = new Map<WithdrawnList, Promise<ReadonlyMap<Digest, Finding>>>();

  constructor(context: Context, output: Output, wiring: TrustServices, options: MaterialOptions) {
    this.#context = context;
    this.#output = output;
    this.#wiring = wiring;
    this.#options = options;
  }

  // --- keys -----------------------------------------------------------------------------------------------------------

  /** @throws CountersignError `policy-invalid`, `key-published`. */
  keysOf(identity: KeyIdentity): Promise<readonly PublicKey[]> {
    return once(this.#keys, identity, async () => {
      const keys = await Promise.all(identity.keys.map((key) => naming(key.place, () => this.#readKey(key, identity))));
      refusePublishedKeys(keys, this.#options.places);
      return keys;
    });
  }

  async #readKey({ source }: KeyReference, { name }: KeyIdentity): Promise<PublicKey> {
    if (source.kind === "pem") return await withPrehash(parsePublicKey(encodeUtf8(source.pem), name));
    requireFile(source.path);
    const { folder } = this.#options;
    return await loadPublicKey(source.path, { ...this.#context, workingDirectory: folder, isFromFile: true });
  }

  // --- trust roots ----------------------------------------------------------------------------------------------------

  /**
   * Whom to believe, and what signatures that rest on it usually bring: as the policy says, else an instance of that name,
   * else as the flags and the configuration choose.
   *
   * @throws CountersignError `policy-invalid`, and what `findTrust` throws.
   */
  async trustFor(reference: TrustReference | string | undefined, isGithub = false): Promise<readonly Believed[]> {
    if (typeof reference === "string") return [await this.#named(reference)];
    if (reference !== undefined) return [await naming(reference.place, () => this.#referred(reference))];
    const { trust } = this.#options;
    // GitHub signs what comes from public repositories with the public instance and the rest with its own.
    if (isGithub && !namesTrust(trust))
      return await Promise.all(["sigstore", "github"].map((one) => this.#instance(one)));
    return [await this.#open("", trust)];
  }

  /** By a name that stands in the policy and is none of its own. */
  async #named(instance: string): Promise<Believed> {
    return await this.#instance(instance).catch((error: unknown) => {
      if (!(error instanceof CountersignError) || error.code !== "usage") throw error;
      throw new CountersignError("policy-invalid", "the policy names a trust root that is not there", {
        found: instance,
        wanted: `a name under its own trust, or an instance: ${error.wanted}`,
        cause: error,
      });
    });
  }

  async #referred({ name, source, proof }: TrustReference): Promise<Believed> {
    const { trust, demands } =
      source.kind === "instance" ? await this.#instance(source.instance) : await this.#file(name, source.path);
    const { logs = demands.logs, certificateLogs = demands.certificateLogs, timestamps = demands.timestamps } = proof;
    return { trust, demands: { ...demands, logs, certificateLogs, timestamps } };
  }

  #instance(instance: string): Promise<Believed> {
    return this.#open(
      `instance ${instance}`,
      { ...this.#options.trust, trustedRoot: undefined, instance },
      this.#context,
    );
  }

  /** A file of the policy's own is nobody else's to bring: not even a kit's that is believed. */
  #file(name: string, trustedRoot: string): Promise<Believed> {
    const flags = { ...this.#options.trust, trustedRoot, instance: undefined };
    const context = { ...this.#context, workingDirectory: this.#options.folder };
    return this.#open(`file ${name}`, flags, context, findTrust);
  }

  #open(key: string, flags: TrustOptions, context = this.#context, find = this.#options.find): Promise<Believed> {
    return once(this.#trust, key, async () => {
      const { bytes, label, demands } = await find(context, this.#output, flags, this.#wiring);
      const { loadTrustMaterial } = await import("../core/trust/load.ts");
      return { trust: await loadTrustMaterial(bytes, label), demands };
    });
  }

  // --- what was taken back --------------------------------------------------------------------------------------------

  /** @throws CountersignError `policy-invalid`, `policy-untrusted`, `trust-stale`. */
  withdrawnBy(list: WithdrawnList, signers: Requirement): Promise<ReadonlyMap<Digest, Finding>> {
    return once(this.#withdrawn, list, async () => {
      const { source, place } = list;
      if (source.kind === "artifact") {
        const { bytes, bundle } = await naming(place, () => this.#fetchList(source.reference));
        return proveWithdrawn({ label: source.reference, bytes, bundles: [bundle] }, list, signers);
      }
      // One after the other: where both are missing, it is the list that is told of.
      const bytes = await this.#readBeside(source.path, LIMITS.withdrawnBytes, place);
      const bundle = await this.#readBeside(bundleBeside(source.path), LIMITS.signatureBytes, place);
      return proveWithdrawn({ label: source.path, bytes, bundles: [bundle] }, list, signers);
    });
  }

  async #fetchList(reference: string): Promise<SignedList> {
    const { fetchList } = this.#options;
    if (fetchList !== undefined) return await fetchList(reference);
    throw new CountersignError("unsupported", "no registry is asked for a list of withdrawn digests here", {
      found: reference,
      wanted: "a list in a file beside the policy",
    });
  }

  async #readBeside(label: string, maxBytes: number, place: Place): Promise<Uint8Array> {
    const file = { path: resolve(this.#options.folder, label), label };
    return await naming(place, () =>
      readWholly(this.#context, file, { what: label, maxBytes, next: WITHOUT_THE_LIST }),
    );
  }
}

const WITHOUT_THE_LIST = "get the list and its bundle from whoever keeps it; without them nothing is accepted";

function once<Key, Value>(known: Map<Key, Promise<Value>>, key: Key, read: () => Promise<Value>): Promise<Value> {
  const found = known.get(key) ?? read();
  known.set(key, found);
  return found;
}

/** A policy may lie in a stranger's checkout: it chooses neither what is read out of the environment nor what is run. */
function requireFile(path: string): void {
  if (parseKeyReference(path).kind === "file") return;
  throw new CountersignError("policy-invalid", "a key of a policy is a file beside it, or PEM in it", {
    found: "a key elsewhere",
    wanted: "the public key itself: countersign key public KEY prints it",
  });
}

/** What cannot be used makes the policy that names it one that cannot be used. What may pass stays what it is. */
async function naming<Result>(place: Place, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError) || !SPOILS.has(error.code)) throw error;
    const { code, message, found, wanted } = error;
    const where = placeName(place);
    throw new CountersignError("policy-invalid", message, {
      found: found === undefined ? where : `${where}: ${found}`,
      wanted,
      ...(code === "policy-invalid" && { next: error.next }),
      cause: error,
    });
  }
}

const SPOILS: ReadonlySet<string> = new Set<CountersignError["code"]>([
  ...(["policy-invalid", "key-invalid", "key-weak", "key-password", "unsupported", "trust-invalid"] as const),
  ...(["usage", "disk-error", "limit-reached"] as const),
]);
