/// <reference path="./pkcs11js.d.ts" />
import { realpathSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { askToken, type TokenAnswer, type TokenRequest } from "./pkcs11-token.ts";

/**
 * The program that loads a token's module. A module is native code of its maker: it may hang, crash, or print on standard
 * output. So it has a process of its own for one question, which can be killed. The question is JSON on standard input,
 * the answer is JSON on descriptor 3.
 */

/** This file: what Node is started with to run it. */
export const HOST = fileURLToPath(import.meta.url);

export type HostAnswer = TokenAnswer | { readonly failure: Finding };

if (isProgram()) await serve();

/** Node names a module by the file behind links; what it was started with may be a link. */
function isProgram(): boolean {
  try {
    return process.argv[1] !== undefined && realpathSync(process.argv[1]) === HOST;
  } catch {
    return false;
  }
}

async function serve(): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const answer = await answerTo(JSON.parse(Buffer.concat(chunks).toString("utf8")) as TokenRequest);
  writeFileSync(3, JSON.stringify(answer));
  // A module's threads may keep the process running.
  process.exit();
}

async function answerTo(request: TokenRequest): Promise<HostAnswer> {
  try {
    const { PKCS11 } = await loadPackage();
    const cryptoki = new PKCS11();
    loadModule(() => cryptoki.load(request.module), request.module);
    return askToken(cryptoki, request, (line) => void process.stderr.write(`${line}\n`));
  } catch (thrown) {
    return { failure: toFinding(thrown) };
  }
}

async function loadPackage(): Promise<typeof import("pkcs11js")> {
  try {
    return await import("pkcs11js");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    throw new CountersignError("key-invalid", "pkcs11: keys take the package pkcs11js, which is not ready", {
      found: isMissing ? "it is not installed" : "it is installed and was not built for this machine",
      wanted: "pkcs11js 2",
      next: "see docs/kms-and-hsm.md: npm install pkcs11js where countersign is installed; it is compiled there",
      cause,
    });
  }
}

function loadModule(load: () => void, path: string): void {
  try {
    load();
  } catch (cause) {
    throw new CountersignError("key-invalid", "the PKCS #11 module cannot be loaded", {
      found: `${path}: ${cause instanceof Error ? cause.message : "an unknown failure"}`,
      wanted: "the library that the token's maker supplies for this machine",
      cause,
    });
  }
}
