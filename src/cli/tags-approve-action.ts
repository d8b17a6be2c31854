import { CountersignError } from "../core/errors.ts";
import type { ApproveResult } from "../core/tags/admin-results.ts";
import { approveChange, changesThatWait, type Waiting } from "../ops/tags/approve.ts";
import { approveDocument, approveText } from "../report/tags/administration.ts";
import { describeChange, describePending } from "../report/tags/words.ts";
import type { Context } from "./context.ts";
import { flag, type RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { requireYes } from "./tags-consent.ts";
import { concludeEach, stateClass } from "./tags-each.ts";
import { openPublisher, openPublishing } from "./tags-publisher.ts";
import { type Repository, readInspected, readRepository } from "./tags-repository.ts";

/** `countersign trust approve REPO [ROLE]`. */
export async function approveRole(
  context: Context,
  output: Output,
  name: string,
  role: string | undefined,
  raw: RawOptions,
): Promise<void> {
  await approve(context, output, readRepository(name), role, raw);
}

/** `countersign trust sign --approve REPO[:TAG]`: the same, for who has the command at hand. */
export async function approveImage(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const [image, ...others] = images;
  if (image === undefined || others.length > 0) {
    throw new CountersignError("usage", "one repository is approved at a time", {
      found: `${images.length} images`,
      wanted: "one image or repository",
    });
  }
  await approve(context, output, readInspected(image), undefined, raw);
}

async function approve(
  context: Context,
  output: Output,
  repository: Repository,
  role: string | undefined,
  raw: RawOptions,
): Promise<void> {
  const publishing = await openPublishing(context, output, [repository], raw);
  try {
    const publisher = await openPublisher(publishing, repository);
    const waiting = onlyOne(await changesThatWait(publisher, role), repository.gun, role);
    await requireYes(context, questionOf(waiting, repository.gun), flag(raw, "yes"));
    const result = await approveChange(publisher, waiting);
    await say(output, result);
    concludeEach(context, [], stateClass(result.publication));
  } finally {
    await publishing.wiring.close();
  }
}

function onlyOne(all: readonly Waiting[], gun: string, role: string | undefined): Waiting {
  const [first, ...others] = all;
  if (first === undefined) {
    throw new CountersignError("not-found", `nothing waits for signatures in ${gun}`, {
      found: role === undefined ? "no metadata that is signed by some" : `nothing for ${role}`,
      next: "it may be published by now: countersign trust inspect shows it",
    });
  }
  if (others.length === 0) return first;
  throw new CountersignError("usage", "several things wait for signatures, and each is agreed to by itself", {
    found: all.map((waiting) => waiting.role.role).join(", "),
    wanted: "the role to approve, after the repository",
  });
}

function questionOf(
  { role, changes }: Waiting,
  gun: string,
): { readonly lines: readonly string[]; readonly question: string } {
  const lines = [
    `In ${gun} waits ${describePending(role)}. It says:`,
    ...(changes.length === 0
      ? ["  the same as before, for longer"]
      : changes.map((change) => `  ${describeChange(change)}`)),
  ];
  return { lines, question: "Sign this?" };
}

async function say(output: Output, result: ApproveResult): Promise<void> {
  await output.result({ text: (style) => approveText(result, style), json: () => approveDocument(result) });
}
