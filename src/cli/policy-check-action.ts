import { dirname, resolve } from "node:path";
import type { PublicKey } from "../core/crypto/public-key.ts";
import { CountersignError, toFinding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { PolicyCheck, PolicyProblem } from "../core/policy/check.ts";
import { findUncompilable } from "../core/policy/compile.ts";
import type { KeyIdentity, Place, PolicyDocument } from "../core/policy/document.ts";
import { lintPolicy } from "../core/policy/lint.ts";
import { readPolicy } from "../core/policy/parse.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { policyChecksDocument, policyChecksText } from "../report/policy-check.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import { readPolicyFile, readWholly } from "./policy-file.ts";
import { configurationOf } from "./trust-instances.ts";

export interface CheckFlags {
  /** Warnings fail too. */
  readonly strict: boolean;
  readonly config: string | undefined;
}

/** `policy check`: all that is wrong with policies, and what to look at. No connection is opened. */
export async function checkPolicies(
  context: Context,
  output: Output,
  files: readonly string[],
  { strict, config }: CheckFlags,
): Promise<void> {
  const { instances } = await configurationOf(context, config);
  const names = instances.map(({ name }) => name);
  const checks: PolicyCheck[] = [];
  for (const file of files) checks.push(await checkPolicy(context, file, names));
  await output.result({
    text: (style) => policyChecksText(checks, style),
    json: () => policyChecksDocument(checks),
  });
  context.exitCode = exitCodeOfChecks(checks, strict);
}

/** A policy that cannot be used is one everywhere else too; what may accept more than was meant fails a check. */
function exitCodeOfChecks(checks: readonly PolicyCheck[], strict: boolean): ExitCode {
  if (checks.some(({ problems }) => problems.length > 0)) return EXIT_CODES.usage;
  const failing = checks.flatMap(({ findings }) =>
    findings.filter(({ severity }) => severity === "error" || (strict && severity === "warning")),
  );
  return failing.length > 0 ? EXIT_CODES.refused : EXIT_CODES.done;
}

async function checkPolicy(context: Context, label: string, instances: readonly string[]): Promise<PolicyCheck> {
  const bytes = await orProblem(undefined, () => readPolicyFile(context, label));
  if (!("value" in bytes)) return { label, document: undefined, problems: [bytes.problem], findings: [] };
  const { document, problems } = readPolicy(bytes.value, label);
  if (document === undefined) {
    const all = problems.map((error) => ({ finding: toFinding(error), place: error.at }));
    return { label, document, problems: all, findings: [] };
  }
  const folder = dirname(resolve(context.workingDirectory, label));
  const { keys, problems: named } = await readNamed(context, folder, document);
  const uncompilable = await findUncompilable(document, context.referenceTime);
  const all = [...uncompilable.map((error) => ({ finding: toFinding(error), place: error.at })), ...named];
  const findings = lintPolicy(document, { now: context.referenceTime, keys, instances });
  return { label, document, problems: all.toSorted(byPlace), findings };
}

function byPlace(a: PolicyProblem, b: PolicyProblem): number {
  return (a.place?.line ?? 0) - (b.place?.line ?? 0);
}

type Attempt<Value> = { readonly value: Value } | { readonly problem: PolicyProblem };

async function orProblem<Value>(place: Place | undefined, read: () => Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await read() };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
    return { problem: { finding: toFinding(thrown), place } };
  }
}

// --- what it names ----------------------------------------------------------------------------------------------------

interface Named {
  readonly keys: ReadonlyMap<string, readonly PublicKey[]>;
  readonly problems: readonly PolicyProblem[];
}

async function readNamed(context: Context, folder: string, document: PolicyDocument): Promise<Named> {
  const keys = new Map<string, readonly PublicKey[]>();
  const problems: PolicyProblem[] = [];
  for (const identity of document.identities.values()) {
    if (identity.kind !== "keys") continue;
    const attempts = await readKeys(context, folder, identity);
    keys.set(
      identity.name,
      attempts.flatMap((attempt) => ("value" in attempt ? [attempt.value] : [])),
    );
    problems.push(...attempts.flatMap((attempt) => ("problem" in attempt ? [attempt.problem] : [])));
  }
  for (const { path, place, maxBytes, read } of filesOf(document)) {
    const attempt = await orProblem(
      place,
      async () => await read(await readBeside(context, folder, path, maxBytes), path),
    );
    if ("problem" in attempt) problems.push(attempt.problem);
  }
  return { keys, problems };
}

async function readKeys(
  context: Context,
  folder: string,
  { keys }: KeyIdentity,
): Promise<readonly Attempt<PublicKey>[]> {
  const surroundings = { ...context, workingDirectory: folder, isFromFile: true };
  const { parsePublicKey } = await import("../core/crypto/public-key.ts");
  return await Promise.all(
    keys.map(({ source, place }) =>
      orProblem(place, async () =>
        source.kind === "pem" ? parsePublicKey(source.pem, "the key") : await loadPublicKey(source.path, surroundings),
      ),
    ),
  );
}

interface NamedFile {
  readonly path: string;
  readonly place: Place;
  readonly maxBytes: number;
  readonly read: (bytes: Uint8Array, label: string) => Promise<unknown>;
}

/** Trust roots, which are read, and lists with their bundles, which have to be there. */
function filesOf({ trust, withdrawn }: PolicyDocument): readonly NamedFile[] {
  const roots = [...trust.values()].flatMap(({ source, place }) =>
    source.kind === "file" ? [{ path: source.path, place, maxBytes: LIMITS.trustedRootBytes, read: readTrust }] : [],
  );
  const lists = withdrawn.flatMap(({ source, place }) => {
    if (source.kind !== "file") return [];
    return [source.path, `${source.path}.sigstore.json`].map((path) => {
      return { path, place, maxBytes: LIMITS.signatureBytes, read: async () => undefined };
    });
  });
  return [...roots, ...lists];
}

async function readTrust(bytes: Uint8Array, label: string): Promise<unknown> {
  const { loadTrustMaterial } = await import("../core/trust/load.ts");
  return await loadTrustMaterial(bytes, label);
}

async function readBeside(context: Context, folder: string, label: string, maxBytes: number): Promise<Uint8Array> {
  const wish = { what: label, maxBytes, next: "put it where the policy says, or correct the policy" };
  return await readWholly(context, { path: resolve(folder, label), label }, wish);
}
