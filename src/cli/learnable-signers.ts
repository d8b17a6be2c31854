import { basename, dirname, extname, relative, resolve, sep } from "node:path";
import { type PublicKey, publicKeyPem } from "../core/crypto/public-key.ts";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { findingUnlessInterrupted } from "../core/errors.ts";
import type { PolicyDocument, TrustReference } from "../core/policy/document.ts";
import type { Everybody } from "../core/review/carried.ts";
import type { LearnedSigner } from "../core/review/learned-names.ts";
import type { Believed } from "../core/verify/exhibit.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import { type GatheredImage, isUnproven, type NameSigner, needsTrust } from "../ops/learn.ts";
import type { TagJudging } from "../ops/verify.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { placesOf } from "./images.ts";
import type { Output } from "./output.ts";
import { namesTrust } from "./signer-options.ts";
import { findTrust } from "./trust.ts";
import type { TrustOptions } from "./trust-options.ts";

/** What a lesson is given. */
export interface Lessons {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly trust: TrustOptions;
  /** As the command line names them. */
  readonly images: readonly string[];
  /** Keys that may be learned, as the user names them. */
  readonly keys: readonly string[];
  /** How the images' tags are resolved. */
  readonly tags: TagJudging;
}

/** Who may be learned, and what a policy calls them: its files are named from its own folder. */
export class LearnableSigners {
  readonly #lessons: Lessons;
  readonly #policy: PolicyDocument;
  /** By the label under which a root proves. */
  readonly #trustNames = new Map<string, string>();
  readonly #trust = new Map<string, TrustReference>();
  readonly #keySources = new Map<string, Pick<LearnedSigner & { kind: "key" }, "source" | "calledAfter">>();

  constructor(lessons: Lessons, policy: PolicyDocument) {
    this.#lessons = lessons;
    this.#policy = policy;
  }

  /** Trust roots that the policy does not name yet. */
  get newTrust(): ReadonlyMap<string, TrustReference> {
    return this.#trust;
  }

  /** Whom the images may carry: those with the keys, and for whom the trust roots vouch. */
  async everybody(images: readonly GatheredImage[]): Promise<Everybody> {
    const { context, trust } = this.#lessons;
    const keys = await Promise.all(this.#lessons.keys.map((key) => this.#readKey(key)));
    refusePublishedKeys(keys, placesOf(this.#lessons.images));
    const everybody: Everybody = { keys, roots: [], now: context.referenceTime };
    if (!needsTrust(images)) return everybody;
    const usual = { ...everybody, roots: [await this.#root(trust)] };
    if (namesTrust(trust) || !isUnproven(images, usual)) return usual;
    // GitHub signs what comes from private repositories by an instance of its own.
    const github = await this.#root({ ...trust, instance: "github" }).catch(findingUnlessInterrupted);
    return "trust" in github ? { ...usual, roots: [...usual.roots, github] } : usual;
  }

  async #readKey(reference: string): Promise<PublicKey> {
    const { context, output } = this.#lessons;
    const key = await loadPublicKey(reference, { ...context, warn: output.warn });
    const isFile = parseKeyReference(reference).kind === "file";
    const source = isFile
      ? ({ kind: "file", path: this.#fromPolicy(reference) } as const)
      : ({ kind: "pem", pem: publicKeyPem(key) } as const);
    this.#keySources.set(key.fingerprint, { source, calledAfter: basename(reference, extname(reference)) });
    return key;
  }

  async #root(flags: TrustOptions): Promise<Believed> {
    const { context, output, wiring } = this.#lessons;
    const { bytes, label, demands, instance } = await findTrust(context, output, flags, wiring);
    const { loadTrustMaterial } = await import("../core/trust/load.ts");
    this.#trustNames.set(label, instance ?? this.#trustFile(flags.trustedRoot ?? label));
    return { trust: await loadTrustMaterial(bytes, label), demands };
  }

  /** What the policy calls a trust root in a file: as it does already, else after the file. */
  #trustFile(file: string): string {
    const path = this.#fromPolicy(file);
    const { trust } = this.#policy;
    const known = [...trust.values()].find(({ source }) => source.kind === "file" && source.path === path);
    if (known !== undefined) return known.name;
    const plain = basename(file, extname(file))
      .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "");
    const name =
      ["", "-2", "-3", "-4"].map((suffix) => `${plain || "root"}${suffix}`).find((each) => !trust.has(each)) ??
      "learned";
    this.#trust.set(name, { name, source: { kind: "file", path }, proof: {}, place: NOWHERE });
    return name;
  }

  /** What a policy names is beside it. */
  #fromPolicy(file: string): string {
    const { workingDirectory } = this.#lessons.context;
    return relative(this.folder, resolve(workingDirectory, file)).split(sep).join("/");
  }

  get folder(): string {
    return dirname(resolve(this.#lessons.context.workingDirectory, this.#policy.label));
  }

  readonly name: NameSigner = (signedBy, trust) => {
    if (signedBy.kind === "key") {
      const known = this.#keySources.get(signedBy.fingerprint);
      return known === undefined ? undefined : { kind: "key", fingerprint: signedBy.fingerprint, ...known };
    }
    const name = trust === undefined ? undefined : this.#trustNames.get(trust);
    if (name === undefined || signedBy.identity.issuer === "") return undefined;
    return { kind: "identity", identity: signedBy.identity, trust: name };
  };
}

const NOWHERE = { label: "", line: 1, column: 1 };
