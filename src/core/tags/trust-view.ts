import { CountersignError, type Finding, toFinding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { digestOf } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Instant } from "../time.ts";
import { binNames } from "./bins.ts";
import { isListed, parseFileName } from "./files.ts";
import type { HeadFiles } from "./head.ts";
import { checkCeiling, checkExpiry } from "./lifetimes.ts";
import type {
  Bins,
  ListedFile,
  Role,
  RoleKeys,
  RootRole,
  SignedRole,
  SnapshotRole,
  TargetsRole,
  TimestampRole,
  TufKey,
} from "./metadata.ts";
import type { RootPin } from "./pin.ts";
import { checkPlace } from "./place.ts";
import type { TrustView } from "./ports.ts";
import { type RoleKind, type RoleOfKind, readRole } from "./read.ts";
import { requireThreshold, verifyFirstRoot, verifyNextRoot } from "./verify-role.ts";

export interface ReadTrustOptions {
  readonly now: Instant;
  /** Has to be among the roots. Without: the first root vouches for itself, which is for who made it or shows it. */
  readonly pin?: Pick<RootPin, "root" | "rootVersion"> | undefined;
  /** Where the files are from; handed on. */
  readonly head: Manifest;
  readonly history: readonly Digest[];
  /** Every bin has to be there: an audit. Else those are read that are. */
  readonly isComplete?: boolean | undefined;
}

/** Why consumers refuse a part of the metadata that its publisher can mend. */
export interface TrustFinding extends Finding {
  readonly role: string;
}

export interface TrustReading extends TrustView {
  readonly findings: readonly TrustFinding[];
}

/**
 * Verifies the files of a head from the first root on, as publishers and audits need it: what a publisher can make anew (expired
 * metadata, a snapshot by keys that do not count any more, a signer's role that is damaged) is a finding and no end. Consumers
 * refuse on each of these; they verify with tuf-js.
 *
 * @throws CountersignError where roots or `targets` do not hold: `root-chain-broken`, `root-version-gap`, `pin-mismatch`,
 * `root-of-another`, `signature-threshold`, `mix-and-match`, `metadata-malformed` and what `readRole` throws.
 */
export function readTrust(files: HeadFiles, gun: string, options: ReadTrustOptions): TrustReading {
  const reader = new TrustReader(files, gun, options);
  return reader.read();
}

/** @throws CountersignError `root-of-another` unless the root is for this repository, under its name or an alias. */
export function checkGun({ body }: SignedRole<RootRole>, gun: string): void {
  const names = [body.profile.gun, ...body.profile.aliases];
  if (names.includes(gun)) return;
  throw new CountersignError("root-of-another", "the root is for another repository", {
    found: names.join(", "),
    wanted: gun,
  });
}

interface Versioned {
  readonly version: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

type Signed<Body extends Role> = SignedRole<Body>;
/** Of a bin with the number of them. */
type DelegatedKeys = RoleKeys & Partial<Pick<Bins, "bitLength">>;

class TrustReader {
  readonly #byRole = new Map<string, Versioned[]>();
  readonly #gun: string;
  readonly #options: ReadTrustOptions;
  readonly #findings: TrustFinding[] = [];
  readonly #roles = new Map<string, Signed<TargetsRole>>();

  constructor(files: HeadFiles, gun: string, options: ReadTrustOptions) {
    this.#gun = gun;
    this.#options = options;
    for (const [name, bytes] of files) this.#file(name, bytes);
    for (const versions of this.#byRole.values()) versions.sort((a, b) => a.version - b.version);
  }

  #file(name: string, bytes: Uint8Array): void {
    const { role, version = 0 } = parseFileName(name) ?? {};
    if (role === undefined) throw new CountersignError("metadata-malformed", "no name of metadata", { found: name });
    const versions = this.#byRole.get(role) ?? [];
    this.#byRole.set(role, versions);
    versions.push({ version, name, bytes });
  }

  read(): TrustReading {
    const roots = this.#roots();
    const root = roots.at(-1) ?? this.#missing("root");
    checkGun(root, this.#gun);
    this.#check("root", () => checkExpiry(root.body, this.#options.now, "the root"));
    const timestamp = this.#online("timestamp", root.body);
    const snapshot = this.#online("snapshot", root.body);
    this.#pair(timestamp, snapshot);
    const targets = this.#targets(root.body, snapshot?.body);
    this.#signers(root.body, targets.body, snapshot?.body);
    const { head, history } = this.#options;
    const findings = this.#findings;
    return {
      gun: root.body.profile.gun,
      roots,
      targets,
      roles: this.#roles,
      snapshot,
      timestamp,
      head,
      history,
      findings,
    };
  }

  #roots(): readonly Signed<RootRole>[] {
    const { now, pin } = this.#options;
    const roots: Signed<RootRole>[] = [];
    for (const file of this.#byRole.get("root") ?? []) {
      const root = this.#parse("root", file, now);
      const before = roots.at(-1);
      if (before === undefined) verifyFirstRoot(root);
      else verifyNextRoot(before, root);
      roots.push(root);
    }
    if (pin !== undefined) checkPinned(roots, pin);
    return roots;
  }

  #parse<Kind extends RoleKind>(kind: Kind, file: Versioned, now: Instant): Signed<RoleOfKind<Kind>> {
    const role = readRole(file.bytes, kind, file.name, now);
    if (kind !== "timestamp" && role.body.version !== file.version) {
      throw new CountersignError("mix-and-match", `${file.name} is of another version than it is called`, {
        found: String(role.body.version),
        wanted: String(file.version),
      });
    }
    return role;
  }

  /** The snapshot or the timestamp where the keys that count now signed it; else it has to be made anew. */
  #online<Kind extends "snapshot" | "timestamp">(kind: Kind, root: RootRole): Signed<RoleOfKind<Kind>> | undefined {
    return this.#attempt(kind, () => {
      const file = this.#byRole.get(kind)?.at(-1) ?? this.#missing(kind);
      const role = this.#parse(kind, file, this.#options.now);
      requireThreshold(role, root.keys, root.roles[kind], file.name);
      this.#checkTimes(kind, role.body, root);
      return role;
    });
  }

  #pair(timestamp: Signed<TimestampRole> | undefined, snapshot: Signed<SnapshotRole> | undefined): void {
    if (timestamp === undefined || snapshot === undefined) return;
    this.#check("snapshot", () => checkListed(snapshot, timestamp.body.snapshot, "the snapshot"));
  }

  #targets(root: RootRole, snapshot: SnapshotRole | undefined): Signed<TargetsRole> {
    const targets = this.#delegated("targets", root.keys, root.roles.targets, snapshot);
    this.#checkTimes("targets", targets.body, root);
    return targets;
  }

  #signers(root: RootRole, targets: TargetsRole, snapshot: SnapshotRole | undefined): void {
    this.#bins("targets", targets, root, snapshot);
    for (const delegation of targets.delegations) {
      const role = this.#role(delegation.name, targets.keys, delegation, root, snapshot);
      if (role !== undefined) this.#bins(delegation.name, role.body, root, snapshot);
    }
  }

  #bins(owner: string, { bins, keys }: TargetsRole, root: RootRole, snapshot: SnapshotRole | undefined): void {
    if (bins === undefined) return;
    for (const name of binNames(owner, bins.bitLength)) {
      if (!this.#byRole.has(name) && this.#options.isComplete !== true) continue;
      this.#role(name, keys, bins, root, snapshot);
    }
  }

  /** A signer that was added and has signed nothing yet has no file, and no snapshot lists one. */
  #role(
    name: string,
    keys: ReadonlyMap<string, TufKey>,
    roleKeys: DelegatedKeys,
    root: RootRole,
    snapshot: SnapshotRole | undefined,
  ): Signed<TargetsRole> | undefined {
    if (!this.#byRole.has(name) && snapshot?.roles.has(name) !== true) return undefined;
    return this.#attempt(name, () => {
      const role = this.#delegated(name, keys, roleKeys, snapshot);
      this.#roles.set(name, role);
      this.#checkTimes(name, role.body, root);
      return role;
    });
  }

  /** `targets` or a role below it: by the snapshot's word where there is one, else the newest. */
  #delegated(
    name: string,
    keys: ReadonlyMap<string, TufKey>,
    roleKeys: DelegatedKeys,
    snapshot: SnapshotRole | undefined,
  ): Signed<TargetsRole> {
    const listed = snapshot?.roles.get(name);
    const versions = this.#byRole.get(name) ?? [];
    const file = versions.find(({ version }) => version === listed?.version) ?? versions.at(-1) ?? this.#missing(name);
    const role = this.#parse("targets", file, this.#options.now);
    if (snapshot !== undefined) checkListed(role, listed, file.name);
    requireThreshold(role, keys, roleKeys, file.name);
    checkPlace(name, role.body, roleKeys.bitLength);
    return role;
  }

  #checkTimes(name: string, body: Role, root: RootRole): void {
    const what = `the metadata of ${name}`;
    this.#check(name, () => checkCeiling(body, root.profile.ceilings, this.#options.now, what));
    this.#check(name, () => checkExpiry(body, this.#options.now, what));
  }

  #check(role: string, check: () => void): void {
    this.#attempt(role, check);
  }

  #attempt<Result>(role: string, run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      this.#findings.push({ role, ...toFinding(error) });
      return undefined;
    }
  }

  #missing(role: string): never {
    throw new CountersignError("mix-and-match", `the head lacks a file of ${role}`, {
      found: [...this.#byRole.keys()].join(", ") || "no files",
      wanted: role,
    });
  }
}

function checkPinned(roots: readonly Signed<RootRole>[], pin: Pick<RootPin, "root" | "rootVersion">): void {
  const digests = roots.map(({ bytes }) => digestOf(bytes));
  if (digests.includes(pin.root)) return;
  const sameVersion = digests[roots.findIndex(({ body }) => body.version === pin.rootVersion)];
  throw new CountersignError("pin-mismatch", "the pinned root is not among those that are served", {
    found: `root ${pin.rootVersion}: ${sameVersion ?? "none"}`,
    wanted: pin.root,
  });
}

/** @throws CountersignError `mix-and-match`, or `forked` for two files of one version. */
function checkListed({ body, bytes }: SignedRole, listed: ListedFile | undefined, what: string): void {
  if (listed !== undefined && body.version === listed.version && isListed(bytes, listed)) return;
  const isFork = body.version === listed?.version;
  throw new CountersignError(
    isFork ? "forked" : "mix-and-match",
    isFork ? `${what} differs from the listed file of its version` : `${what} is not of the listed version`,
    {
      found: `version ${body.version}`,
      wanted: listed === undefined ? "not listed" : `version ${listed.version}, sha256 ${listed.sha256}`,
    },
  );
}
