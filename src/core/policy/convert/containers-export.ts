import { encodeBase64, encodeUtf8 } from "../../bytes.ts";
import { type PublicKey, publicKeyPem } from "../../crypto/public-key.ts";
import { type Place, placeName } from "../document.ts";
import { type ImageGlob, isExact } from "../image-pattern.ts";
import { asksMore, plainKeys } from "./atoms.ts";
import type { Atom, Clause } from "./clauses.ts";
import { type Exported, type ExportSource, Losses } from "./conversion.ts";
import { askedBeside, isFolder, type PlainRule, plainRules, textOf } from "./plain-rules.ts";
import { formatDocument } from "./written.ts";

/**
 * `policy.json` and a file for `registries.d`, as podman, skopeo, buildah and CRI-O read them (containers-policy.json(5),
 * containers-registries.d(5)).
 */
export function exportContainers(source: ExportSource): Exported {
  const losses = new Losses();
  const scopes = new ScopeTable(source, losses).scopes();
  const docker = Object.fromEntries(scopes.map(({ scope, requirements }) => [scope, requirements]));
  const policy = { default: REJECT, ...(scopes.length > 0 && { transports: { docker } }) };
  const signed = scopes.filter(({ requirements }) => requirements.some(({ type }) => type === "sigstoreSigned"));
  return {
    files: [
      { name: "policy.json", content: `${JSON.stringify(policy, undefined, 2)}\n` },
      { name: "registries.d/countersign.yaml", content: attachments(signed.map(({ scope }) => scope)) },
    ],
    losses: losses.all,
    notes: JSON.stringify(docker).includes('"keyDatas"') ? [...NOTES, SEVERAL_KEYS] : NOTES,
  };
}

const SEVERAL_KEYS =
  "A requirement with several keys (keyDatas) is unknown to older versions, such as Debian 12's: they refuse the whole file, and with it every image.";
const NOTES = [
  "podman, skopeo, buildah and CRI-O read signatures in the form cosign-legacy alone: sign with --format cosign-legacy beside the bundle, and indexes with -r.",
  "The file in registries.d has to be in force too, else no signature is looked for and everything is refused.",
  "Debian's builds of podman and skopeo check no sigstore signatures: they refuse everything but what is let through unsigned.",
  "Images that come from no registry (archives, layouts, a Docker daemon) are rejected.",
];

type Requirement =
  | { readonly type: "reject" | "insecureAcceptAnything" }
  | {
      readonly type: "sigstoreSigned";
      readonly keyData?: string;
      readonly keyDatas?: readonly string[];
      readonly signedIdentity: SignedIdentity;
    };

type SignedIdentity =
  | { readonly type: "matchRepository" }
  | { readonly type: "exactRepository"; readonly dockerRepository: string };

const REJECT: readonly Requirement[] = [{ type: "reject" }];
const ACCEPT: readonly Requirement[] = [{ type: "insecureAcceptAnything" }];

interface Scope {
  readonly scope: string;
  readonly requirements: readonly Requirement[];
}

/** A pattern of a rule, and the scope that it becomes. */
interface Entry {
  readonly glob: ImageGlob;
  readonly rule: PlainRule;
  readonly place: Place;
}

/** Their scopes: the most specific one decides, as of our patterns, but a repository's is also that of all below it. */
class ScopeTable {
  readonly #source: ExportSource;
  readonly #losses: Losses;
  readonly #rules: readonly PlainRule[];

  constructor(source: ExportSource, losses: Losses) {
    this.#source = source;
    this.#losses = losses;
    this.#rules = plainRules(source, losses);
  }

  scopes(): readonly Scope[] {
    const entries = new Map<string, Entry[]>();
    for (const rule of this.#rules) {
      for (const [at, glob] of rule.globs.entries()) {
        const place = rule.rule.images[at]?.place ?? rule.rule.place;
        const scope = scopeOf(glob);
        if (!isWritten(glob)) this.#losses.add(placeName(place), textOf(glob), scope === undefined ? NO_SCOPE : DIGEST);
        if (scope === undefined) continue;
        entries.set(scope, [...(entries.get(scope) ?? []), { glob, rule, place }]);
      }
    }
    return [...entries].map(([scope, found]) => ({ scope, requirements: this.#requirements(scope, found) }));
  }

  #requirements(scope: string, entries: readonly Entry[]): readonly Requirement[] {
    const isWhole = coversWhole(entries);
    const asking = entries.filter(({ rule }) => !this.#letsAllThrough(rule));
    const beside = entries.flatMap(({ glob, rule }) => askedBeside(glob, rule, this.#rules, isWritten));
    const clauses = [...new Set(asking.map(({ rule }) => rule))].flatMap((rule) => this.#clausesOf(rule));
    if (asking.length > 0 || beside.length > 0) return this.#signed([...clauses, ...beside], scope, isWhole, entries);
    if (isWhole) return ACCEPT;
    for (const { place } of entries) this.#losses.add(placeName(place), scope, OPEN_BELOW);
    return REJECT;
  }

  /** Written by hand to let everything through; a rule that only waits to be enforced is enforced here. */
  #letsAllThrough({ isOpen, rule }: PlainRule): boolean {
    return isOpen && rule.require.kind === "never";
  }

  #clausesOf({ rule, isOpen, clauses }: PlainRule): readonly Clause[] {
    if (isOpen)
      this.#losses.add(placeName(rule.place), "mode: warn", "the target knows no warnings; the rule is enforced");
    if (rule.signedAs.length > 0) this.#losses.add(placeName(rule.place), "signedAs", SIGNED_AS);
    return clauses;
  }

  #signed(
    clauses: readonly Clause[],
    scope: string,
    isWhole: boolean,
    entries: readonly Entry[],
  ): readonly Requirement[] {
    const keys = clauses.map((clause) => this.#keysOf(clause));
    if (keys.some((some) => some.length === 0)) return REJECT;
    const [only] = entries;
    const isRepository = !isWhole && only !== undefined && isExact(only.glob) && scope === only.glob.name;
    if (!isWhole)
      for (const { place } of entries) this.#losses.add(placeName(place), scope, below(isRepository), "dropped");
    const names = namesFor(isRepository ? scope : undefined);
    return unique(keys.flatMap((some) => names.map((signedIdentity) => signedBy(some, signedIdentity))));
  }

  #keysOf(clause: Clause): readonly PublicKey[] {
    const keys = clause.flatMap((atom) => this.#keysOfAtom(atom));
    return [...new Map(keys.map((key) => [key.fingerprint, key])).values()];
  }

  #keysOfAtom(atom: Atom): readonly PublicKey[] {
    const { by, evidence } = atom;
    if (evidence.kind === "attestation") return this.#lost(evidence.place, "an attestation", "the target reads none");
    if (asksMore(atom, ["nameBinding"], this.#losses)) return [];
    if (by.kind === "keys") return plainKeys(by, this.#source, this.#losses);
    return this.#lost(by.place, by.name, KEYLESS);
  }

  #lost(place: Place, what: string, why: string): readonly PublicKey[] {
    this.#losses.add(placeName(place), what, why);
    return [];
  }
}

const NO_SCOPE =
  "scopes have no wildcards but the beginning of a host's name; what only this pattern is for is refused";
const DIGEST =
  "a scope with a digest is not looked at where the image is named by a tag; what is asked of it is asked of the whole repository";
const OPEN_BELOW =
  "a scope is for a repository and for all below it; what lets everything through is written only where the rule names both, with and without a slash at the end";
const SIGNED_AS =
  "what cosign and countersign sign names no tag, and the target replaces names only together with tags";
const KEYLESS =
  "the target does not check that a certificate was logged, nor patterns, nor what else it says of a workflow";

function below(isRepository: boolean): string {
  return isRepository
    ? "a scope is also for repositories below this one: those are accepted where the same keys signed the digest both by that name and by this one"
    : "a scope is also for the repository that is called as the folder, or for other ports: there too its own name has to be signed";
}

/** Whether its scope is looked at for all that it is about: a digest is known to them only where it is in the name. */
function isWritten(glob: ImageGlob): boolean {
  return scopeOf(glob) !== undefined && glob.digest === undefined;
}

/** undefined for what cannot be one. */
function scopeOf(glob: ImageGlob): string | undefined {
  const { name, prefix, tag, digest } = glob;
  if (isExact(glob)) return textOf(glob);
  if (isFolder(glob)) return prefix.slice(0, -1);
  if ((tag ?? digest) !== undefined) return undefined;
  return name === "**/**" ? "" : WILD_HOST.exec(name)?.[1];
}

/** `*.example.com/` is any host below it, on any port: what they call `*.example.com`. */
const WILD_HOST = /^(\*(?:\.[a-z0-9-]+)+)(?::\*)?\/\*\*$/;

/** Whether the scope is for nothing that no pattern of these is for. */
function coversWhole(entries: readonly Entry[]): boolean {
  const names = new Set(entries.map(({ glob }) => glob.name));
  return entries.every(({ glob }) => {
    const { name } = glob;
    if (glob.tag !== undefined || glob.digest !== undefined || name === "**/**") return true;
    if (name.startsWith("*"))
      return [...names].some((one) => one.includes(":*/")) && [...names].some((one) => !one.includes(":*/"));
    // No repository is called as a host, nor as a folder of Docker Hub's.
    const isFolderAlone = !isExact(glob) && /^(?:docker\.io\/)?[^/]+\/$/.test(glob.prefix);
    return isFolderAlone || names.has(isExact(glob) ? `${name}/**` : glob.prefix.slice(0, -1));
  });
}

/** Both together: what is signed as this repository, and as the one that it is in. */
function namesFor(repository: string | undefined): readonly SignedIdentity[] {
  const own = { type: "matchRepository" } as const;
  return repository === undefined ? [own] : [{ type: "exactRepository", dockerRepository: repository }, own];
}

function signedBy(keys: readonly PublicKey[], signedIdentity: SignedIdentity): Requirement {
  const data = keys.map((key) => encodeBase64(encodeUtf8(publicKeyPem(key))));
  const [only] = data;
  // Older versions know one key a requirement and no more.
  const named = only !== undefined && data.length === 1 ? { keyData: only } : { keyDatas: data };
  return { type: "sigstoreSigned", ...named, signedIdentity };
}

function unique(requirements: readonly Requirement[]): readonly Requirement[] {
  return [...new Map(requirements.map((one) => [JSON.stringify(one), one])).values()];
}

function attachments(scopes: readonly string[]): string {
  const enabled = { "use-sigstore-attachments": true };
  const names = new Set(scopes.filter((scope) => scope !== "").map(withoutVersion));
  const docker = Object.fromEntries([...names].map((name) => [name, enabled]));
  return formatDocument({
    ...(scopes.includes("") && { "default-docker": enabled }),
    ...(names.size > 0 && { docker }),
  });
}

function withoutVersion(scope: string): string {
  return scope.includes("/") ? scope.replace(/@.*$/, "").replace(/:[^/:]*$/, "") : scope;
}
