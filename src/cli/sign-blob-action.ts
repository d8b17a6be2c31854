import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import type { Signatory } from "../core/ports.ts";
import type { SignedFile } from "../core/results.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { signBlob, signStatementFile } from "../ops/blob.ts";
import { type StoredFile, signedFilesDocument, signedFilesText } from "../report/sign-blob.ts";
import { bundleBeside, readSmallFile } from "./blob-files.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openSignatory } from "./signatory.ts";
import { readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

/** `countersign sign-blob FILE…`. The first that fails ends it; what was written before is complete. */
export async function signBlobs(
  context: Context,
  output: Output,
  files: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const flags = readSignatoryOptions(raw);
  const bundles = bundleFiles(files, text(raw, "bundle"));
  refuseLogLater(flags);
  if (!flags.yes) for (const bundle of bundles) await refuseExisting(context, bundle);
  const wiring = await openWiring(context, output, readRegistryOptions({}), []);
  try {
    const signatory = checkingKeys(await openSignatory(context, output, wiring, flags, []), files);
    const sign = flag(raw, "inToto") ? signStatementFile : signBlob;
    const stored: StoredFile[] = [];
    for (const [at, file] of files.entries()) {
      const bytes = await readSmallFile(context, file, "the file to sign");
      const signed = await sign(file, bytes, { signatory, now: context.referenceTime });
      stored.push(await store(context, signed, bundles[at] ?? bundleBeside(file), flags.yes));
    }
    await output.result({
      text: (style) => signedFilesText(stored, style),
      json: () => signedFilesDocument(stored),
    });
  } finally {
    await wiring.close();
  }
}

async function store(context: Context, signed: SignedFile, bundle: string, replace: boolean): Promise<StoredFile> {
  const path = resolve(context.workingDirectory, bundle);
  await writeFileAtomic(path, signed.bundle, { mode: 0o644, exclusive: !replace, signal: context.signal });
  return { ...signed, bundleFile: bundle };
}

function bundleFiles(files: readonly string[], bundle: string | undefined): readonly string[] {
  if (bundle === undefined) return files.map(bundleBeside);
  if (files.length === 1) return [bundle];
  throw new CountersignError("usage", "--bundle names one file", {
    found: `${files.length} files to sign`,
    wanted: "one file, or no --bundle: each bundle is written beside its file",
  });
}

/** The next run of `sign --finish` looks in registries. */
function refuseLogLater({ logLater }: SignatoryOptions): void {
  if (!logLater) return;
  throw new CountersignError("usage", "a bundle in a file is complete or is not written", {
    found: "--log-later",
    wanted: "the log to be reachable, or services without one",
  });
}

async function refuseExisting({ workingDirectory }: Context, bundle: string): Promise<void> {
  const there = await stat(resolve(workingDirectory, bundle)).then(
    () => true,
    () => false,
  );
  if (!there) return;
  throw new CountersignError("destination-exists", "there is a bundle already", {
    found: bundle,
    next: "replace it with --yes, or name another file with --bundle",
  });
}

/** A key that is published as an example signs nothing that leaves this machine, and a file may. */
export function checkingKeys(signatory: Signatory, files: readonly string[]): Signatory {
  return {
    ...signatory,
    async signer() {
      const signer = await signatory.signer();
      refusePublishedKeys(
        [signer.publicKey],
        files.map((name) => ({ name, registry: undefined })),
      );
      return signer;
    },
  };
}
