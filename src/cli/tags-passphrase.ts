import { CountersignError } from "../core/errors.ts";
import { type AskPassword, type PasswordSources, passwordAsker } from "../io/keys/passphrase.ts";

/**
 * The passphrases of role keys. Those of one publisher may differ: the root's is on paper in a safe while a pipeline knows the
 * online key's. So each role has a variable of its own.
 */

const COMMON = "COUNTERSIGN_KEY_PASSPHRASE";

/** `root` is COUNTERSIGN_KEY_PASSPHRASE_ROOT, the signer `ci-release` COUNTERSIGN_KEY_PASSPHRASE_CI_RELEASE. */
export function passphraseVariable(role: string): string {
  return `${COMMON}_${role.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}

/**
 * Who asks for the passphrase of a role's key: its own variable, then the common one, then the terminal, without echo, then all
 * of standard input, which is read once for all roles. An empty variable counts as none: that is what a pipeline makes of a
 * secret that it may not see.
 *
 * @throws (from the returned function) CountersignError `key-password` or `interrupted`.
 */
export function rolePassphrases(sources: PasswordSources): (role: string) => AskPassword {
  const askPerson = passwordAsker({ ...sources, env: {} });
  const isTerminal = sources.stdin.isTTY === true;
  return (role) => async (request) => {
    const kept = fromEnvironment(sources.env, role);
    if (kept !== undefined) return Buffer.from(kept);
    const given = await askPerson({ ...request, isNew: request.isNew && isTerminal });
    // A new key gets what was meant, not the line break of `echo`; an old one is tried with both.
    const passphrase = request.isNew && !isTerminal ? withoutLineBreak(given) : given;
    if (passphrase.byteLength > 0 || (isTerminal && !request.isNew)) return passphrase;
    throw noPassphrase(role, request.what, isTerminal);
  };
}

/** The environment for keys that are not ours, such as a file made by cosign: the role's passphrase opens them as well. */
export function environmentOfRole(
  env: PasswordSources["env"],
  role: string,
): Readonly<Record<string, string | undefined>> {
  const kept = fromEnvironment(env, role);
  return kept === undefined ? env : { ...env, COSIGN_PASSWORD: kept };
}

/** undefined: no variable names one. */
export function fromEnvironment(env: PasswordSources["env"], role: string): string | undefined {
  return [passphraseVariable(role), COMMON].map((name) => env[name]).find((value) => (value ?? "") !== "");
}

function withoutLineBreak(text: Uint8Array): Uint8Array {
  if (text.at(-1) !== 0x0a) return text;
  return text.slice(0, text.at(-2) === 0x0d ? -2 : -1);
}

function noPassphrase(role: string, what: string, isTerminal: boolean): CountersignError {
  return new CountersignError("key-password", `no passphrase was given for ${what}`, {
    found: isTerminal ? "an empty one" : "no terminal, and nothing on standard input",
    wanted: `it in ${passphraseVariable(role)} or ${COMMON}`,
    next: "set the variable, run the command at a terminal, or hand the passphrase over on standard input",
  });
}
