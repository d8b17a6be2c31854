import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { Binding, Revocation } from "./binding.ts";
import { binName, binNames, binOf, binPrefix } from "./bins.ts";
import type { RoleKeys, SignedRole, TargetsRole, TufKey } from "./metadata.ts";
import { pathOfBinding, targetsPart } from "./write.ts";

/** The entries of one file, by path. */
type Page = ReadonlyMap<string, Binding>;

/** What the new files of a role are made with. */
export interface RoleMaking {
  readonly version: (file: string) => number;
  readonly expires: Instant;
  /** Of the role itself: its bins are signed by the same. */
  readonly signers: RoleKeys;
  readonly keys: ReadonlyMap<string, TufKey>;
}

/**
 * All that one role binds, flat or in bins, as far as it was read; every change makes a new book. What is not at hand is never
 * taken for empty: who edits reads `filesFor` first.
 */
export class RoleBook {
  readonly name: string;
  /** undefined: flat, all in one file. */
  readonly bitLength: number | undefined;
  readonly #pages: ReadonlyMap<string, Page>;
  readonly #changed: ReadonlySet<string>;
  /** The role as it was read: what it delegates to stays. */
  readonly #role: TargetsRole | undefined;

  private constructor(
    name: string,
    role: TargetsRole | undefined,
    bitLength: number | undefined,
    pages: ReadonlyMap<string, Page>,
    changed: ReadonlySet<string>,
  ) {
    this.name = name;
    this.bitLength = bitLength;
    this.#role = role;
    this.#pages = pages;
    this.#changed = changed;
  }

  /** The book of a role; an empty one where it has no metadata yet. `roles` may hold others beside its bins. */
  static open(
    name: string,
    role: SignedRole<TargetsRole> | undefined,
    roles: ReadonlyMap<string, SignedRole<TargetsRole>> = new Map(),
  ): RoleBook {
    const bits = role?.body.bins?.bitLength;
    const files = bits === undefined ? [] : binNames(name, bits);
    const bins = files.flatMap((file): [string, Page][] => {
      const bin = roles.get(file);
      return bin === undefined ? [] : [[file, pageOf(bin.body.bindings)]];
    });
    const pages = new Map([[name, pageOf(role?.body.bindings ?? [])], ...bins]);
    return new RoleBook(name, role?.body, bits, pages, new Set(role === undefined ? [name] : []));
  }

  /** The file that a path belongs into. */
  fileOf(path: string): string {
    const { bitLength } = this;
    return bitLength === undefined ? this.name : binName(this.name, binOf(path, bitLength), bitLength);
  }

  /** Every file of the role, whether it was read or not. */
  get files(): readonly string[] {
    return this.bitLength === undefined ? [this.name] : [this.name, ...binNames(this.name, this.bitLength)];
  }

  /** Whether all of it was read: to take a digest back under every tag, or to make more bins, it has to be. */
  get isComplete(): boolean {
    return this.files.every((file) => this.#pages.has(file));
  }

  /** What was changed since it was opened. */
  get changedFiles(): readonly string[] {
    return this.files.filter((file) => this.#changed.has(file));
  }

  bindingOf(path: string): Binding | undefined {
    return this.#page(this.fileOf(path)).get(path);
  }

  /** All that was read. */
  get bindings(): readonly Binding[] {
    return [...this.#pages.values()].flatMap((page) => [...page.values()]);
  }

  /** Puts bindings in place of what was there for their paths. */
  withBindings(bindings: readonly Binding[]): RoleBook {
    return this.#edited(bindings.map((binding) => [pathOfBinding(binding), binding]));
  }

  /** `undefined` takes the entry of its path out. What changes nothing leaves its file as it is. */
  #edited(entries: readonly (readonly [path: string, binding: Binding | undefined])[]): RoleBook {
    const pages = new Map(this.#pages);
    const changed = new Set(this.#changed);
    for (const [file, own] of Map.groupBy(entries, ([path]) => this.fileOf(path))) {
      const page = new Map(this.#page(file));
      const isChange = own.map(([path, binding]) => (binding ? page.set(path, binding) : page.delete(path)));
      if (!isChange.some(Boolean)) continue;
      pages.set(file, page);
      changed.add(file);
    }
    return new RoleBook(this.name, this.#role, this.bitLength, pages, changed);
  }

  /**
   * Binds tags to a digest and lists the digest as released. What a tag meant before is noted (`supersedes`).
   *
   * @throws CountersignError `revoked` where the digest was taken back: it is not released again by accident.
   */
  withTags(tags: readonly string[], release: Omit<Binding, "tag">): RoleBook {
    const listed: Binding = { ...release, tag: undefined };
    const before = this.bindingOf(pathOfBinding(listed));
    if (before?.revoked !== undefined) {
      throw new CountersignError("revoked", "this digest was taken back", {
        found: before.revoked.reason,
        next: "sign another digest; --reinstate signs this one again, where that is what you want",
      });
    }
    const bound = tags.map((tag): Binding => {
      const { digest, supersedes } = this.bindingOf(pathOfBinding({ tag, digest: release.digest })) ?? {};
      return { ...release, tag, supersedes: digest === release.digest ? supersedes : (digest ?? release.supersedes) };
    });
    return this.withBindings([...bound, listed]);
  }

  /** Takes a tag back; its digest stays released. undefined where the role does not bind it. */
  withRevokedTag(tag: string, revoked: Revocation): RoleBook | undefined {
    const path = pathOfBinding({ tag, digest: "" as Digest });
    const binding = this.bindingOf(path);
    return binding && this.withBindings([{ ...binding, revoked }]);
  }

  /** Takes a digest back, under every tag that is bound to it as well. undefined where the role does not know it. */
  withRevokedDigest(digest: Digest, revoked: Revocation): RoleBook | undefined {
    this.#requireComplete();
    const affected = this.bindings.filter((binding) => binding.digest === digest);
    const [first] = affected;
    if (first === undefined) return undefined;
    const listed: Binding = { ...first, tag: undefined, supersedes: undefined };
    return this.withBindings([listed, ...affected].map((binding) => ({ ...binding, revoked })));
  }

  /** Without entries: those that nobody needs any more, or that moved to another role. */
  without(paths: readonly string[]): RoleBook {
    return this.#edited(paths.map((path) => [path, undefined]));
  }

  /** Whether a file has become longer than clients read: then all of the role is needed, and `rebinned`. */
  get needsBins(): boolean {
    const pages = this.changedFiles.map((file) => this.#page(file));
    return pages.some((page) => page.size > LIMITS.tufFiles || bytesOf(page) > LIMITS.tagRoleBytes);
  }

  /**
   * The same in as many bins as suit: the next power of two from a hundredth of the entries on, and never fewer than there are,
   * since every change of their number writes all of them.
   *
   * @throws CountersignError `limit-reached` for more than fits into the most bins there may be.
   */
  rebinned(): RoleBook {
    this.#requireComplete();
    const { bindings, name } = this;
    const least = Math.max(this.bitLength ?? 1, bitsFor(bindings));
    for (let bits = least; bits <= LIMITS.tagBinBits; bits++) {
      const book = this.#inBins(bits);
      if (!book.needsBins) return book;
    }
    throw new CountersignError("limit-reached", `${name} binds more than its files can hold`, {
      found: `${bindings.length} entries`,
      wanted: `at most ${LIMITS.tufFiles} in each of ${2 ** LIMITS.tagBinBits} bins`,
      next: "take out what is released no longer: countersign trust gc; or share the tags among several signers",
    });
  }

  #inBins(bits: number): RoleBook {
    if ((this.#role?.delegations.length ?? 0) > 0) {
      throw new CountersignError("limit-reached", `${this.name} binds more than it can beside its signers`, {
        next: "let the signers bind the tags: countersign trust sign",
      });
    }
    const files = binNames(this.name, bits);
    const pages = new Map(files.map((file) => [file, new Map<string, Binding>()]));
    for (const binding of this.bindings) {
      const path = pathOfBinding(binding);
      pages.get(binName(this.name, binOf(path, bits), bits))?.set(path, binding);
    }
    const all = new Map<string, Page>([[this.name, new Map()], ...pages]);
    return new RoleBook(this.name, this.#role, bits, all, new Set(all.keys()));
  }

  /** The metadata of every file that was changed, to be sealed by the role's own signers. */
  roles(making: RoleMaking): ReadonlyMap<string, TargetsRole> {
    return new Map(this.changedFiles.map((file) => [file, this.#roleOf(file, making)]));
  }

  #roleOf(file: string, { version, expires, signers, keys }: RoleMaking): TargetsRole {
    const bindings = [...this.#page(file).values()];
    const common = { kind: "targets", version: version(file), expires, bindings } as const;
    if (file !== this.name) {
      return { ...common, keys: new Map(), delegations: [], bins: undefined, binBits: this.bitLength };
    }
    if (this.bitLength === undefined) {
      const { keys: below = new Map(), delegations = [] } = this.#role ?? {};
      return { ...common, keys: below, delegations, bins: undefined };
    }
    const own = signers.keyids.flatMap((id): [string, TufKey][] => {
      const key = keys.get(id);
      return key === undefined ? [] : [[id, key]];
    });
    const { keyids, threshold } = signers;
    const bins = { keyids, threshold, prefix: binPrefix(this.name), bitLength: this.bitLength };
    return { ...common, keys: new Map(own), delegations: [], bins };
  }

  #page(file: string): Page {
    return this.#pages.get(file) ?? notRead(file);
  }

  #requireComplete(): void {
    const missing = this.files.find((file) => !this.#pages.has(file));
    if (missing !== undefined) notRead(missing);
  }
}

function notRead(file: string): never {
  throw new CountersignError("internal", `${file} was edited without being read`);
}

function pageOf(bindings: readonly Binding[]): Page {
  return new Map(bindings.map((binding) => [pathOfBinding(binding), binding]));
}

function bytesOf(page: Page): number {
  const role = {
    kind: "targets",
    version: 1,
    expires: 0 as Instant,
    keys: new Map(),
    delegations: [],
    bins: undefined,
  } as const;
  return encodeUtf8(JSON.stringify(targetsPart({ ...role, bindings: [...page.values()] }))).byteLength;
}

function bitsFor(bindings: readonly Binding[]): number {
  const bins = Math.max(2, Math.ceil(bindings.length / LIMITS.tagBinEntries));
  return Math.ceil(Math.log2(bins));
}
