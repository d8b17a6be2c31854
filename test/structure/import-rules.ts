import { posix } from "node:path";

/** One import of one file. `to` is a path like `src/core/json.ts`, `node:fs`, or the name of a package. */
export interface ImportEdge {
  readonly from: string;
  readonly to: string;
  /** Loaded when it is needed, not at start. */
  readonly dynamic: boolean;
}

/** A folder (or file) of `src` and what its files may import; the first room that matches a file is its own. */
interface Room {
  readonly path: string;
  /** Rooms of `src`, itself included only where it is listed. */
  readonly rooms: readonly string[];
  /** `node:` modules; "any" where the room talks to the machine. */
  readonly builtins: readonly string[] | "any";
  readonly packages?: readonly string[];
}

const CORE_BASE = ["bytes.ts", "errors.ts", "json.ts", "limits.ts", "printable.ts", "reasons.ts", "time.ts"].map(
  (file) => `src/core/${file}`,
);
const OCI = [...CORE_BASE, "src/core/oci/"];
const CRYPTO = [...OCI, "src/core/crypto/"];
const FORMATS = [...CRYPTO, "src/core/formats/"];
const TRUST = [...FORMATS, "src/core/trust/"];
const POLICY = [...TRUST, "src/core/policy/", "src/core/yaml"];
const TAGS = [...CRYPTO, "src/core/ports.ts", "src/core/tags/"];
const VERIFY = [...POLICY, "src/core/tags/", "src/core/verify/"];
const SOURCES = [...OCI, "src/core/sources/"];
const AUDIT = [...VERIFY, "src/core/explain.ts", "src/core/sources/", "src/core/audit/"];
const SHARED_IO = ["src/core/", "src/io/http/", "src/io/disk/"];
const RUNS_PROGRAMS = [...SHARED_IO, "src/io/process/"];
const HASHES = ["node:crypto"];

/** Imports point inwards (docs/design.md, "Rooms"). Room by room, what a file may name; all else is refused. */
export const ROOMS: readonly Room[] = [
  { path: "src/core/oci/", rooms: OCI, builtins: HASHES },
  { path: "src/core/crypto/", rooms: CRYPTO, builtins: HASHES, packages: ["@noble/curves"] },
  { path: "src/core/formats/", rooms: [...FORMATS, "src/core/tags/names.ts"], builtins: HASHES },
  {
    path: "src/core/trust/",
    rooms: TRUST,
    builtins: HASHES,
    packages: ["@sigstore/verify", "@sigstore/core", "@noble/curves", "re2js"],
  },
  { path: "src/core/policy/", rooms: POLICY, builtins: HASHES, packages: ["@marcbachmann/cel-js", "re2js"] },
  { path: "src/core/compat/", rooms: [...TRUST, "src/core/compat/"], builtins: HASHES },
  { path: "src/core/tags/", rooms: TAGS, builtins: HASHES, packages: ["@tufjs/canonical-json"] },
  { path: "src/core/dct/", rooms: [...TAGS, "src/core/dct/"], builtins: HASHES },
  { path: "src/core/verify/", rooms: VERIFY, builtins: HASHES },
  { path: "src/core/review/", rooms: [...VERIFY, "src/core/review/"], builtins: [] },
  { path: "src/core/cases/", rooms: [...VERIFY, "src/core/cases/"], builtins: [] },
  { path: "src/core/sources/", rooms: SOURCES, builtins: [], packages: ["yaml"] },
  { path: "src/core/pins/", rooms: [...AUDIT, "src/core/pins/"], builtins: HASHES },
  { path: "src/core/audit/", rooms: AUDIT, builtins: HASHES },
  { path: "src/core/yaml", rooms: [...CORE_BASE, "src/core/yaml"], builtins: [], packages: ["yaml"] },
  { path: "src/core/ports.ts", rooms: VERIFY, builtins: [] },
  { path: "src/core/explain.ts", rooms: VERIFY, builtins: [] },
  { path: "src/core/results.ts", rooms: VERIFY, builtins: [] },
  { path: "src/core/", rooms: CORE_BASE, builtins: HASHES },
  { path: "src/io/disk/", rooms: ["src/core/", "src/io/disk/"], builtins: "any" },
  { path: "src/io/process/", rooms: ["src/core/", "src/io/disk/"], builtins: "any" },
  { path: "src/io/http/", rooms: SHARED_IO, builtins: "any", packages: ["undici"] },
  { path: "src/io/registry/", rooms: [...RUNS_PROGRAMS, "src/io/registry/"], builtins: "any" },
  { path: "src/io/layout/", rooms: [...SHARED_IO, "src/io/layout/"], builtins: "any", packages: ["tar-stream"] },
  {
    path: "src/io/sigstore/",
    rooms: [...SHARED_IO, "src/io/sigstore/"],
    builtins: "any",
    packages: ["@sigstore/core"],
  },
  { path: "src/io/identity/", rooms: [...SHARED_IO, "src/io/identity/"], builtins: "any" },
  { path: "src/io/tuf/", rooms: [...SHARED_IO, "src/io/tuf/"], builtins: "any", packages: ["tuf-js", "@tufjs/models"] },
  {
    path: "src/io/tags/",
    rooms: [...SHARED_IO, "src/io/tuf/", "src/io/keys/", "src/io/tags/"],
    builtins: "any",
  },
  { path: "src/io/notary/", rooms: [...SHARED_IO, "src/io/keys/", "src/io/notary/"], builtins: "any" },
  { path: "src/io/github/", rooms: [...SHARED_IO, "src/io/github/"], builtins: "any" },
  { path: "src/io/config/", rooms: [...SHARED_IO, "src/io/config/"], builtins: "any", packages: ["yaml"] },
  {
    path: "src/io/keys/",
    rooms: [...RUNS_PROGRAMS, "src/io/keys/"],
    builtins: "any",
    packages: ["@noble/ciphers", "pkcs11js"],
  },
  { path: "src/io/sources/", rooms: [...SHARED_IO, "src/io/sources/"], builtins: "any" },
  { path: "src/io/kubernetes/", rooms: [...RUNS_PROGRAMS, "src/io/kubernetes/"], builtins: "any" },
  { path: "src/io/store/", rooms: [...SHARED_IO, "src/io/store/"], builtins: "any" },
  { path: "src/io/queue/", rooms: [...SHARED_IO, "src/io/queue/"], builtins: "any", packages: ["bullmq", "ioredis"] },
  { path: "src/io/scanners/", rooms: [...RUNS_PROGRAMS, "src/io/scanners/"], builtins: "any" },
  { path: "src/io/engine/", rooms: [...RUNS_PROGRAMS, "src/io/engine/"], builtins: "any", packages: ["tar-stream"] },
  { path: "src/ops/", rooms: ["src/core/", "src/ops/"], builtins: HASHES },
  { path: "src/report/", rooms: ["src/core/", "src/report/"], builtins: [] },
  { path: "src/testbed/", rooms: ["src/core/", "src/io/disk/", "src/testbed/"], builtins: "any" },
  {
    path: "src/cli/",
    rooms: ["src/", "package.json", "docs/schemas/policy.json"],
    builtins: "any",
    packages: ["commander"],
  },
  { path: "src/version.ts", rooms: ["package.json"], builtins: [] },
  {
    path: "src/wire.ts",
    rooms: ["src/core/", "src/io/", "src/ops/", "src/report/", "src/version.ts"],
    builtins: "any",
  },
  {
    path: "src/index.ts",
    rooms: ["src/core/", "src/io/", "src/ops/", "src/report/", "src/wire.ts", "src/version.ts"],
    builtins: [],
  },
];

/** Why this import may not be, or undefined where it may. */
export function refusalOf({ from, to }: ImportEdge): string | undefined {
  const room = ROOMS.find(({ path }) => from.startsWith(path));
  if (room === undefined) return `${from} is in no room: add it to the table of rooms`;
  if (to.startsWith("node:")) {
    return room.builtins === "any" || room.builtins.includes(to) ? undefined : `${from} may not import ${to}`;
  }
  const isOurs = /^(?:src|docs)\//.test(to) || to === "package.json";
  const allowed = isOurs ? room.rooms.some((path) => to.startsWith(path)) : (room.packages ?? []).includes(to);
  return allowed ? undefined : `${from} may not import ${to}`;
}

const STATIC = /^(?:import|export)\s(?:[^"'`;()]*?\sfrom\s+)?"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"/g;
const UNREADABLE = /\bimport\((?!\s*")|\bcreateRequire\b|\bgetBuiltinModule\b|\brequire\(/;

/**
 * The imports in a file's text, type-only ones included. @throws Error for an import that cannot be read from the text.
 */
export function importsOf(from: string, text: string): readonly ImportEdge[] {
  const unreadable = UNREADABLE.exec(withoutComments(text));
  if (unreadable !== null) throw new Error(`${from} imports something computed: ${unreadable[0]}`);
  const edge = (dynamic: boolean) => (match: RegExpExecArray) => ({ from, to: target(from, match[1] ?? ""), dynamic });
  return [...[...text.matchAll(STATIC)].map(edge(false)), ...[...text.matchAll(DYNAMIC)].map(edge(true))];
}

/** The text without its comments. Good enough for formatted sources: a `//` behind a colon is a URL's. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(?<!:)\/\/.*$/gm, "");
}

/** What a specifier means in a file: a path from the root, a `node:` module, or a package's name. */
export function target(from: string, specifier: string): string {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
  if (specifier.startsWith("node:")) return specifier;
  const [scope = "", name] = specifier.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/** What pure code may not reach for: the clock, the process, timers, chance, the network. */
const IMPURE = [
  /\bDate\.now\b/,
  /\bnew Date\(\s*\)/,
  /\bDate\(\s*\)/,
  /\bperformance\./,
  /\bprocess\b(?!["'\w])/,
  /\bset(?:Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bMath\.random\b/,
  /\brandom(?:Bytes|UUID|Int|FillSync)\b/,
  /\bfetch\(/,
  /\bconsole\./,
];

/** The impure things that a text of `core` names, as written there. */
export function impurities(text: string): readonly string[] {
  const code = withoutComments(text).replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
  return IMPURE.flatMap((pattern) => pattern.exec(code)?.[0] ?? []);
}
