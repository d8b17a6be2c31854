import { CountersignError } from "../core/errors.ts";
import type { Signer } from "../core/ports.ts";
import { KeyRing, ringFolder } from "../io/tags/key-ring.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { environmentOfRole, passphraseVariable, rolePassphrases } from "./tags-passphrase.ts";

/** The role keys of this user, and those that the command line names. */
export function openRing(context: Context, output: Output, ask = rolePassphrases(context)): KeyRing {
  const { env, homeDirectory } = context;
  const passphrases = { of: ask, environmentOf: (role: string) => environmentOfRole(env, role) };
  return new HelpfulRing(ringFolder(env, homeDirectory), { ...context, warn: output.warn }, passphrases);
}

/** Of several variables that may hold a passphrase, the person who gave a wrong one is told which was meant. */
class HelpfulRing extends KeyRing {
  override async signer(keyId: string): Promise<Signer | undefined> {
    try {
      return await super.signer(keyId);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code !== "key-password") throw thrown;
      const name = (await this.find(keyId))?.name;
      if (name === undefined) throw thrown;
      const { message, found, wanted } = thrown;
      throw new CountersignError("key-password", `${name}: ${message}`, {
        found,
        wanted,
        next: `give it in ${passphraseVariable(name)} or COUNTERSIGN_KEY_PASSPHRASE, at the prompt or on standard input`,
        cause: thrown,
      });
    }
  }
}
