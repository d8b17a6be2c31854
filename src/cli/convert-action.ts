import { mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { encodeUtf8 } from "../core/bytes.ts";
import { type PublicKey, parsePublicKey } from "../core/crypto/public-key.ts";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, toFinding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { DIALECTS, type Dialect, type ExportedFile, type Loss } from "../core/policy/convert/conversion.ts";
import { detectDialect, exportPolicy, importPolicy } from "../core/policy/convert/convert.ts";
import { type KeyReference, type PolicyDocument, placeName } from "../core/policy/document.ts";
import { formatPolicy } from "../core/policy/format.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import { type Conversion, conversionDocument, conversionText, lossLine } from "../report/conversion.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { type Output, sayFinding } from "./output.ts";

export interface ImportFlags {
  /** Whose policy it is; by its content where nothing is said. */
  readonly from?: string | undefined;
  /** Take no losses. */
  readonly strict: boolean;
}

/** `policy import`: somebody else's policy as one of ours. */
export async function importForeign(
  context: Context,
  output: Output,
  file: string,
  { from, strict }: ImportFlags,
): Promise<void> {
  const bytes = await readFile(context, file, LIMITS.foreignPolicyBytes);
  const dialect = from === undefined ? detectDialect(bytes, file) : readDialect(from);
  const { document, losses, notes } = importPolicy(bytes, file, dialect);
  const comments = [`Imported from ${file} (${dialect}).`, ...losses.map(lossLine)];
  const files = [{ name: "policy.yaml", content: formatPolicy(document, { comments }) }];
  await conclude(context, output, "policy import", { dialect, losses, notes, files }, strict);
}

export interface ExportFlags {
  readonly as: string;
  readonly policy: string;
  readonly strict: boolean;
  /** A folder, or a file for what is one. */
  readonly to?: string | undefined;
  /** Replace files that are there. */
  readonly force: boolean;
}

/** `policy export`: a policy of ours as somebody else's. */
export async function exportForeign(context: Context, output: Output, flags: ExportFlags): Promise<void> {
  const dialect = readDialect(flags.as);
  const document = parsePolicy(await readFile(context, flags.policy, LIMITS.policyBytes), flags.policy);
  const keys = await readKeys(context, document, dirname(resolve(context.workingDirectory, flags.policy)));
  const { files, losses, notes } = exportPolicy({ document, keys }, dialect);
  const isRefused = flags.strict && losses.length > 0;
  if (flags.to !== undefined && !isRefused) await writeFiles(context, files, flags.to, flags.force);
  const others = files.slice(1).map(({ name }) => `${name} belongs to it: --to FOLDER writes both`);
  const conversion = {
    dialect,
    files,
    losses,
    notes: flags.to === undefined ? [...others, ...notes] : notes,
    to: flags.to,
  };
  await conclude(context, output, "policy export", conversion, flags.strict);
}

/** @throws CountersignError `usage`. */
function readDialect(name: string): Dialect {
  const known = DIALECTS.find((dialect) => dialect === name);
  if (known !== undefined) return known;
  throw new CountersignError("usage", "not a kind of policy that is converted", {
    found: name,
    wanted: DIALECTS.join(", "),
  });
}

async function readFile(context: Context, label: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = await readNamedFile({ path: resolve(context.workingDirectory, label), label }, maxBytes);
  if (bytes !== undefined) return bytes;
  throw new CountersignError("policy-invalid", `cannot read ${label}`, {
    found: "there is no such file",
    next: "check the path",
  });
}

/** The keys that the policy names: what is written has them in it. */
async function readKeys(
  context: Context,
  { identities }: PolicyDocument,
  folder: string,
): Promise<ReadonlyMap<string, readonly PublicKey[]>> {
  const keys = new Map<string, readonly PublicKey[]>();
  for (const [name, identity] of identities) {
    if (identity.kind !== "keys") continue;
    keys.set(name, await Promise.all(identity.keys.map((key) => readKey(context, key, name, folder))));
  }
  refusePublishedKeys([...keys.values()].flat(), [{ registry: undefined, name: "a policy for others" }]);
  return keys;
}

async function readKey(
  context: Context,
  { source, place }: KeyReference,
  name: string,
  folder: string,
): Promise<PublicKey> {
  try {
    if (source.kind === "pem") return parsePublicKey(source.pem, name);
    if (parseKeyReference(source.path).kind !== "file") {
      throw new CountersignError("policy-invalid", "a key of a policy is a file beside it, or PEM in it", {
        found: "a key elsewhere",
      });
    }
    return await loadPublicKey(source.path, { ...context, workingDirectory: folder, isFromFile: true });
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
    const { message, found, wanted } = toFinding(thrown);
    const where = placeName(place);
    throw new CountersignError("policy-invalid", message, {
      found: found === undefined ? where : `${where}: ${found}`,
      wanted,
      cause: thrown,
    });
  }
}

/** All or, where one of them is there already, none. */
async function writeFiles(context: Context, files: readonly ExportedFile[], to: string, force: boolean): Promise<void> {
  const target = resolve(context.workingDirectory, to);
  const isFolder = files.length > 1 || (await kindOf(target)) === "folder";
  const paths = files.map(({ name, content }) => ({
    path: isFolder ? join(target, ...name.split("/")) : target,
    name,
    content,
  }));
  for (const { path, name } of paths) {
    if (force || (await kindOf(path)) === "nothing") continue;
    throw new CountersignError("destination-exists", `${name} is there already`, {
      found: to,
      next: "choose another place, or say --force",
    });
  }
  // What the policy relies on first: without it, it refuses.
  for (const { path, content } of paths.toReversed()) {
    await makeFolder(dirname(path));
    await writeFileAtomic(path, encodeUtf8(content), { mode: 0o644 });
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new CountersignError("disk-error", `cannot make the folder ${path}`, { found, cause });
  }
}

async function kindOf(path: string): Promise<"folder" | "file" | "nothing"> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch {
    return "nothing";
  }
}

/** What is lost is said first, and loudly; the result is nothing where that is not to be taken. */
async function conclude(
  context: Context,
  output: Output,
  command: "policy import" | "policy export",
  conversion: Conversion,
  strict: boolean,
): Promise<void> {
  const { losses, notes } = conversion;
  for (const loss of losses) output.warn(lossLine(loss));
  for (const note of notes) output.note(note);
  const isRefused = strict && losses.length > 0;
  const result = isRefused ? { ...conversion, files: [], to: undefined } : conversion;
  if (!isRefused || output.format === "json") {
    await output.result({ text: () => conversionText(result), json: () => conversionDocument(command, result) });
  }
  if (!isRefused) return;
  const [first] = losses;
  sayFinding(
    context,
    new CountersignError("unsupported", "not all of the policy can be converted", {
      found: describeLosses(losses, first),
      wanted: "a policy of which nothing is lost, as --strict asks",
      next: "see the lines above: each says what is lost and why",
    }),
  );
  context.exitCode = exitCodeOfClasses(["usage"]);
}

function describeLosses(losses: readonly Loss[], first: Loss | undefined): string {
  const more = losses.length - 1;
  return `${first?.what ?? ""} at ${first?.place ?? ""}${more > 0 ? `, and ${more} more` : ""}`;
}
