import { CountersignError } from "../../core/errors.ts";
import { sameJson } from "../../core/json.ts";
import type { RoleKeys, RootRole, SignedRole, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import type { RoleKeyring, TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { shortKeyId, validSignatures } from "../../core/tags/verify-role.ts";
import { newestRoot } from "../../core/tags/view.ts";
import { type RoleSigner, sealed, signedPart } from "../../core/tags/write.ts";
import { signersOf } from "./signers-here.ts";
import { authorityOfFile } from "./summaries.ts";

/** A root, or a file of `targets`, of a signer or of a bin: what people sign, and online keys do not. */
export type PeoplesRole = SignedRole<RootRole> | SignedRole<TargetsRole>;

/** New metadata that counts together or not at all, with the signatures that it has so far. */
export interface Proposal {
  /** What it is about, and the tag that it waits under: `root`, `targets` or a signer. */
  readonly role: string;
  /** By role: the root and `targets`, or a signer and its bins, or more. */
  readonly files: ReadonlyMap<string, PeoplesRole>;
}

/** Signatures that a file needs: by whom, and how many. A root needs those of the root before it too. */
export interface Need {
  readonly file: string;
  readonly roleKeys: RoleKeys;
  /** Ids of those that signed. */
  readonly signedBy: readonly string[];
}

/** Metadata that nobody has signed yet. */
export async function propose(role: string, bodies: ReadonlyMap<string, RootRole | TargetsRole>): Promise<Proposal> {
  const files = new Map<string, PeoplesRole>();
  for (const [file, body] of bodies) files.set(file, readPeoples(await sealed(signedPart(body), []), body.kind));
  return { role, files };
}

function readPeoples(bytes: Uint8Array, kind: "root" | "targets"): PeoplesRole {
  return kind === "root" ? readRole(bytes, kind, "the new root") : readRole(bytes, kind, "the new metadata");
}

/** What the repository would be with it: for who signs what, and for what is different. */
export function viewWith(view: TrustView, { files }: Proposal): TrustView {
  let { roots, targets } = view;
  const roles = new Map(view.roles);
  for (const [name, file] of files) {
    if (isRoot(file)) roots = [...roots, file];
    else if (name === "targets") targets = file;
    else roles.set(name, file);
  }
  return { ...view, roots, targets, roles };
}

export function isRoot(file: PeoplesRole): file is SignedRole<RootRole> {
  return file.body.kind === "root";
}

/** Every set of keys that has to sign, file by file, and who of them has. */
export function needsOf(view: TrustView, proposal: Proposal): readonly Need[] {
  const after = viewWith(view, proposal);
  const before = newestRoot(view).body;
  const old = { roleKeys: before.roles.root, keys: before.keys };
  return [...proposal.files].flatMap(([file, role]) => {
    const own = authorityOfFile(after, file);
    const authorities = [...(file === "root" ? [old] : []), ...(own === undefined ? [] : [own])];
    return authorities.map(({ keys, roleKeys }) => ({
      file,
      roleKeys,
      signedBy: validSignatures(role, keys, roleKeys),
    }));
  });
}

export function isMet({ signedBy, roleKeys }: Need): boolean {
  return signedBy.length >= roleKeys.threshold;
}

/** The keys that the repository knows now, whatever they sign. */
function knownKeys({ roots, targets }: TrustView): ReadonlyMap<string, TufKey> {
  return new Map([...newestRoot({ roots }).body.keys, ...targets.body.keys]);
}

/** Whether somebody has signed whom the repository knows: a change that anybody else proposes is not looked at. */
export function isSponsored(view: TrustView, role: PeoplesRole): boolean {
  const keys = knownKeys(view);
  return validSignatures(role, keys, { keyids: [...keys.keys()] }).length > 0;
}

/**
 * With a signature by every key that is in the ring and counts; where none counts, by one that the repository knows, which
 * proposes the change to those who do.
 *
 * @throws CountersignError `role-key-missing` where there is no such key, and what the ring throws.
 */
export async function signProposal(view: TrustView, proposal: Proposal, ring: RoleKeyring): Promise<Proposal> {
  const needs = needsOf(view, proposal);
  return await eachFile(proposal, async (file, role) => {
    const wanted = needs.filter((need) => need.file === file);
    const valid = new Set(wanted.flatMap(({ signedBy }) => signedBy));
    const counting = await signersOf(ring, { keyids: [...new Set(wanted.flatMap(openIn))] });
    const known = knownKeys(view);
    const isKnown = isSponsored(view, role) || counting.some(({ keyId }) => known.has(keyId));
    // Anybody can make a root that names keys of his own: the keys of that root alone propose nothing.
    const isProposed = isKnown || (file !== "root" && (valid.size > 0 || counting.length > 0));
    const signers = isProposed ? counting : [...counting, await sponsor(view, ring, file)];
    return signers.length === 0 ? role : await resealed(role, signers, role.signatures);
  });
}

/** Ids of those who may sign and have not. */
export function openIn({ roleKeys, signedBy }: Need): readonly string[] {
  return roleKeys.keyids.filter((id) => !signedBy.includes(id));
}

async function sponsor(view: TrustView, ring: RoleKeyring, file: string): Promise<RoleSigner> {
  const known = [...knownKeys(view).keys()];
  for (const keyId of known) {
    const signer = await ring.signer(keyId);
    if (signer !== undefined) return { keyId, signer };
  }
  throw new CountersignError("role-key-missing", `none of the repository's keys is here to sign ${file}`, {
    wanted: `one of ${known.map(shortKeyId).join(", ")}`,
  });
}

/** The signed part stays the very one that was signed, members that are not known included. */
async function resealed(
  role: PeoplesRole,
  signers: readonly RoleSigner[],
  kept: SignedRole["signatures"],
): Promise<PeoplesRole> {
  return readPeoples(await sealed(role.signed, signers, kept), role.body.kind);
}

/** With the signatures of another copy over what is the same in both. */
export async function withSignaturesOf(proposal: Proposal, other: Proposal): Promise<Proposal> {
  return await eachFile(proposal, async (name, role) => {
    const same = other.files.get(name);
    if (same === undefined || !sameJson(same.signed, role.signed)) return role;
    const ids = new Set(role.signatures.map(({ keyid }) => keyid));
    return await resealed(role, [], [...role.signatures, ...same.signatures.filter(({ keyid }) => !ids.has(keyid))]);
  });
}

/** Without the signatures that count for nothing: what is published holds those that were needed. */
export async function withoutSponsors(view: TrustView, proposal: Proposal): Promise<Proposal> {
  const needs = needsOf(view, proposal);
  return await eachFile(proposal, async (file, role) => {
    const valid = new Set(needs.flatMap((need) => (need.file === file ? need.signedBy : [])));
    const kept = role.signatures.filter(({ keyid }) => valid.has(keyid));
    return kept.length === role.signatures.length ? role : await resealed(role, [], kept);
  });
}

async function eachFile(
  proposal: Proposal,
  make: (name: string, role: PeoplesRole) => Promise<PeoplesRole>,
): Promise<Proposal> {
  const files = new Map<string, PeoplesRole>();
  for (const [name, role] of proposal.files) files.set(name, await make(name, role));
  return { ...proposal, files };
}
