import type { UntrustedInclusionProof, UntrustedLogEntry } from "../../../src/core/formats/envelope.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { canonicalJson, type EntryBody, type EntryKind, entryBody, type Logged } from "./entry-bodies.ts";
import { digest, type FakeKey, fakeKey } from "./keys.ts";
import { MerkleTree } from "./merkle.ts";
import { checkpointText, noteKeyId, signatureLine, signedNote, witnessLine } from "./note.ts";
import { NOW, seconds } from "./times.ts";

export interface LogOptions {
  /** Rekor's: 1 promises (SET) and tells the time, 2 proves and does not. */
  readonly generation?: 1 | 2;
  /** Host name, which is the origin of its checkpoints. */
  readonly name?: string;
  readonly baseUrl?: string;
  readonly operator?: string;
  /** P-256 for generation 1 and Ed25519 for 2 by default; any other kind for the asking. */
  readonly key?: FakeKey;
}

/** What may be wrong with an entry. Whatever is not here is changed by spreading the entry, which is a plain object. */
export interface EntryOptions {
  /** When the log took it in. */
  readonly at?: number;
  readonly withoutPromise?: boolean;
  readonly withoutProof?: boolean;
  /** The checkpoint's first line. */
  readonly origin?: string;
  /** The name on the checkpoint's signature line. */
  readonly signerName?: string;
  /** Signs the checkpoint; the line still carries the log's own key id, unless that is given too. */
  readonly checkpointKey?: FakeKey;
  readonly checkpointKeyId?: Uint8Array;
  /** What the checkpoint says, signed all the same; the proof says so too. */
  readonly rootHash?: Uint8Array;
  readonly treeSize?: bigint;
  /** Lines behind the checkpoint's root hash. */
  readonly extensionLines?: readonly string[];
  /** Names of witnesses whose lines stand before and after the log's own. */
  readonly witnesses?: { readonly before?: readonly string[]; readonly after?: readonly string[] };
  /** Signs the promise. */
  readonly promiseKey?: FakeKey;
  /** What the promise is about, where that is not this entry. */
  readonly promiseOver?: {
    readonly body?: Uint8Array;
    readonly at?: number;
    readonly logIndex?: bigint;
    readonly logId?: Uint8Array;
  };
}

const FILLER = 5;
/** Rekor's first tree id; its length matters to readers of entry ids. */
const TREE_ID = 1193050959916656506n;

/** A transparency log with a real tree (RFC 6962), some entries of other people already in it. */
export class FakeLog {
  readonly generation: 1 | 2;
  readonly name: string;
  readonly baseUrl: string;
  readonly operator: string;
  readonly key: FakeKey;
  /** What the first line of its checkpoints says. */
  readonly origin: string;
  readonly treeId = TREE_ID;
  readonly #tree = new MerkleTree();
  /** Rekor 1 counts over all its shards. */
  readonly #firstIndex: bigint;

  constructor(options: LogOptions = {}) {
    this.generation = options.generation ?? 1;
    const isFirst = this.generation === 1;
    this.name = options.name ?? (isFirst ? "rekor.example.com" : "log2026.rekor.example.com");
    this.baseUrl = options.baseUrl ?? `https://${this.name}`;
    this.operator = options.operator ?? "example.com";
    this.key = options.key ?? fakeKey(isFirst ? "p256" : "ed25519");
    this.origin = isFirst ? `${this.name} - ${this.treeId}` : this.name;
    this.#firstIndex = isFirst ? 1000n : 0n;
    for (let at = 0; at < FILLER; at += 1) this.#tree.append(Buffer.from(`entry ${at} of somebody else`));
  }

  /** Rekor 1: SHA-256 of the key. Rekor 2: the whole hash whose start is the note's key id. */
  get logId(): Buffer {
    return this.generation === 1 ? digest(this.key.spki) : noteKeyId(this.name, this.key);
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Takes in a signature; what it is written down as by default is what such a log would make of it. */
  record(logged: Logged, { kind, ...options }: EntryOptions & { readonly kind?: EntryKind } = {}): UntrustedLogEntry {
    return this.include(entryBody(kind ?? this.#kindFor(logged), logged), options);
  }

  #kindFor({ payload }: Logged): EntryKind {
    if (this.generation === 2) return "hashedrekord-v2";
    return payload === undefined ? "hashedrekord" : "dsse";
  }

  /** Takes in any leaf. */
  include({ kind, version, body }: EntryBody, options: EntryOptions = {}): UntrustedLogEntry {
    const index = this.#tree.append(body);
    const logIndex = this.#firstIndex + BigInt(index);
    const entry = { logIndex, logId: this.logId, kind, version, body };
    const proof = options.withoutProof === true ? undefined : this.#proof(index, options);
    if (this.generation === 2) return { ...entry, proof };
    const integratedTime = seconds(options.at ?? NOW);
    const promise = options.withoutPromise === true ? undefined : this.#promise({ ...entry, integratedTime }, options);
    return { ...entry, integratedTime, promise, proof };
  }

  #proof(index: number, options: EntryOptions): UntrustedInclusionProof {
    const treeSize = options.treeSize ?? BigInt(this.size);
    const rootHash = options.rootHash ?? this.#tree.root();
    return {
      logIndex: BigInt(index),
      treeSize,
      rootHash,
      hashes: this.#tree.proof(index),
      checkpoint: this.checkpoint({ ...options, treeSize, rootHash }),
    };
  }

  /** A signed checkpoint of the whole tree, or of anything else. */
  checkpoint(options: EntryOptions = {}): string {
    const text = checkpointText({
      origin: options.origin ?? this.origin,
      size: options.treeSize ?? BigInt(this.size),
      root: options.rootHash ?? this.#tree.root(),
      extensions: options.extensionLines,
    });
    const own = signatureLine(text, {
      name: options.signerName ?? this.name,
      key: options.checkpointKey ?? this.key,
      keyId: options.checkpointKeyId ?? this.logId,
    });
    const cosigned = (name: string) => witnessLine(text, { name, key: fakeKey("ed25519") }, options.at ?? NOW);
    const { before = [], after = [] } = options.witnesses ?? {};
    return signedNote(text, [...before.map(cosigned), own, ...after.map(cosigned)]);
  }

  #promise(entry: PromisedEntry, { promiseKey = this.key, promiseOver = {} }: EntryOptions): Uint8Array {
    return promiseKey.sign(
      promisedBytes({
        body: promiseOver.body ?? entry.body,
        integratedTime: promiseOver.at === undefined ? entry.integratedTime : seconds(promiseOver.at),
        logIndex: promiseOver.logIndex ?? entry.logIndex,
        logId: promiseOver.logId ?? entry.logId,
      }),
    );
  }
}

interface PromisedEntry {
  readonly body: Uint8Array;
  readonly integratedTime: bigint;
  readonly logIndex: bigint;
  readonly logId: Uint8Array;
}

/** What a SignedEntryTimestamp covers. */
export function promisedBytes({ body, integratedTime, logIndex, logId }: PromisedEntry): Uint8Array {
  const payload: JsonObject = {
    body: Buffer.from(body).toString("base64"),
    integratedTime: Number(integratedTime),
    logID: Buffer.from(logId).toString("hex"),
    logIndex: Number(logIndex),
  };
  return Buffer.from(canonicalJson(payload));
}
