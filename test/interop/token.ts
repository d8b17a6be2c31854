import { existsSync } from "node:fs";
import { without } from "./peers.ts";
import type { Workplace } from "./workplace.ts";

/** SoftHSM 2: a token in files, behind the module that its packages install. */

const MODULES = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
const MODULE = MODULES.find((path) => existsSync(path)) ?? "";

export const USER_PIN = "314159";
const OFFICER_PIN = "27182818";

/** The reason to skip tests with a token; false where everything is there. */
export function withoutToken(): string | false {
  const missing = without("softhsm2-util", "pkcs11-tool", "openssl");
  if (missing !== false) return missing;
  if (MODULE === "") return "not installed: the module of SoftHSM 2";
  try {
    import.meta.resolve("pkcs11js");
    return false;
  } catch {
    return "not installed: pkcs11js";
  }
}

/** A token of a suite's own, with the suite's home. */
export class SoftToken {
  readonly #work: Workplace;

  constructor(work: Workplace) {
    this.#work = work;
  }

  /** What finds the token; no PIN. */
  get environment(): Readonly<Record<string, string>> {
    return { SOFTHSM2_CONF: this.#work.path("softhsm2.conf"), COSIGN_PKCS11_MODULE_PATH: MODULE };
  }

  /** The same, with the right PIN. */
  get opened(): { readonly env: Readonly<Record<string, string>> } {
    return { env: { ...this.environment, COSIGN_PKCS11_PIN: USER_PIN } };
  }

  async create(label: string): Promise<void> {
    const folder = this.#work.makeFolder("tokens");
    this.#work.write(
      "softhsm2.conf",
      `directories.tokendir = ${folder}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    const pins = ["--pin", USER_PIN, "--so-pin", OFFICER_PIN];
    await this.#work.must("softhsm2-util", ["--init-token", "--free", "--label", label, ...pins], this.opened);
  }

  /** Makes a key pair in the token, under a label and an id of two hexadecimal digits. */
  async makeKey(token: string, type: string, label: string, id: string, ...flags: readonly string[]): Promise<void> {
    await this.tool(token, "--keypairgen", "--key-type", type, "--label", label, "--id", id, ...flags);
  }

  async tool(token: string, ...args: readonly string[]): Promise<void> {
    const open = ["--module", MODULE, "--token-label", token, "--login", "--pin", USER_PIN];
    await this.#work.must("pkcs11-tool", [...open, ...args], this.opened);
  }
}
