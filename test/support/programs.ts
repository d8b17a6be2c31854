import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Programs that hold keys, made by tests to behave and to misbehave. */

const KMS = fileURLToPath(new URL("key-programs/kms.ts", import.meta.url));

/** A program of this name in the folder: lines of a shell. */
export async function installScript(folder: string, name: string, ...lines: readonly string[]): Promise<string> {
  return await installProgram(folder, name, `#!/bin/sh\n${lines.join("\n")}\n`);
}

/** The same, whatever its content. */
export async function installProgram(folder: string, name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  await chmod(path, 0o755);
  return path;
}

/** `sigstore-kms-NAME`: the plug-in for tests (key-programs/kms.ts), whose keys are the paths of PEM files. */
export async function installKms(folder: string, name: string): Promise<string> {
  return await installScript(folder, `sigstore-kms-${name}`, `exec "${process.execPath}" "${KMS}" "$@"`);
}

/** A private key as that plug-in reads it. */
export async function writePrivateKey(path: string, key: KeyObject): Promise<string> {
  await writeFile(path, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  return path;
}

export function newKey(algorithm: string): KeyObject {
  if (algorithm === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (algorithm === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const namedCurve = { "ecdsa-p256": "prime256v1", "ecdsa-p384": "secp384r1", "ecdsa-p521": "secp521r1" }[algorithm];
  return generateKeyPairSync("ec", { namedCurve: namedCurve ?? algorithm }).privateKey;
}

/** Waits until a file holds something, and returns it. */
export async function waitForFile(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (text.endsWith("\n")) return text.trim();
    await sleep(10);
  }
}

/** Waits until no process has this number any more. A zombie that its parent has not yet collected counts as gone. */
export async function waitForEnd(pid: number): Promise<void> {
  while (await isRunning(pid)) await sleep(10);
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return !/\) Z /.test(status);
}
