import type { KeyObject } from "node:crypto";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type PublicKey, publicKeyFrom, publicKeyPem } from "../../core/crypto/public-key.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Signer } from "../../core/ports.ts";
import type { RoleKeyring } from "../../core/tags/ports.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import type { RoleSigner } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";
import { removeAll } from "../disk/files.ts";
import { dataFolder } from "../disk/paths.ts";
import { readKey, readSmallFile, warnOfReaders } from "../keys/content.ts";
import { formatKeyFile, generateKey, openKey, readKeyFile } from "../keys/keyfile.ts";
import { loadSigner, openSigner, signerOf } from "../keys/load.ts";
import type { AskPassword } from "../keys/passphrase.ts";
import { namesPowers } from "../keys/pkcs11-uri.ts";
import { type KeyReference, parseKeyReference } from "../keys/reference.ts";
import type { KeySurroundings } from "../keys/surroundings.ts";
import { formatRingKey, parseRingKey, type RingKey } from "./ring-record.ts";

export type { RingKey } from "./ring-record.ts";

/** A key that was made and is nowhere yet. */
export interface NewRoleKey extends RoleSigner {
  /** Writes it into the ring, encrypted: to be called before anything that it signed is published. */
  keep(): Promise<RingKey>;
}

/** A key that the command line names for a role. */
export interface NamedRoleKey extends RoleSigner {
  /** Notes where it is, so that the next command finds it: of a KMS or a token. What is content stays the caller's own. */
  keep(): Promise<void>;
}

/** What a key is for: its passphrase is asked for by that name. */
export interface KeyPurpose {
  /** `root`, `targets`, `online` or a signer's name. */
  readonly name: string;
  readonly gun?: string | undefined;
}

/** Where passphrases come from, by what a key is called. */
export interface Passphrases {
  of(name: string): AskPassword;
  /** The environment in which a key of another program's making is opened. */
  environmentOf(name: string): KeySurroundings["env"];
}

const FILE = /^([0-9a-f]{64})\.json$/;
/** What a role may be signed with (docs/signed-tags.md, "Keys"), of what is made here. */
export const ROLE_ALGORITHMS = ["ed25519", "ecdsa-p256", "ecdsa-p384"] as const;
export type RoleAlgorithm = (typeof ROLE_ALGORITHMS)[number];

/**
 * The role keys of a user: `<keyid>.key`, encrypted as cosign does and readable by nobody else, beside `<keyid>.json`, which
 * says whose it is and, of keys that stay where they are, where that is. Keys that the command line names count as well.
 */
export class KeyRing implements RoleKeyring {
  readonly folder: string;
  readonly #surroundings: KeySurroundings;
  readonly #passphrases: Passphrases;
  readonly #given = new Map<string, Signer>();
  readonly #opened = new Map<string, Promise<Signer | undefined>>();

  /** @param folder Where the keys are; `ringFolder` says where that is for a user. */
  constructor(folder: string, surroundings: KeySurroundings, passphrases: Passphrases) {
    this.folder = folder;
    this.#surroundings = surroundings;
    this.#passphrases = passphrases;
  }

  /** Opened once and kept: a passphrase is asked for once in a command. */
  async signer(keyId: string): Promise<Signer | undefined> {
    const given = this.#given.get(keyId);
    if (given !== undefined) return given;
    const opening = this.#opened.get(keyId) ?? this.#open(keyId);
    this.#opened.set(keyId, opening);
    try {
      return await opening;
    } catch (thrown) {
      this.#opened.delete(keyId);
      throw thrown;
    }
  }

  async #open(keyId: string): Promise<Signer | undefined> {
    const key = await this.find(keyId);
    if (key === undefined) return undefined;
    const isHere = key.reference === undefined || (await this.#isReachable(key.reference));
    if (!isHere) return undefined;
    const signer = await (key.reference === undefined ? this.#own(key) : this.#load(key.reference, key, true));
    if (keyIdOf(tufKeyOf(signer.publicKey)) === keyId) return signer;
    throw new CountersignError("key-invalid", `the key ${key.name} in the ring is not the one that it was`, {
      found: key.reference ?? this.#keyFile(keyId),
      wanted: `the key with the id ${keyId}`,
    });
  }

  async #own({ keyId, name }: RingKey): Promise<Signer> {
    const { content } = await readKey(this.#keyFile(keyId), this.#surroundings);
    const label = `the key ${name} (${keyId.slice(0, 12)}…)`;
    return await openSigner(readKeyFile(content, label), label, this.#passphrases.of(name));
  }

  /** A root that lies in a drawer, a variable that only the pipeline has, a token without its module: not here, which is no fault. */
  async #isReachable(reference: string): Promise<boolean> {
    const parsed = parseKeyReference(reference);
    if (parsed.kind === "variable") return this.#isSet(parsed.name);
    // What may be run as a token's module only the user says.
    if (parsed.kind === "pkcs11") return this.#isSet("COSIGN_PKCS11_MODULE_PATH");
    if (parsed.kind !== "file") return true;
    const path = resolve(this.#surroundings.workingDirectory, parsed.path);
    return (await onDisk(`look at ${path}`, () => ifPresent(() => stat(path)))) !== undefined;
  }

  #isSet(variable: string): boolean {
    return (this.#surroundings.env[variable] ?? "") !== "";
  }

  /**
   * A key of this command line. It counts for as long as the command runs.
   *
   * @throws CountersignError as `loadSigner`; `key-weak` for a kind that TUF's clients cannot verify.
   */
  async use(reference: string, purpose: KeyPurpose): Promise<RoleSigner> {
    const signer = await this.#load(reference, purpose, false);
    const keyId = keyIdOf(tufKeyOf(signer.publicKey));
    this.#given.set(keyId, signer);
    return { keyId, signer };
  }

  /** The same, of a key that shall hold a role from now on. Nothing is written before `keep`. @throws as `use`. */
  async name(reference: string, purpose: KeyPurpose, now: Instant): Promise<NamedRoleKey> {
    const used = await this.use(reference, purpose);
    return { ...used, keep: () => this.#note(reference, ringKey(used.signer.publicKey, purpose, reference, now)) };
  }

  /** A root key is for few hands and few days, and named by whoever has it. A key that is known already keeps its name. */
  async #note(reference: string, key: RingKey): Promise<void> {
    const parsed = parseKeyReference(reference);
    if (key.name === "root" || isContent(parsed) || (await this.find(key.keyId)) !== undefined) return;
    if (parsed.kind === "pkcs11" && namesPowers(parsed.uri)) {
      const without = `countersign trust key load --name ${key.name} '${parsed.uri.label}'`;
      this.#surroundings.warn?.(
        `the key ${key.name} is not noted, as its name has a PIN or a module in it: ${without}`,
      );
      return;
    }
    await this.#write(key);
  }

  async #load(reference: string, { name }: KeyPurpose, isFromFile: boolean): Promise<Signer> {
    const surroundings = { ...this.#surroundings, isFromFile };
    if (!isContent(parseKeyReference(reference))) return await loadSigner(reference, surroundings);
    const found = await readKey(reference, surroundings);
    if (!isFromFile) warnOfReaders(found, surroundings.warn);
    return await openSigner(readKeyFile(found.content, found.label), found.label, this.#asker(name));
  }

  /** A file that cosign made may be opened by cosign's variable too; the role's own variables come first. */
  #asker(name: string): AskPassword {
    const common = this.#passphrases.environmentOf(name)["COSIGN_PASSWORD"];
    if (common !== undefined) return () => Promise.resolve(Buffer.from(common));
    return this.#passphrases.of(name);
  }

  // --- the ring itself --------------------------------------------------------------------------------------------------

  /** All keys, by name and id. @throws CountersignError `key-invalid` for a record that is damaged, `disk-error`. */
  async list(): Promise<readonly RingKey[]> {
    const names = (await onDisk(`read ${this.folder}`, () => ifPresent(() => readdir(this.folder)))) ?? [];
    const ids = names.flatMap((name) => FILE.exec(name)?.[1] ?? []);
    if (ids.length > LIMITS.ringKeys) throw tooMany(ids.length);
    const keys = await Promise.all(ids.map((keyId) => this.find(keyId)));
    return keys.filter((key) => key !== undefined).sort(byName);
  }

  async find(keyId: string): Promise<RingKey | undefined> {
    if (!/^[0-9a-f]{64}$/.test(keyId)) return undefined;
    const path = this.#record(keyId);
    const bytes = await readRecord(path);
    if (bytes === undefined) return undefined;
    const key = parseRingKey(bytes, path);
    if (key.keyId === keyId) return key;
    throw new CountersignError("key-invalid", `${path} is another key's`, { found: key.keyId, wanted: keyId });
  }

  /** A new key, whose passphrase is asked for now. Nothing is written before `keep`. */
  async generate(purpose: KeyPurpose, now: Instant, algorithm: RoleAlgorithm = "ed25519"): Promise<NewRoleKey> {
    const passphrase = await this.#newPassphrase(purpose);
    return await this.adopt(await generateKey(algorithm), passphrase, purpose, now);
  }

  /** A key that was opened elsewhere, to be kept here under a passphrase. Nothing is written before `keep`. */
  async adopt(privateKey: KeyObject, passphrase: Uint8Array, purpose: KeyPurpose, now: Instant): Promise<NewRoleKey> {
    const publicKey = publicKeyFrom(privateKey, purpose.name);
    const keyId = keyIdOf(tufKeyOf(publicKey));
    const signer = await signerOf(privateKey, purpose.name);
    this.#given.set(keyId, signer);
    const keep = () => this.#keep(privateKey, passphrase, ringKey(publicKey, purpose, undefined, now));
    return { keyId, signer, keep };
  }

  /**
   * Takes a key into the ring: a copy of one that is content (a file, a variable), encrypted anew; of one in a KMS or a
   * token the reference alone.
   */
  async load(reference: string, purpose: KeyPurpose, now: Instant): Promise<RingKey> {
    if (!isContent(parseKeyReference(reference))) return await this.remember(reference, purpose, now);
    const found = await readKey(reference, this.#surroundings);
    warnOfReaders(found, this.#surroundings.warn);
    const file = readKeyFile(found.content, found.label);
    const ask = this.#asker(purpose.name);
    const privateKey = await openKey(file, found.label, () => ask({ what: found.label, isNew: false }));
    const key = ringKey(publicKeyFrom(privateKey, purpose.name), purpose, undefined, now);
    return await this.#keep(privateKey, await this.#newPassphrase(purpose), key);
  }

  /** Notes where a key is that stays there: a file that is moved or a variable that is not set is then "not here". */
  async remember(reference: string, purpose: KeyPurpose, now: Instant): Promise<RingKey> {
    const parsed = parseKeyReference(reference);
    const kept = parsed.kind === "file" ? resolve(this.#surroundings.workingDirectory, parsed.path) : reference;
    const { publicKey } = await this.#load(kept, purpose, true);
    const key = ringKey(publicKey, purpose, kept, now);
    await this.#write(key);
    return key;
  }

  /** The public half, as PEM text. @throws CountersignError `role-key-missing`. */
  async exportPublic(keyId: string): Promise<string> {
    return publicKeyPem((await this.#known(keyId)).publicKey);
  }

  /** The private half as it is kept: encrypted. @throws CountersignError `role-key-missing`; `unsupported` for a reference. */
  async exportPrivate(keyId: string): Promise<string> {
    const { reference } = await this.#known(keyId);
    if (reference !== undefined) {
      throw new CountersignError("unsupported", "this key is not in the ring, only where it is", { found: reference });
    }
    const { content } = await readKey(this.#keyFile(keyId), this.#surroundings);
    return Buffer.from(content).toString("utf8");
  }

  async #known(keyId: string): Promise<RingKey> {
    const key = await this.find(keyId);
    if (key !== undefined) return key;
    throw new CountersignError("role-key-missing", "there is no such key in the ring", { found: keyId });
  }

  async #newPassphrase({ name }: KeyPurpose): Promise<Uint8Array> {
    return await this.#passphrases.of(name)({ what: `the new key ${name}`, isNew: true });
  }

  /** The private half first: a record without its key would promise what is not there. */
  async #keep(privateKey: KeyObject, passphrase: Uint8Array, key: RingKey): Promise<RingKey> {
    const path = this.#keyFile(key.keyId);
    const content = Buffer.from(await formatKeyFile(privateKey, passphrase));
    await this.#makeFolder();
    await writeFileAtomic(path, content, { mode: 0o600 });
    try {
      await this.#write(key);
    } catch (thrown) {
      await removeAll(path).catch(() => undefined);
      throw thrown;
    }
    return key;
  }

  async #write(key: RingKey): Promise<void> {
    await this.#makeFolder();
    await writeFileAtomic(this.#record(key.keyId), Buffer.from(formatRingKey(key)), { mode: 0o600 });
  }

  async #makeFolder(): Promise<void> {
    await onDisk(`make ${this.folder}`, () => mkdir(this.folder, { recursive: true, mode: 0o700 }));
  }

  #keyFile(keyId: string): string {
    return join(this.folder, `${keyId}.key`);
  }

  #record(keyId: string): string {
    return join(this.folder, `${keyId}.json`);
  }
}

/** Where a user's role keys are: `$XDG_DATA_HOME/countersign/trust/keys`. */
export function ringFolder(env: KeySurroundings["env"], homeDirectory: string): string {
  return join(dataFolder(env, homeDirectory), "trust", "keys");
}

function isContent({ kind }: KeyReference): boolean {
  return kind === "file" || kind === "variable";
}

function ringKey(
  publicKey: PublicKey,
  { name, gun }: KeyPurpose,
  reference: string | undefined,
  now: Instant,
): RingKey {
  return { keyId: keyIdOf(tufKeyOf(publicKey)), name, gun, publicKey, reference, createdAt: now };
}

function byName(a: RingKey, b: RingKey): number {
  const [x, y] = [`${a.name} ${a.keyId}`, `${b.name} ${b.keyId}`];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** undefined where there is none. Links are followed: mounted secrets are links. */
async function readRecord(path: string): Promise<Uint8Array | undefined> {
  const isThere = (await onDisk(`look at ${path}`, () => ifPresent(() => stat(path)))) !== undefined;
  if (!isThere) return undefined;
  return (await readSmallFile(path, { label: path, maxBytes: LIMITS.keyFileBytes })).content;
}

function tooMany(count: number): CountersignError {
  return new CountersignError("limit-reached", "there are too many keys in the ring", {
    found: String(count),
    wanted: `at most ${LIMITS.ringKeys}`,
  });
}
