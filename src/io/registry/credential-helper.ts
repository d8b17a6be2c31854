import { spawn } from "node:child_process";
import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { interruption } from "../disk/errors.ts";
import type { Credential } from "../http/auth.ts";
import { peerText } from "../http/redact.ts";

interface HelperOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

const NOT_FOUND = "credentials not found in native keychain";

/**
 * Asks `docker-credential-NAME get` (docker-credential-helpers, "Development"): the server on standard input, JSON on
 * standard output. No shell, no more than LIMITS.helperMs.
 *
 * @param server Bare `host[:port]`; Docker Hub's is its URL.
 * @returns undefined where the helper knows no credentials.
 * @throws CountersignError `configuration-invalid` for any other failure: no other account is tried in its place.
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw failed("docker-credential-…", `the name ${JSON.stringify(peerText(name))}`);
  const { status, stdout, stderr } = await run(program, server, options);
  const output = stdout.toString("utf8").trim();
  if (status === 0) return parseAnswer(stdout, program);
  if (output.includes(NOT_FOUND) || stderr.includes(NOT_FOUND)) return undefined;
  throw failed(program, `exit status ${status}: ${peerText(stderr || output) || "no message"}`);
}

interface HelperResult {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function run(program: string, input: string, { env, signal }: HelperOptions): Promise<HelperResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { env: { ...env }, stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    const stop = (error: unknown) => {
      child.kill("SIGKILL");
      child.stdout.destroy();
      child.stderr.destroy();
      settle(() => reject(error));
    };
    const timer = setTimeout(
      () => stop(failed(program, `no answer within ${LIMITS.helperMs / 1000} s`)),
      LIMITS.helperMs,
    );
    const abort = () => stop(interruption(signal));
    signal?.addEventListener("abort", abort, { once: true });
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      finish();
    };
    const stdout = collect(child.stdout, () => stop(failed(program, `more than ${LIMITS.credentialBytes} bytes`)));
    const stderr = collect(child.stderr, () => stop(failed(program, `more than ${LIMITS.credentialBytes} bytes`)));
    child.once("error", (cause) => settle(() => reject(failed(program, notStarted(cause)))));
    child.once("close", (status) =>
      settle(() => resolve({ status, stdout: stdout(), stderr: stderr().toString("utf8") })),
    );
    // A helper that exits without reading its input breaks the pipe; its exit status tells the story.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

function collect(stream: NodeJS.ReadableStream, tooMuch: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > LIMITS.credentialBytes) tooMuch();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks);
}

function notStarted(cause: Error): string {
  return "code" in cause && cause.code === "ENOENT" ? "it is not installed, or not in PATH" : cause.message;
}

function parseAnswer(stdout: Buffer, program: string): Credential | undefined {
  const options = { what: `the answer of ${program}`, code: "configuration-invalid" } as const;
  const json = parseJsonObject(stdout, { ...options, maxBytes: LIMITS.credentialBytes });
  const { Username: username, Secret: secret } = json;
  if (typeof username !== "string" || typeof secret !== "string")
    throw failed(program, "an answer without Username and Secret");
  if (secret === "") return undefined;
  // docker-credential-helpers: the user name of an identity token is this word.
  if (username === "<token>") return { kind: "identity-token", token: secret, source: program };
  return { kind: "password", username, password: secret, source: program };
}

function failed(program: string, found: string): CountersignError {
  return new CountersignError("configuration-invalid", `the credential helper ${program} failed`, {
    found,
    wanted: "credentials, or the answer that there are none",
    next: "repair the helper, or remove it from Docker's configuration and log in again",
  });
}
