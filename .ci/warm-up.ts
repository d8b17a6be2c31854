import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { main as mainOfSource } from "../src/cli/main.ts";
import { startRegistry } from "../src/testbed/registry.ts";
import { pushImage } from "../test/support/session-image.ts";
import { SessionServices } from "../test/support/session-services.ts";

/**
 * V8's code for the scripts of the command, functions that ran included, for the standalone executable. Only a process that
 * has run them can make it, so this is a program: `node warm-up.ts BUILD OUT COMMAND` runs one command on the embedded
 * registry and writes a file for each script that it took. The functions of another command would take time to load.
 */

const SIGNER = "dev@example.com";
const IDENTITY = `--certificate-identity ${SIGNER} --certificate-oidc-issuer $ISSUER --trusted-root $FOLDER/trusted_root.json`;
const SERVICES = "--trusted-root $FOLDER/trusted_root.json --identity-token $TOKEN";

/** What is worth a fast start. `$NAME` is a file or an image that was made before. */
export const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  verify: [
    "verify --key $KEY.pub $IMAGE",
    "verify --key $KEY.pub -o json $IMAGE",
    `verify ${IDENTITY} $KEYLESS:1 $KEYLESS:2`,
  ],
  sign: [
    "sign --key $KEY.key -y -a one=1 $IMAGE",
    "sign --key $KEY.key -y --format cosign-legacy $IMAGE",
    `sign ${SERVICES} --signing-config $FOLDER/signing_config.json $KEYLESS:3`,
  ],
  inspect: ["inspect $IMAGE"],
  pull: ["pull --key $KEY.pub --to oci:$FOLDER/pulled $IMAGE"],
  copy: ["copy --key $KEY.pub $IMAGE oci:$FOLDER/copied"],
  push: ["push --key $KEY.key -y oci:$FOLDER/layout $REGISTRY/acme/app:2"],
};

/** As in bin/countersign.js: code is taken only under the flags it was made under. */
const MOVES_IMAGES = ["pull", "copy", "push"];

const PREPARATION = [
  "key generate --output-key-prefix $KEY",
  "sign --key $KEY.key -y $IMAGE",
  "copy --key $KEY.pub $IMAGE oci:$FOLDER/layout",
  // One in each generation of logs.
  `sign ${SERVICES} --signing-config $FOLDER/signing_config.json $KEYLESS:1`,
  `sign ${SERVICES} --signing-config $FOLDER/rekor1_config.json $KEYLESS:2`,
];

/** The scripts that a command took, with what V8 has of them. */
class Scripts {
  readonly #build: string;
  readonly #loaded = new Map<string, { readonly script: Script; readonly module: { exports: unknown } }>();

  constructor(build: string) {
    this.#build = build;
  }

  load(name: string): unknown {
    const known = this.#loaded.get(name);
    if (known !== undefined) return known.module.exports;
    const script = new Script(readFileSync(join(this.#build, name), "latin1"), { filename: name });
    const module = { exports: {} };
    this.#loaded.set(name, { script, module });
    const require = (id: string) => (id.startsWith("./") ? this.load(id) : process.getBuiltinModule(id));
    script.runInThisContext()(module, require, this.#build);
    return module.exports;
  }

  write(folder: string, command: string): void {
    for (const [name, { script }] of this.#loaded) {
      writeFileSync(join(folder, `${command}-${basename(name)}.v8`), script.createCachedData());
    }
  }
}

async function call(main: () => Promise<void>, argv: readonly string[]): Promise<void> {
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...argv);
  await main();
  if (process.exitCode) throw new Error(`countersign ${argv.join(" ")}: exit ${process.exitCode}`);
}

async function warmUp(scripts: Scripts, command: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-warm-up-"));
  const registry = await startRegistry();
  const services = new SessionServices();
  const { OIDC: issuer } = await services.start(folder);
  const [image, keyless] = [`${registry.address}/acme/app:1`, `${registry.address}/acme/keyless`];
  const names: Readonly<Record<string, string>> = {
    FOLDER: folder,
    KEY: join(folder, "key"),
    REGISTRY: registry.address,
    IMAGE: image,
    KEYLESS: keyless,
    ISSUER: `http://${issuer}`,
    TOKEN: services.token(SIGNER, ""),
  };
  const words = (line: string): readonly string[] =>
    line.split(" ").map((word) => word.replace(/\$([A-Z]+)/, (_, name) => names[name] ?? ""));
  try {
    Object.assign(process.env, { HOME: folder, XDG_CACHE_HOME: join(folder, "cache"), COSIGN_PASSWORD: "" });
    await pushImage(image, "warm up\n");
    for (const tag of [1, 2, 3]) await pushImage(`${keyless}:${tag}`, `warm up ${tag}\n`);
    for (const line of PREPARATION) await call(mainOfSource, words(line));
    const { main } = scripts.load("./cli.cjs") as { readonly main: () => Promise<void> };
    for (const line of COMMANDS[command] ?? []) await call(main, words(line));
  } finally {
    await services.close();
    await registry.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const [build = "", out = "", command = ""] = process.argv.slice(2);
  if (MOVES_IMAGES.includes(command)) setFlagsFromString("--semi-space-growth-factor=1");
  const scripts = new Scripts(build);
  await warmUp(scripts, command);
  scripts.write(out, command);
}
