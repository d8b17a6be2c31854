import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin, transform } from "esbuild";

/** What is built from `src`: the command as scripts, the library as ES modules. Both hold the packages that they use. */

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const TARGET = "node22";

/**
 * The command: `cli.cjs`, and beside it in `lib` the packages that few commands use. Sixty modules that import each other
 * take Node 20 ms longer to load than one script does, and V8's code for a script can be kept with the functions that ran.
 */
export async function bundleCommand(folder: string): Promise<readonly Metafile[]> {
  const apart = new PackagesApart();
  const command = await bundleScript(folder, {
    entryPoints: { cli: "src/cli/main.ts" },
    banner: { js: `${SCRIPT}${FUNCTION_MODULES}` },
    plugins: [onlyVersion, undiciOnDemand, modulesOnDemand, tokenHostApart, apart.plugin, modulesAsFunctions],
  });
  const packages = apart.files().map(([name, contents]) =>
    bundleScript(join(folder, "lib"), {
      entryPoints: { [name]: name },
      plugins: [modulesOnDemand, leftOut, entryPoint(name, contents)],
    }),
  );
  return [command, ...(await Promise.all(packages)), await bundleTokenHost(folder)];
}

const SCRIPT = "(function (module, require, __dirname) {";

/**
 * A script is an expression: a function of `module`, `require` and `__dirname` as CommonJS has them, where `require` knows
 * Node's modules and, as `./lib/NAME.cjs`, the other scripts. Its first line names its content.
 */
async function bundleScript(folder: string, options: Omit<BuildOptions, "metafile" | "write">): Promise<Metafile> {
  const { outputFiles, metafile } = await build({
    ...common(folder),
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    banner: { js: SCRIPT },
    footer: { js: "})" },
    // A script cannot import: what is loaded on demand is required then.
    supported: { "dynamic-import": false },
    ...options,
    write: false,
  });
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `//${createHash("sha256").update(text).digest("hex")}\n${text}`);
  }
  return metafile;
}

/** The program that loads a token's module, in a process of its own. */
async function bundleTokenHost(folder: string): Promise<Metafile> {
  const entryPoints = { "pkcs11-host": "src/io/keys/pkcs11-host.ts" };
  return (await build({ ...common(folder), ...modules(), entryPoints })).metafile;
}

/** The library: chunks are split along dynamic imports, so that what a program does not use is not even read. */
export async function bundleLibrary(folder: string): Promise<Metafile> {
  const entryPoints = { index: "src/index.ts" };
  return (await build({ ...common(folder), ...modules(), entryPoints, splitting: true })).metafile;
}

function common(outdir: string) {
  return {
    absWorkingDir: ROOT,
    outdir,
    bundle: true,
    platform: "node",
    target: TARGET,
    // Short, and its stack traces still name the functions.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    external: ["pkcs11js"],
    // undici's own switch for builds without its second, experimental parser.
    define: { esbuildDetection: "true" },
    metafile: true,
    logLevel: "warning",
  } as const satisfies BuildOptions;
}

function modules() {
  return {
    format: "esm",
    chunkNames: "chunks/[name]-[hash]",
    // undici and commander are CommonJS: what they require at run time needs a `require`, which an ES module has not.
    banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
    plugins: [onlyVersion, undiciOnDemand, modulesOnDemand],
  } as const satisfies BuildOptions;
}

// --- modules of our own -----------------------------------------------------------------------------------------------------

/**
 * What is bundled as ES modules shares one scope: all functions of 870 modules are made when the script starts, whoever calls
 * them, which takes as long as a request near by. So each module of ours is a CommonJS one, a function that runs when it is
 * imported first; not the entry point, whose exports are the script's.
 */
const modulesAsFunctions: Plugin = {
  name: "modules-as-functions",
  setup({ onResolve, onLoad }) {
    const namespace = "function";
    onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir, kind }) => {
      // Named from the root: the name is in the bundle.
      const name = relative(ROOT, resolve(resolveDir, path));
      const isOurs = name.startsWith("src/") && !name.endsWith("pkcs11-host.ts") && kind !== "entry-point";
      return isOurs ? { path: name, namespace } : undefined;
    });
    onLoad({ filter: /^/, namespace }, async ({ path: name }) => {
      const path = join(ROOT, name);
      const { code } = await transform(readFileSync(path, "utf8"), {
        ...{ loader: "ts", format: "cjs", target: "esnext" },
        supported: { "dynamic-import": false, "inline-script": false },
      });
      return { contents: withoutHelpers(code), resolveDir: dirname(path) };
    });
  },
};

/** Once for all modules, what esbuild would put before each: exports that are read when they are used, and namespaces. */
const FUNCTION_MODULES = `
const $export = (exports, getters) => {
  Object.defineProperty(exports, "__esModule", { value: true });
  for (const name in getters) Object.defineProperty(exports, name, { get: getters[name], enumerable: true });
};
const $namespace = (exports) => exports.__esModule ? exports : Object.create(exports, { default: { value: exports } });
`;

function withoutHelpers(code: string): string {
  const [helpers = "", module] = code.split(/^var stdin_exports = \{\};\n/m);
  const own = (module ?? helpers)
    .replace("__export(stdin_exports, ", () => "$export(exports, ")
    .replace("module.exports = __toCommonJS(stdin_exports);\n", "")
    .replaceAll("__toESM(", () => "$namespace(");
  if (/\b(?:__\w+|stdin_exports)\(/.test(own)) throw new Error(`a helper of esbuild that is not known here: ${own}`);
  return own;
}

// --- plugins ----------------------------------------------------------------------------------------------------------------

/** Of package.json only the version goes into the bundle. */
const onlyVersion: Plugin = {
  name: "only-version",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]package\.json$/, namespace: "file" }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/**
 * Node's own modules that take long to load and that most commands never use, or use only when a registry has been asked and
 * there is time: to load `tls` is to read 140 certificates, `crypto` takes as long as a request near by. What imports one of
 * them gets properties that load it when one is read.
 */
const ON_DEMAND = ["child_process", "crypto", "http", "http2", "tls", "zlib"];

const modulesOnDemand: Plugin = {
  name: "modules-on-demand",
  setup({ onResolve, onLoad }) {
    const namespace = "on-demand";
    onResolve({ filter: new RegExp(`^(?:node:)?(?:${ON_DEMAND.join("|")})$`) }, ({ path, namespace: importer }) => {
      const name = path.replace("node:", "");
      return importer === namespace ? { path: `node:${name}`, external: true } : { path: name, namespace };
    });
    onLoad({ filter: /^/, namespace }, ({ path }) => {
      const names = Object.keys(require(`node:${path}`)).map((name) => JSON.stringify(name));
      const getters = names.map((name) => `get ${name}() { return load()[${name}]; }`);
      return { contents: `const load = () => require("node:${path}");\nmodule.exports = { ${getters.join(", ")} };` };
    });
  },
};

/** undici loads HTTP/2 with its client, and with it TLS, and `http` for the size of headers, which is always said to it. */
const undiciOnDemand: Plugin = {
  name: "undici-on-demand",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/client-h2\.js$/, namespace: "file" }, ({ path, resolveDir }) => ({
      path,
      namespace: "undici-h2",
      pluginData: resolveDir,
    }));
    onLoad({ filter: /^/, namespace: "undici-h2" }, ({ path, pluginData }) => ({
      contents: `module.exports = (...connection) => require("${path}")(...connection);`,
      resolveDir: pluginData,
    }));
    onResolve({ filter: /^node:http$/ }, ({ importer }) =>
      /[\\/]undici[\\/]/.test(importer) ? { path: "http", namespace: "undici-http" } : undefined,
    );
    onLoad({ filter: /^/, namespace: "undici-http" }, () => ({
      contents: `module.exports = { maxHeaderSize: ${require("node:http").maxHeaderSize} };`,
    }));
  },
};

/**
 * What BullMQ and its packages try to load and do without: native code, and clients of servers that we have none of. To them
 * it is not installed.
 */
const leftOut: Plugin = {
  name: "left-out",
  setup({ onResolve, onLoad }) {
    const namespace = "left-out";
    onResolve({ filter: /^(?:msgpackr-extract|@valkey\/valkey-glide|pg)$/ }, ({ path }) => ({ path, namespace }));
    onLoad({ filter: /^/, namespace }, ({ path }) => ({
      contents: `throw new Error("${path} is not in the bundle");`,
    }));
  },
};

/** What loads a token's module is a program beside the script; the standalone executable has none. */
const tokenHostApart: Plugin = {
  name: "token-host-apart",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]pkcs11-host\.ts$/ }, () => ({
      contents: `
        import { join } from "node:path";
        import { CountersignError } from "../../core/errors.ts";
        if (__dirname === undefined) {
          throw new CountersignError("unsupported", "the standalone executable loads no PKCS #11 modules", {
            wanted: "countersign as npm installs it",
          });
        }
        export const HOST = join(__dirname, "pkcs11-host.js");`,
      resolveDir: join(ROOT, "src/io/keys"),
    }));
  },
};

/** A script for each: the packages of one share classes, which they tell apart by identity. */
const APART: Readonly<Record<string, RegExp>> = {
  sigstore: /^@sigstore\//,
  tuf: /^tuf-js(?:\/|$)/,
  curves: /^@noble\/curves(?:\/|$)/,
  re2js: /^re2js(?:\/|$)/,
  yaml: /^yaml(?:\/|$)/,
  cel: /^@marcbachmann\/cel-js(?:\/|$)/,
  queue: /^(?:bullmq|ioredis)(?:\/|$)/,
};

/** Moves the packages of APART out of a script, each behind a `require` of its own script. */
class PackagesApart {
  /** What `src` imports of each group. */
  readonly #imported = new Map<string, Set<string>>();

  get plugin(): Plugin {
    return {
      name: "packages-apart",
      setup: ({ onResolve, onLoad }) => {
        for (const [name, filter] of Object.entries(APART)) {
          onResolve({ filter }, ({ path }) => {
            this.#imported.set(name, (this.#imported.get(name) ?? new Set()).add(path));
            return { path, namespace: "apart", pluginData: name };
          });
        }
        onResolve({ filter: /^\.\/lib\//, namespace: "apart" }, ({ path }) => ({ path, external: true }));
        onLoad({ filter: /^/, namespace: "apart" }, ({ path, pluginData }) => ({
          contents: `module.exports = require("./lib/${pluginData}.cjs")["${path}"];`,
        }));
      },
    };
  }

  /** The name and the source of the scripts that are required. */
  files(): readonly (readonly [string, string])[] {
    return [...this.#imported].map(([name, paths]) => {
      const getters = [...paths].sort().map((path) => `get "${path}"() { return require("${path}"); }`);
      return [name, `module.exports = { ${getters.join(", ")} };`];
    });
  }
}

/** A source that is in no file. */
function entryPoint(name: string, contents: string): Plugin {
  return {
    name: "entry-point",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${name}$`) }, ({ path, kind }) =>
        kind === "entry-point" ? { path, namespace: "entry-point" } : undefined,
      );
      onLoad({ filter: /^/, namespace: "entry-point" }, () => ({ contents, resolveDir: ROOT }));
    },
  };
}
