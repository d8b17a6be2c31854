import type { PublicKey } from "./crypto/public-key.ts";
import type { Finding } from "./errors.ts";
import type { UntrustedCandidate, UntrustedLogEntry } from "./formats/envelope.ts";
import type { LoggedSignature, SignedEnvelope } from "./formats/log-record.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest, DigestAlgorithm } from "./oci/digest.ts";
import type { LayerCompression } from "./oci/layer.ts";
import type { Manifest } from "./oci/manifest.ts";
import type { Requirement } from "./verify/requirement.ts";

/** Bytes that can be read again from any offset: what an upload needs to survive a retry. */
export interface BlobSource {
  /** Opens the content at `offset` bytes; every call starts a new read. */
  open(offset: number): AsyncIterable<Uint8Array>;
  /**
   * A read from 0 ends in an error unless its bytes are the described ones: who stores them need not hash them again.
   * Hashing twice is a good part of the time that a large image takes.
   */
  readonly isChecked?: boolean | undefined;
}

/** Who refers to a digest, and where that was read. */
export interface ReferrersListing {
  /** Claims of the registry: fetch each manifest by digest and check its `subject` before believing any. */
  readonly descriptors: readonly Descriptor[];
  readonly via: "referrers-api" | "referrers-tag" | "layout";
  /** Set where a memory of the registry decided how it was asked: asks the other way, which may list more. */
  readonly rest?: (() => Promise<ReferrersListing>) | undefined;
}

export interface StoredTag {
  readonly name: string;
  readonly descriptor: Descriptor;
}

/**
 * One repository of images, wherever it is: in a registry, an OCI layout or an archive. The three behave alike, and one
 * contract suite holds them to it.
 *
 * - Every read is bounded and checked: what does not match its descriptor ends in an error, never in a plain end.
 * - "Not there" is `undefined` only where the method says so; "could not look" is always a thrown CountersignError.
 * - A store is made for one command: its AbortSignal, credentials and limits were given when it was opened.
 */
export interface ContentStore {
  readonly kind: "registry" | "oci-layout" | "oci-archive" | "docker-archive";
  /** Printable: `ghcr.io/acme/app`, `oci:build/out`. */
  readonly location: string;
  /** The name a legacy payload must carry (`ghcr.io/acme/app`); undefined for files, which have no name of their own. */
  readonly repository: string | undefined;

  /**
   * The manifest that a tag or digest names now, its digest computed here over the bytes. undefined as `target`: the
   * only image of a layout or archive. undefined as result: the store answered that there is none.
   */
  resolve(target: string | undefined): Promise<Manifest | undefined>;
  /**
   * What a tag names by the store's word alone, where that is cheaper than `resolve`: nothing may be accepted by it. undefined
   * where the store gives none.
   */
  claimedDigest?(tag: string): Promise<Digest | undefined>;
  /**
   * What a tag names now, past every cache, and nothing but "unchanged" where that is `known` still: a claim of the store's, by
   * which nothing but what was known may be used. undefined where there is no such tag.
   */
  resolveChanged?(tag: string, known: Digest | undefined): Promise<Manifest | "unchanged" | undefined>;
  /** The manifest with this descriptor. @throws `not-found` where there is none. */
  manifest(descriptor: Descriptor): Promise<Manifest>;
  /** A blob's bytes from `offset`, checked against the descriptor as they stream (from 0: size and digest). */
  openBlob(descriptor: Descriptor, offset?: number): AsyncIterable<Uint8Array>;
  /** A small blob as a whole. @throws `limit-reached` where the descriptor is larger than `maxBytes`. */
  readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array>;
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  hasManifest(descriptor: Descriptor): Promise<boolean>;

  /**
   * Everything that names `subject` as its subject, all pages, bounded.
   *
   * `isSparing`: for who is about to write, and would at worst write again what is there: what is remembered of the store is
   * believed, and nobody asks what another is just finding out. Never to conclude that there is nothing.
   */
  referrers(subject: Digest, options?: { readonly isSparing?: boolean | undefined }): Promise<ReferrersListing>;
  /** All tags, bounded. */
  tags(): Promise<readonly string[]>;

  /**
   * Stores a blob unless it is there. `mountFrom` is another repository of the same registry that may hold it.
   * Bytes that do not match the descriptor are refused and nothing is stored.
   */
  pushBlob(
    descriptor: Descriptor,
    source: BlobSource,
    options?: { readonly mountFrom?: string | undefined },
  ): Promise<"stored" | "present" | "mounted">;
  /**
   * Stores a manifest by digest, or under a tag as well. A manifest with a `subject` is listed among the subject's
   * referrers when this returns, by the registry or by the tag schema, with no other writer's entry lost.
   *
   * `isShared`: others write the tag too. A failed write that may be tried again is not repeated as it is, since by then
   * the tag may name something else: this returns without it, and the caller reads and merges again. `over` is what the tag
   * named when it was merged with: a store that can compare and replace in one step does, and writes over nothing else; a
   * registry is asked again after a wait that it wanted.
   */
  pushManifest(manifest: Manifest, tag?: string, options?: PushOptions): Promise<void>;
  /**
   * Takes a tag away, or a manifest by digest with every tag that names it, where the store can do that at all; what it holds
   * besides stays until the store collects its garbage. "unsupported": this registry does not delete.
   */
  remove?(target: string | Digest): Promise<"removed" | "absent" | "unsupported">;
  /** Ends connections and open files. */
  close(): Promise<void>;
}

export interface PushOptions {
  readonly isShared?: boolean | undefined;
  readonly over?: Digest | "nothing" | undefined;
}

/** Where a pull or a copy goes. Nothing is visible there before `commit`. */
export interface Destination {
  readonly store: ContentStore;
  /** Makes what was stored visible in one step: a rename, or moving the tag. */
  commit(root: Manifest): Promise<void>;
  /** Removes everything: what was not accepted leaves nothing behind. */
  discard(): Promise<void>;
  /** After an interruption or a network failure: keeps what a second run can resume from, out of sight. */
  suspend(): Promise<void>;
}

/** A manifest that a layout lists by itself, and how it is called there. */
export interface ListedManifest {
  readonly descriptor: Descriptor;
  readonly tag: string | undefined;
  /** The whole reference, where it is called by more than a tag. */
  readonly reference: string | undefined;
}

/** A layout as a whole, for what is about more than one of its images. */
export interface WholeLayout {
  readonly store: ContentStore;
  listed(): Promise<readonly ListedManifest[]>;
  /** How long each blob in it is, whatever names it. Nothing is said of what is in them. */
  blobs(): Promise<ReadonlyMap<Digest, number>>;
}

/** A new layout for several images at once. Nothing is visible in it before `commit`. */
export interface Collection extends WholeLayout {
  /** Lists a manifest whose content is stored: under a tag or a whole reference, or by its digest alone. */
  list(manifest: Manifest, name: string | undefined): Promise<void>;
  /** Makes everything visible in one step; `first` is listed first. */
  commit(first: Digest): Promise<void>;
  discard(): Promise<void>;
  suspend(): Promise<void>;
}

/** A private key, wherever it lives. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** Keyless: what binds the key to an identity (DER, the leaf first, then what leads to the root). */
  readonly certificates?: readonly Uint8Array[] | undefined;
  /** The signature over `data` with the key's own algorithm (ECDSA in DER form). */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** What a log or a timestamp authority is shown of a signature. */
export interface Witnessed {
  readonly signer: Signer;
  /** Exactly the bytes that were signed. */
  readonly signedBytes: Uint8Array;
  /** What they encode, where they are the pre-authentication encoding of an envelope: some logs record that. */
  readonly envelope?: SignedEnvelope | undefined;
  readonly signature: Uint8Array;
}

/** What came back, checked for being about this signature. */
export interface Testimony {
  readonly logEntries: readonly UntrustedLogEntry[];
  /** DER TimeStampResp each. */
  readonly timestamps: readonly Uint8Array[];
  /** Why the log's entry is missing, where that was allowed: it is to be added later. */
  readonly postponed?: Finding | undefined;
}

/**
 * Writes a signature to the logs that a signing configuration wants.
 *
 * @throws CountersignError where one that is required fails.
 */
export type RecordSignature = (signed: LoggedSignature) => Promise<readonly UntrustedLogEntry[]>;

/** The logs and timestamp authorities of a signing configuration. */
export interface Witness {
  /** Nothing is sent before this is called. @throws CountersignError where a service that is required fails. */
  witness(signed: Witnessed): Promise<Testimony>;
}

/**
 * Who signs: one key, or an identity that gets a certificate for a key made on the spot.
 */
export interface Signatory {
  /** A signer for the next image. A key is always the same; a keyless signer is made anew, unless one serves them all. */
  signer(): Promise<Signer>;
  readonly witness?: Witness | undefined;
  /** What a verifier would ask for to accept what this signer signs. */
  accepts(signer: Signer): Acceptance;
  /**
   * The same before there is a signer, where making one costs something: to find out whether there is a signature
   * already. undefined where it cannot be known.
   */
  foresees?: (() => Promise<Acceptance | undefined>) | undefined;
}

/** Whose signature a verifier would accept, and with what beside it. */
export type Acceptance = Pick<Requirement, "keys" | "keyProof" | "identities">;

/** Another place than a registry where evidence about digests is kept. */
export interface EvidenceSource {
  /**
   * What is kept about a digest, page by page; nothing where there is none.
   *
   * @throws CountersignError where it could not be looked at.
   */
  look(subject: Digest): AsyncIterable<EvidencePage>;
}

export interface EvidencePage {
  readonly candidates: readonly UntrustedCandidate[];
  /** What of the page could not be looked at. */
  readonly obstacles: readonly Finding[];
}

/** Small content that was proven by its digest before: kept so that a second look costs no request. */
export interface ContentCache {
  /** The content with this digest, hashed again on reading; undefined where it is not there or damaged. */
  get(digest: Digest): Promise<Uint8Array | undefined>;
  /** Keeps content. A failure to keep is no failure of the command. */
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** Undoes a layer's compression as its bytes stream by, and hashes what comes out. Nothing of it is kept. */
export interface LayerDigester {
  /**
   * Takes the next compressed bytes; resolves when more may come.
   *
   * @throws CountersignError `layer-invalid`, `decompression-bomb` or `limit-reached`.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** No more bytes follow: the digest of the whole uncompressed tar. @throws as `write`. */
  finish(): Promise<Digest>;
  /** Frees everything before its time; does nothing after `finish`. */
  abort(): void;
}

export type OpenLayerDigester = (compression: LayerCompression, algorithm: DigestAlgorithm) => LayerDigester;

/** How far a transfer is; `total` in bytes where it is known. */
export interface TransferEvent {
  readonly digest: Digest;
  readonly what: "manifest" | "config" | "layer" | "signature";
  readonly state: "started" | "progress" | "done" | "present" | "resumed";
  readonly bytes: number;
  readonly total: number;
}

export type OnTransfer = (event: TransferEvent) => void;
