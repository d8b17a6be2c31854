import type { Binding } from "./binding.ts";
import { binName, binOf, ownerOf } from "./bins.ts";
import type { TargetsRole } from "./metadata.ts";
import { matchesPattern } from "./patterns.ts";
import type { TrustView } from "./ports.ts";
import { roleIn } from "./view.ts";
import { pathOfBinding } from "./write.ts";

/** A binding and the role whose metadata has it. */
export interface FoundBinding {
  readonly path: string;
  /** `targets` or a signer; not the bin. */
  readonly role: string;
  /** The file that it is in: the role's own, or a bin's. */
  readonly file: string;
  readonly binding: Binding;
}

export interface Lookup {
  /** The first of what is at hand: the one that counts, unless one of `unread` comes before it. */
  readonly found: FoundBinding | undefined;
  /** Of later roles, which would count without it. */
  readonly shadowed: readonly FoundBinding[];
  /** Of roles that may not bind this path, or come behind one that ends the search: they count for nothing, and are a hint. */
  readonly outside: readonly FoundBinding[];
  /** Roles and bins that may bind the path and whose metadata is not at hand; signers that never signed are none. */
  readonly unread: readonly string[];
}

type Below = Pick<TrustView, "targets" | "roles" | "snapshot">;

/**
 * Looks a path up as TUF does (1.0.34, 5.6.7): `targets`, then signers in their order as far as their patterns cover it, each
 * with its bin; behind a terminating one that covers it nobody is asked.
 */
export function findBinding(view: Below, path: string): Lookup {
  const { asked, others } = searchOrder(view.targets.body, path);
  const unread: string[] = [];
  const inOrder = asked.flatMap((role) => bindingIn(view, role, path, (name) => unread.push(name)));
  const outside = others.flatMap((role) => bindingIn(view, role, path, () => undefined));
  const [found, ...shadowed] = inOrder;
  return { found, shadowed, outside, unread };
}

/** Who may bind a path, in the order in which they are asked, and the signers who may not. */
export function searchOrder(
  { delegations }: TargetsRole,
  path: string,
): { readonly asked: readonly string[]; readonly others: readonly string[] } {
  const covering = delegations.filter(({ paths }) => paths.some((pattern) => matchesPattern(pattern, path)));
  const last = covering.findIndex(({ terminating }) => terminating);
  const names = (last < 0 ? covering : covering.slice(0, last + 1)).map(({ name }) => name);
  const others = delegations.map(({ name }) => name).filter((name) => !names.includes(name));
  return { asked: ["targets", ...names], others };
}

function bindingIn(view: Below, role: string, path: string, miss: (name: string) => void): readonly FoundBinding[] {
  const own = roleIn(view, role);
  if (own === undefined) {
    // Without a snapshot nobody can say that it never signed.
    if (view.snapshot?.body.roles.has(role) !== false) miss(role);
    return [];
  }
  const binding = bindingAt(own.body, path);
  if (binding !== undefined) return [{ path, role, file: role, binding }];
  const { bins } = own.body;
  return bins === undefined
    ? []
    : bindingInBin(view, role, binName(role, binOf(path, bins.bitLength), bins.bitLength), path, miss);
}

function bindingInBin(
  view: Below,
  role: string,
  file: string,
  path: string,
  miss: (name: string) => void,
): readonly FoundBinding[] {
  const bin = view.roles.get(file);
  if (bin === undefined) miss(file);
  const binding = bin && bindingAt(bin.body, path);
  return binding === undefined ? [] : [{ path, role, file, binding }];
}

/** Everything that is bound, shadowed bindings left out, in the order of the paths: tags before nothing else of their name. */
export function effectiveBindings(view: Below): readonly FoundBinding[] {
  return allPaths(view).flatMap((path) => findBinding(view, path).found ?? []);
}

function allPaths(view: Below): readonly string[] {
  const roles = [view.targets, ...view.roles.values()];
  return [...new Set(roles.flatMap(({ body }) => [...indexOf(body).keys()]))].sort();
}

/** What one file of metadata says of a path. */
export function bindingAt(role: TargetsRole, path: string): Binding | undefined {
  return indexOf(role).get(path);
}

const indexes = new WeakMap<TargetsRole, ReadonlyMap<string, Binding>>();

function indexOf(role: TargetsRole): ReadonlyMap<string, Binding> {
  const known = indexes.get(role);
  if (known !== undefined) return known;
  const index = new Map(role.bindings.map((binding) => [pathOfBinding(binding), binding]));
  indexes.set(role, index);
  return index;
}

/** The files that have to be at hand to look a path up: roles and the bins that the path belongs to. */
export function filesFor(view: Below, path: string): readonly string[] {
  const { asked } = searchOrder(view.targets.body, path);
  return asked.flatMap((role) => {
    const bins = roleIn(view, role)?.body.bins;
    return bins === undefined ? [role] : [role, binName(role, binOf(path, bins.bitLength), bins.bitLength)];
  });
}

/** Whether a role, or the role that a bin belongs to, may bind a path at all. */
export function mayBind(targets: TargetsRole, role: string, path: string): boolean {
  return searchOrder(targets, path).asked.includes(ownerOf(role));
}
