import { CountersignError } from "../core/errors.ts";
import type { SignerResult } from "../core/tags/admin-results.ts";
import { checkSignerName } from "../core/tags/names.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { addSigner as add, listSigners as listAll, removeSigner as remove } from "../ops/tags/signers.ts";
import { signerListDocument, signerListText, signersDocument, signersText } from "../report/tags/administration.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, list, number, type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { requireYes } from "./tags-consent.ts";
import { concludeEach, type Outcomes, stateClass, withEach } from "./tags-each.ts";
import { trustPlace } from "./tags-place.ts";
import { openPublisher, openPublishing, type Publishing } from "./tags-publisher.ts";
import { readRepository } from "./tags-repository.ts";

/** `countersign trust signer add NAME REPO…`. */
export async function addSigner(
  context: Context,
  output: Output,
  name: string,
  repositories: readonly string[],
  raw: RawOptions,
): Promise<void> {
  checkSignerName(name);
  const tags = list(raw, "tags");
  const isProtected = flag(raw, "protected");
  if (isProtected && tags.length === 0) throw allProtected();
  const keys = await Promise.all(list(raw, "key").map((key) => loadPublicKey(key, { ...context, warn: output.warn })));
  const wish = {
    name,
    keys,
    threshold: number(raw, "threshold"),
    tags: tags.length === 0 ? undefined : tags,
    isTerminating: isProtected ? true : undefined,
    takesOver: true,
  };
  await publishTo(context, output, repositories, raw, "trust signer add", async (publishing, repository) =>
    add(await openPublisher(publishing, readRepository(repository)), wish),
  );
}

/** `countersign trust signer remove NAME REPO…`. */
export async function removeSigner(
  context: Context,
  output: Output,
  name: string,
  repositories: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const successor = text(raw, "successor");
  const lines = [
    `Nothing that ${name} has signed in ${repositories.join(", ")} will count any more.`,
    successor === undefined
      ? "Whoever pulls these tags is refused, until somebody else signs them."
      : `${successor} vouches for these tags from then on.`,
  ];
  await requireYes(context, { lines, question: `Remove the signer ${name}?` }, flag(raw, "yes"));
  await publishTo(context, output, repositories, raw, "trust signer remove", async (publishing, repository) =>
    remove(await openPublisher(publishing, readRepository(repository)), { name, successor }),
  );
}

/** Where all tags are one signer's, the others are none. */
function allProtected(): CountersignError {
  return new CountersignError("usage", "a signer that alone may sign every tag leaves nothing to the others", {
    found: "--protected without --tags",
    wanted: "--tags PATTERN, for the tags that are its own",
  });
}

async function publishTo(
  context: Context,
  output: Output,
  repositories: readonly string[],
  raw: RawOptions,
  command: string,
  act: (publishing: Publishing, repository: string) => Promise<SignerResult>,
): Promise<void> {
  // --key names the public half of the signer, which is no key to sign with.
  const publishing = await openPublishing(context, output, repositories.map(readRepository), raw, ["key"]);
  try {
    await conclude(context, output, command, await withEach(repositories, (repository) => act(publishing, repository)));
  } finally {
    await publishing.wiring.close();
  }
}

async function conclude(
  context: Context,
  output: Output,
  command: string,
  { results, failed }: Outcomes<SignerResult>,
): Promise<void> {
  await output.result({
    text: (style) => signersText(results, style),
    json: () => signersDocument(command, results, failed),
  });
  concludeEach(
    context,
    failed,
    results.flatMap(({ publication }) => stateClass(publication)),
  );
}

/** `countersign trust signer list REPO`. */
export async function listSigners(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  const repository = readRepository(name);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [repository.gun]);
  try {
    const now = context.referenceTime;
    const { gun, signers } = await listAll(await trustPlace(context, wiring, repository, raw), now);
    await output.result({
      text: (style) => signerListText(gun, signers, now, style),
      json: () => signerListDocument(gun, signers),
    });
  } finally {
    await wiring.close();
  }
}
