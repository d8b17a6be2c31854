/**
 * sigstore-conformance's protocol (its docs/cli_protocol.md) in terms of our own command line: `verify-bundle` and
 * `sign-bundle`; status 0, or another.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { run } from "../../src/cli/main.ts";
import { openProcess } from "../../src/cli/process.ts";
import { CountersignError, toFinding } from "../../src/core/errors.ts";
import { explainFinding } from "../../src/core/explain.ts";
import { readStatement } from "../../src/core/formats/intoto.ts";
import { parseBundle } from "../../src/core/formats/sigstore-bundle.ts";
import { printable } from "../../src/core/printable.ts";

const OPTIONS = {
  staging: { type: "boolean" },
  "in-toto": { type: "boolean" },
  bundle: { type: "string" },
  "identity-token": { type: "string" },
  "certificate-identity": { type: "string" },
  "certificate-oidc-issuer": { type: "string" },
  key: { type: "string" },
  "trusted-root": { type: "string" },
  "signing-config": { type: "string" },
} as const;

type Values = ReturnType<typeof readArguments>["values"];

function readArguments() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

const USAGE = 2;

async function commandLine(): Promise<readonly string[]> {
  const { values, positionals } = readArguments();
  const [command, file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw usage(`${positionals.length} arguments`, "a command and a file");
  if (values.staging === true && values["trusted-root"] === undefined) {
    throw usage("--staging", "--trusted-root: the staging instance is not built in");
  }
  if (command === "verify-bundle") return await verification(values, file);
  if (command === "sign-bundle") return signing(values, file);
  throw usage(command ?? "no command", "verify-bundle or sign-bundle");
}

function usage(found: string, wanted: string): CountersignError {
  return new CountersignError("usage", "not the protocol of sigstore-conformance", { found, wanted });
}

/** Identities and issuers are literal strings there, and attestations of any type will do. */
async function verification(values: Values, file: string): Promise<readonly string[]> {
  const flags = ["bundle", "certificate-identity", "certificate-oidc-issuer", "key", "trusted-root"] as const;
  return ["verify-blob", ...spelled(values, flags), ...(await typeFlag(values.bundle)), "--", file];
}

function signing(values: Values, file: string): readonly string[] {
  const flags = ["identity-token", "bundle", "trusted-root", "signing-config"] as const;
  const inToto = values["in-toto"] === true ? ["--in-toto"] : [];
  return ["sign-blob", "--yes", ...inToto, ...spelled(values, flags), "--", file];
}

function spelled(values: Values, names: readonly Exclude<keyof Values, "staging" | "in-toto">[]): readonly string[] {
  return names.flatMap((name) => (values[name] === undefined ? [] : [`--${name}=${values[name]}`]));
}

/** The type that the statement claims; what cannot be read is for the verification to refuse. */
async function typeFlag(bundle: string | undefined): Promise<readonly string[]> {
  if (bundle === undefined) return [];
  try {
    const { content } = parseBundle(await readFile(bundle));
    return content.kind === "dsse" ? [`--type=${readStatement(content.envelope.payload).predicateType}`] : [];
  } catch {
    return [];
  }
}

const door = openProcess();
try {
  process.exitCode = await run(await commandLine(), door.context);
} catch (error) {
  process.stderr.write(`countersign: ${printable(explainFinding(toFinding(error)))}\n`);
  process.exitCode = USAGE;
} finally {
  door.close();
}
