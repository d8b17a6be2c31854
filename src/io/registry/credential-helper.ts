import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Credential } from "../http/auth.ts";
import { peerText } from "../http/redact.ts";
import { findProgram } from "../process/find.ts";
import { Collected, runProgram } from "../process/run.ts";

export interface HelperOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

const NOT_FOUND = "credentials not found in native keychain";

/**
 * Asks `docker-credential-NAME get` (docker-credential-helpers, "Development"): the server on standard input, JSON on
 * standard output. No shell, no more than LIMITS.helperMs; one that hangs is killed with what it started.
 *
 * @param server Bare `host[:port]`; Docker Hub's is its URL.
 * @returns undefined where the helper knows no credentials.
 * @throws CountersignError `configuration-invalid` for any other failure: no other account is tried in its place.
 */
export async function askHelper(name: string, server: string, options: HelperOptions): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw failed("docker-credential-…", `the name ${JSON.stringify(peerText(name))}`);
  const path = await findProgram(program, options.env);
  if (path === undefined) throw failed(program, "it is not installed, or not in PATH");
  const [answer, talk] = [new Collected(LIMITS.credentialBytes), new Collected(LIMITS.credentialBytes)];
  const status = await runProgram({
    name: `the credential helper ${program}`,
    program: path,
    args: ["get"],
    env: options.env,
    input: encodeUtf8(server),
    outputs: [answer, talk],
    timeoutMs: LIMITS.helperMs,
    signal: options.signal,
    ending: "kill",
    failures: { code: "configuration-invalid" },
  });
  if (status === 0) return parseAnswer(answer.bytes, program);
  if ([answer, talk].some(({ bytes }) => bytes.includes(NOT_FOUND))) return undefined;
  // What it printed may hold the secret that it was asked for: it is never repeated.
  const byHand = `echo ${server} | ${program} get`;
  throw failed(program, `exit status ${status}`, `run it by hand to see what it says (${byHand}), and repair it`);
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

function failed(program: string, found: string, next?: string): CountersignError {
  return new CountersignError("configuration-invalid", `the credential helper ${program} failed`, {
    found,
    wanted: "credentials, or the answer that there are none",
    next: next ?? "repair the helper, or remove it from Docker's configuration and log in again",
  });
}
