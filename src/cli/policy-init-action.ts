import { basename, dirname, extname, relative, resolve, sep } from "node:path";
import { encodeUtf8 } from "../core/bytes.ts";
import { publicKeyPem } from "../core/crypto/public-key.ts";
import { isPublishedKey } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import type { Identity } from "../core/policy/document.ts";
import { parseImagePattern } from "../core/policy/image-pattern.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { type NewIdentity, starterPolicy } from "../core/policy/starter.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import { policyInitDocument, policyInitText } from "../report/policy-init.ts";
import type { Context } from "./context.ts";
import type { IdentityOptions } from "./identity-options.ts";
import type { Output } from "./output.ts";

export interface InitWishes {
  readonly images: readonly string[];
  readonly keys: readonly string[];
  readonly identity: IdentityOptions | undefined;
  /** The policy to write. */
  readonly file: string;
  /** Whether editors get a schema beside it. */
  readonly schema: boolean;
}

/** `policy init`: a first policy. Nothing that is there is replaced. */
export async function initPolicy(context: Context, output: Output, wishes: InitWishes): Promise<void> {
  const { file, images } = wishes;
  for (const image of images) parseImagePattern(image);
  const path = resolve(context.workingDirectory, file);
  const keys = await Promise.all(wishes.keys.map((key) => readKey(context, output, key, dirname(path))));
  const signers = [...keys, ...(wishes.identity === undefined ? [] : [keylessSigner(wishes.identity)])];
  if (signers.length === 0) {
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      wanted: "--key KEY, --repo OWNER/NAME, or --certificate-identity NAME and --certificate-oidc-issuer URL",
    });
  }
  const schema = wishes.schema ? await schemaBeside(path, file) : undefined;
  const text = starterPolicy({ signers, images, schema: schema === undefined ? undefined : basename(schema.path) });
  const document = parsePolicy(encodeUtf8(text), file);
  await writeFileAtomic(path, encodeUtf8(text), { mode: 0o644, exclusive: true });
  if (schema?.isNew === true) await writeFileAtomic(schema.path, schema.bytes, { mode: 0o644, exclusive: true });
  const written = { file, digest: document.digest, schema: schema?.label, identities: [...document.identities.keys()] };
  await output.result({
    text: (style) => policyInitText(written, style),
    json: () => policyInitDocument(written),
  });
}

// --- who --------------------------------------------------------------------------------------------------------------

/** A key in a file is referred to from the policy's folder; one from elsewhere is written down. */
async function readKey(context: Context, output: Output, reference: string, folder: string): Promise<NewIdentity> {
  const key = await loadPublicKey(reference, { ...context, warn: output.warn });
  if (isPublishedKey(key)) output.warn(`${reference} is published as an example: anyone can sign with it`);
  const calledAfter = basename(reference, extname(reference));
  if (parseKeyReference(reference).kind !== "file") return { kind: "pem", text: publicKeyPem(key), calledAfter };
  const path = relative(folder, resolve(context.workingDirectory, reference));
  return { kind: "file", text: path.split(sep).join("/"), calledAfter };
}

function keylessSigner(options: IdentityOptions): NewIdentity {
  const common = { name: "", proof: {}, window: {}, place: { label: "", line: 1, column: 1 } };
  const claims = options.claims.map(({ name, text }) => ({ name, wanted: { kind: "exact" as const, text } }));
  if (options.kind === "github") {
    if (options.subject !== undefined) {
      throw new CountersignError("usage", "--owner and --repo name the workflow by its repository", {
        found: "--certificate-identity beside them",
        wanted: "one of them; workflow and ref can be written into the policy",
      });
    }
    const { owner, repository } = options.source;
    const identity: Identity = { kind: "github", ...common, owner, repository, claims };
    return { kind: "identity", identity, calledAfter: repository ?? owner };
  }
  const { subject, issuer } = options;
  const identity: Identity = { kind: "keyless", ...common, subject, issuer, claims };
  return {
    kind: "identity",
    identity,
    calledAfter: subject.kind === "exact" ? subject.text.replace(/@.*/, "") : "signer",
  };
}

// --- for editors ------------------------------------------------------------------------------------------------------

interface SchemaFile {
  readonly path: string;
  readonly label: string;
  readonly bytes: Uint8Array;
  readonly isNew: boolean;
}

/** `policy.schema.json` beside `policy.yaml`. One that is there is used where it is the same. */
async function schemaBeside(policyPath: string, policyLabel: string): Promise<SchemaFile> {
  const { default: schema } = await import("../../docs/schemas/policy.json", { with: { type: "json" } });
  const bytes = encodeUtf8(`${JSON.stringify(schema, undefined, 2)}\n`);
  const withSuffix = (name: string): string => `${name.slice(0, name.length - extname(name).length)}.schema.json`;
  const [path, label] = [withSuffix(policyPath), withSuffix(policyLabel)];
  const there = await readNamedFile({ path, label }, bytes.byteLength * 2);
  if (there === undefined) return { path, label, bytes, isNew: true };
  if (Buffer.compare(there, bytes) === 0) return { path, label, bytes, isNew: false };
  throw new CountersignError("destination-exists", `${label} is there already, and something else`, {
    next: "remove it, or give --no-schema",
  });
}
