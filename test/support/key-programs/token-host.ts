/**
 * Stands in for the program that loads a token's module (src/io/keys/pkcs11-host.ts): the module's file is a private key
 * (PEM), the PIN is 1234. HOST_MODE says how it misbehaves, HOST_LOG is a file for what it was asked.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import type { TokenRequest } from "../../../src/io/keys/pkcs11-token.ts";

const mode = process.env["HOST_MODE"] ?? "";
const request = JSON.parse(readFileSync(0, "utf8")) as TokenRequest;
const log = process.env["HOST_LOG"];

function note(event: string): void {
  const entry = { event, request, argv: process.argv, env: process.env };
  if (log !== undefined) appendFileSync(log, `${JSON.stringify(entry)}\n`);
}

const PIN_REFUSED = { failure: { code: "key-password", message: "the token does not accept the PIN", next: "wait" } };
const REPLIES: Readonly<Record<string, string>> = {
  garbage: "not JSON",
  list: "[]",
  empty: "{}",
  number: '{"publicKey":5}',
  "no-key": '{"publicKey":"AAAA"}',
  failure: '{"failure":{"code":"key-unavailable","message":"the token failed","found":"CKR_DEVICE_ERROR"}}',
  "unknown-failure": '{"failure":{"code":"made-up","message":5}}',
  "wants-pin": '{"wantsPin":true}',
};

function answer(): string {
  const scripted = REPLIES[mode];
  if (scripted !== undefined) return scripted;
  const mayUse = request.half === "public" && mode !== "hides";
  if (!mayUse && request.pin === undefined) return '{"wantsPin":true}';
  const isRefused = request.pin !== "1234" || (mode === "changed" && request.data !== undefined);
  if (!mayUse && isRefused) return JSON.stringify(PIN_REFUSED);
  return JSON.stringify({ publicKey: publicKey(), signature: signature() });
}

function publicKey(): string {
  const key = createPublicKey(createPrivateKey(readFileSync(request.module)));
  return key.export({ type: "spki", format: "der" }).toString("base64");
}

function signature(): string | undefined {
  if (request.data === undefined) return undefined;
  const key =
    mode === "other-key"
      ? generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey
      : createPrivateKey(readFileSync(request.module));
  const data = Buffer.from(request.data, "base64");
  return sign(mode === "weaker-hash" ? "sha1" : "sha256", data, key).toString("base64");
}

note("start");
if (mode === "crashes") process.kill(process.pid, "SIGSEGV");
if (mode === "exits") process.exit(1);
if (mode === "prints") process.stdout.write("{}\nmodule loaded\u001b[2J\n");
const hangs = mode === "hangs";
if (!hangs) writeFileSync(3, answer());
setTimeout(() => note("end"), hangs ? 1_000_000 : 20);
