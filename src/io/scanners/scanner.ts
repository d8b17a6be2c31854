import { CountersignError } from "../../core/errors.ts";
import type { ScannerDatabase } from "../../core/formats/vuln-predicate.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { findProgram } from "../process/find.ts";
import { runScanner, type ScannerAnswer } from "./runner.ts";

/** The form in which a scanner takes an image from disk. */
export type ImageForm = "docker-archive" | "oci-layout";

/** What is different from one scanner to the next: flags, exit codes, and how to see that nothing was looked at. */
export interface Dialect {
  readonly name: string;
  /** A package URL without its version. */
  readonly uri: string;
  readonly form: ImageForm;
  /** Variables beside the usual ones that are handed on: where its database is, and how that is reached. */
  readonly variables: RegExp;
  /** @param image its path, relative to where the scanner runs. */
  scanArguments(image: string, extra: readonly string[]): readonly string[];
  /** Exit codes that mean a result. */
  readonly finished: readonly number[];
  readonly versionArguments: readonly string[];
  /** undefined where it cannot be told. */
  readVersion(stdout: string): string | undefined;
  /**
   * Whether a result is one: many scanners print an empty list where they could not look.
   *
   * @throws CountersignError `scanner-error`.
   */
  checkResult(result: JsonObject, answer: ScannerAnswer): void;
  /** What the result, or a second question to the scanner, says of the database that was asked. */
  database(scan: FinishedScan): Promise<ScannerDatabase | undefined>;
}

export interface FinishedScan {
  readonly result: JsonObject;
  /** The flags that the user gave. */
  readonly extra: readonly string[];
  readonly env: ScannerSurroundings["env"];
  ask(args: readonly string[]): Promise<string>;
}

export interface ScannerSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for one scan. */
  readonly timeoutMs?: number | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
}

/** What one scan said. */
export interface ScannerResult {
  /** One JSON object, as the scanner printed it. */
  readonly bytes: Uint8Array;
  readonly json: JsonObject;
  readonly database: ScannerDatabase | undefined;
  /** The flags that it ran with. */
  readonly parameters: readonly string[];
}

/** A scanner that is installed. */
export class InstalledScanner {
  readonly version: string;
  readonly #dialect: Dialect;
  readonly #program: string;
  readonly #surroundings: ScannerSurroundings;

  private constructor(dialect: Dialect, program: string, version: string, surroundings: ScannerSurroundings) {
    this.#dialect = dialect;
    this.#program = program;
    this.version = version;
    this.#surroundings = surroundings;
  }

  /**
   * Finds it in PATH and asks for its version.
   *
   * @param folder where it runs, for its version.
   * @throws CountersignError `scanner-error` where it is not installed or does not answer.
   */
  static async open(dialect: Dialect, folder: string, surroundings: ScannerSurroundings): Promise<InstalledScanner> {
    const { name } = dialect;
    const program = await findProgram(name, surroundings.env);
    if (program === undefined) {
      throw new CountersignError("scanner-error", `${name} is not installed`, {
        found: `no program ${name} in the folders of PATH`,
        next: `install ${name}, or choose another scanner with --scanner`,
      });
    }
    const unknown = new InstalledScanner(dialect, program, "", surroundings);
    const stdout = await unknown.#ask(folder, dialect.versionArguments);
    const version = dialect.readVersion(stdout);
    if (version === undefined || !VERSION.test(version)) {
      throw new CountersignError("scanner-error", `${name} does not say which version it is`, {
        found: stdout.trim() === "" ? "nothing" : stdout.trim(),
        next: `check that the program ${name} in PATH is the scanner`,
      });
    }
    return new InstalledScanner(dialect, program, version, surroundings);
  }

  get name(): string {
    return this.#dialect.name;
  }

  /** `pkg:github/aquasecurity/trivy@0.70.0`: as Trivy names itself. */
  get uri(): string {
    return `${this.#dialect.uri}@${this.version}`;
  }

  get form(): ImageForm {
    return this.#dialect.form;
  }

  /**
   * Has an image scanned that lies in `folder`.
   *
   * @throws CountersignError `scanner-error` where it fails, or its result is none; `limit-reached`, `interrupted`.
   */
  async scan(folder: string, image: string, extra: readonly string[]): Promise<ScannerResult> {
    const { name, finished } = this.#dialect;
    const parameters = this.#dialect.scanArguments(image, extra);
    const answer = await this.#run(folder, parameters, this.#surroundings.timeoutMs ?? LIMITS.scanMs);
    if (!finished.includes(answer.status)) throw failed(name, answer);
    const json = readResult(name, answer);
    this.#dialect.checkResult(json, answer);
    const { env } = this.#surroundings;
    const ask = (args: readonly string[]): Promise<string> => this.#ask(folder, args);
    const database = await this.#dialect.database({ result: json, extra, env, ask });
    return { bytes: answer.stdout, json, database, parameters };
  }

  async #ask(folder: string, args: readonly string[]): Promise<string> {
    const answer = await this.#run(folder, args, LIMITS.scannerAnswerMs);
    if (answer.status !== 0) throw failed(this.#dialect.name, answer);
    return Buffer.from(answer.stdout).toString("utf8");
  }

  async #run(folder: string, args: readonly string[], timeoutMs: number): Promise<ScannerAnswer> {
    const { name, variables } = this.#dialect;
    const { env, signal, onLine } = this.#surroundings;
    const program = this.#program;
    return await runScanner({
      name,
      program,
      args,
      folder,
      env: scannerEnvironment(env, variables),
      timeoutMs,
      signal,
      onLine,
    });
  }
}

/** What a version may look like: it goes into a package URL and into what is signed. */
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+~-]{0,63}$/;

/** What programs need to run and to reach the network; no secret is among it, and no setting of other programs. */
const USUAL =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|XDG_.*|(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_(?:FILE|DIR)|DOCKER_CONFIG|REGISTRY_AUTH_FILE|GOMAXPROCS|GOMEMLIMIT|SYSTEMROOT|WINDIR|USERPROFILE|LOCALAPPDATA|APPDATA|PATHEXT)$/i;

/**
 * The environment of a scanner. What would change what it finds or prints (`TRIVY_SEVERITY`, `GRYPE_ONLY_FIXED`) is left
 * out: a scan that is signed says by its parameters what it looked for.
 */
export function scannerEnvironment(
  env: ScannerSurroundings["env"],
  variables: RegExp,
): Readonly<Record<string, string | undefined>> {
  const kept = Object.entries(env).filter(([name]) => USUAL.test(name) || variables.test(name));
  // no-color.org: what they say is repeated in messages of ours.
  return { ...Object.fromEntries(kept), NO_COLOR: "1" };
}

function readResult(name: string, { stdout }: ScannerAnswer): JsonObject {
  if (Buffer.from(stdout).toString("latin1").trim() === "") {
    throw new CountersignError("scanner-error", `${name} gave no result`, { found: "nothing", wanted: "JSON" });
  }
  const what = `the result of ${name}`;
  return parseJsonObject(stdout, { what, code: "scanner-error", maxBytes: LIMITS.scanResultBytes });
}

function failed(name: string, { status, lines }: ScannerAnswer): CountersignError {
  return new CountersignError("scanner-error", `${name} failed`, {
    found: lines.at(-1)?.trim() ?? `exit status ${status}, without a message`,
    wanted: "a scan that runs to its end",
  });
}

/** @throws CountersignError `scanner-error`: the scanner printed something else than it prints for images. */
export function noResult(name: string, found: string, wanted: string, next?: string): CountersignError {
  return new CountersignError("scanner-error", `what ${name} printed is no scan of an image`, { found, wanted, next });
}

/** What a scanner says of itself as JSON. @throws CountersignError `scanner-error`. */
export function parseAnswer(name: string, stdout: string): JsonObject {
  const what = `what ${name} says of its version`;
  return parseJsonObject(Buffer.from(stdout), { what, code: "scanner-error", maxBytes: LIMITS.scanResultBytes });
}

/** The member of an object at the end of a path; undefined where there is none. */
export function memberAt(json: JsonObject, ...path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((value, name) => (isObject(value) ? value[name] : undefined), json);
}

/** The same where it is a text or a number. */
export function textAt(json: JsonObject, ...path: readonly string[]): string | undefined {
  const value = memberAt(json, ...path);
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
