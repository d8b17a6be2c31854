import { resolve } from "node:path";
import { decodeUtf8, encodeUtf8 } from "../core/bytes.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { PolicyDocument } from "../core/policy/document.ts";
import { extendPolicy } from "../core/policy/extend.ts";
import { matchingRules } from "../core/policy/images.ts";
import { lintPolicy } from "../core/policy/lint.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { reasonClass } from "../core/reasons.ts";
import { type LearnedImage, proposeRules, type UnlearnedImage } from "../core/review/learned.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import { openRulebook } from "../core/verify/rulebook.ts";
import { endOfLink } from "../io/disk/files.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { inTurn, type Replacement, replaceFiles } from "../io/disk/transaction.ts";
import { acceptedBy, checkLearned, type GatheredImage, gatherImages, learnFrom } from "../ops/learn.ts";
import type { Target } from "../ops/verify.ts";
import { type Learning, learningDocument, learningLines, learningText } from "../report/learn.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { openWiring, placesOf } from "./images.ts";
import { LearnableSigners, type Lessons } from "./learnable-signers.ts";
import { flag, list, type RawOptions, readRegistryOptions, text } from "./options.ts";
import { type Output, styleFor } from "./output.ts";
import { PolicyFiles } from "./policy-material.ts";
import { openPins, readTagFlags } from "./signed-tags.ts";
import { findTrust } from "./trust.ts";
import { readTrustOptions, refuseRegistriesOffline } from "./trust-options.ts";

/** `countersign policy learn IMAGE…`: proposes rules from what images carry. */
export async function learn(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const trust = readTrustOptions(raw);
  const file = text(raw, "policy");
  const writes = flag(raw, "write");
  if (writes && file === undefined) {
    throw new CountersignError("usage", "--write needs to know what", {
      found: "--write",
      wanted: "--policy FILE too",
    });
  }
  refuseRegistriesOffline(trust, images);
  const registry = readRegistryOptions(raw);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const old = await readOld(context, file);
    const student = new Student(
      {
        context,
        output,
        wiring,
        trust,
        images,
        keys: list(raw, "key"),
        tags: await openPins({ context, output, wiring }, readTagFlags(raw)),
      },
      old,
    );
    const learning = await student.learn();
    if (writes && learning.after !== undefined && file !== undefined) {
      await replacePolicy(context, file, { before: old.bytes, after: encodeUtf8(learning.after) });
    }
    const told = { ...learning, isWritten: writes && learning.after !== undefined };
    await output.result({ text: () => learningText(told), json: () => learningDocument(told) });
    for (const line of learningLines(told, styleFor(context.stderr, context.env)))
      context.stderr.stream.write(`${line}\n`);
    context.exitCode = exitCodeOfClasses(told.unlearned.map(({ finding }) => reasonClass(finding.code)));
  } finally {
    await wiring.close();
  }
}

/** Nothing is taken out of it that somebody else has put there since it was read. @throws CountersignError `write-conflict`. */
async function replacePolicy(
  { workingDirectory, signal }: Context,
  file: string,
  content: Pick<Replacement, "before" | "after">,
): Promise<void> {
  const path = await endOfLink(resolve(workingDirectory, file), file);
  await inTurn(path, { signal }, () => replaceFiles(path, [{ path, ...content }], { signal }));
}

/** A policy that is to be added to, or a new one. */
interface OldPolicy {
  /** As the user named it. */
  readonly file: string | undefined;
  readonly bytes: Uint8Array | undefined;
  readonly document: PolicyDocument;
}

const NEW_POLICY = "apiVersion: countersign/v1\nkind: Policy\nrules: []\n";

async function readOld(context: Context, file: string | undefined): Promise<OldPolicy> {
  const label = file ?? "policy.yaml";
  const path = resolve(context.workingDirectory, label);
  const bytes = file === undefined ? undefined : await readNamedFile({ path, label }, LIMITS.policyBytes);
  return { file, bytes, document: parsePolicy(bytes ?? encodeUtf8(NEW_POLICY), label) };
}

class Student {
  readonly #lessons: Lessons;
  readonly #old: OldPolicy;
  readonly #signers: LearnableSigners;

  constructor(lessons: Lessons, old: OldPolicy) {
    this.#lessons = lessons;
    this.#old = old;
    this.#signers = new LearnableSigners(lessons, old.document);
  }

  async learn(): Promise<Learning> {
    const { context, wiring, images } = this.#lessons;
    const opened = await this.#open(images);
    const { tags } = this.#lessons;
    const { gathered, unlearned } = await gatherImages(opened.targets, {
      now: context.referenceTime,
      cache: wiring.cache,
      tags,
    });
    const known =
      this.#old.bytes === undefined
        ? new Set<string>()
        : await acceptedBy(gathered, this.#rulebook(this.#old.document), { tags });
    const everybody = await this.#signers.everybody(gathered);
    const lesson = learnFrom(gathered, everybody, this.#signers.name);
    const { learned, blocked } = this.#unblocked(lesson.learned, known);
    const common = {
      file: this.#old.file,
      before: this.#old.bytes === undefined ? undefined : decodeUtf8(this.#old.bytes),
      isWritten: false,
      known: [...known],
      unlearned: [
        ...opened.failed,
        ...unlearned,
        ...lesson.unlearned.filter(({ name }) => !known.has(name)),
        ...blocked,
      ],
      leftOut: lesson.leftOut.filter(({ name }) => !known.has(name)),
    };
    if (learned.length === 0) return { ...common, after: undefined, learned, notes: [] };
    const { after, notes } = await this.#propose(learned, gathered);
    return { ...common, after, learned, notes };
  }

  async #open(images: readonly string[]): Promise<{ targets: readonly Target[]; failed: readonly UnlearnedImage[] }> {
    const targets: Target[] = [];
    const failed: UnlearnedImage[] = [];
    for (const name of new Set(images)) {
      try {
        targets.push(await this.#lessons.wiring.target(name));
      } catch (error) {
        if (error instanceof CountersignError && error.class === "usage") throw error;
        failed.push({ name, finding: findingUnlessInterrupted(error) });
      }
    }
    return { targets, failed };
  }

  // --- the policy -----------------------------------------------------------------------------------------------------

  /** Without images that the policy accepts, where all of a repository are, and those that it has a rule of its own for. */
  #unblocked(
    learned: readonly LearnedImage[],
    known: ReadonlySet<string>,
  ): { readonly learned: readonly LearnedImage[]; readonly blocked: readonly UnlearnedImage[] } {
    const wanted = new Set(learned.filter(({ name }) => !known.has(name)).map(({ repository }) => repository));
    const blocked = new Map(
      [...wanted].flatMap((repository) => {
        const rule = this.#ownRule(repository);
        return rule === undefined ? [] : [[repository, rule] as const];
      }),
    );
    return {
      learned: learned.filter(({ repository }) => wanted.has(repository) && !blocked.has(repository)),
      blocked: learned.flatMap(({ name, repository }) => {
        const place = blocked.get(repository);
        return place === undefined || known.has(name) ? [] : [{ name, finding: hasRule(repository, place) }];
      }),
    };
  }

  /** Where a rule for exactly this repository stands. */
  #ownRule(repository: string): string | undefined {
    const match = matchingRules(this.#old.document, { repository }).find(({ pattern }) => pattern.text === repository);
    return match === undefined ? undefined : `${match.rule.place.label}:${match.rule.place.line}`;
  }

  async #propose(
    learned: readonly LearnedImage[],
    gathered: readonly GatheredImage[],
  ): Promise<{ readonly after: string; readonly notes: readonly string[] }> {
    const { bytes, document } = this.#old;
    const { identities, rules, notes } = proposeRules(learned, document);
    const used = new Set(identities.map(({ trust }) => trust));
    const extended = extendPolicy(bytes, document, {
      identities: new Map(identities.map((identity) => [identity.name, identity])),
      trust: new Map([...this.#signers.newTrust].filter(([name]) => used.has(name))),
      rules,
    });
    const after = parsePolicy(encodeUtf8(extended.text), document.label);
    await checkLearned(gathered, learned, this.#rulebook(after));
    const rewritten = "it could not be added to as it is written: all of it is written anew, and its comments are lost";
    return {
      after: extended.text,
      notes: [
        ...notes,
        ...this.#displaced(learned),
        ...(extended.isRewritten ? [rewritten] : []),
        ...this.#lint(after),
      ],
    };
  }

  /** Images of these repositories fell under another rule. */
  #displaced(learned: readonly LearnedImage[]): readonly string[] {
    return [...new Set(learned.map(({ repository }) => repository))].flatMap((repository) => {
      const [match] = matchingRules(this.#old.document, { repository });
      if (match === undefined) return [];
      const { label, line } = match.rule.place;
      return [`${repository}: all of its images fell under ${label}:${line} (${match.pattern.text}), and will no more`];
    });
  }

  /** What there is to say of it that there was not before. */
  #lint(after: PolicyDocument): readonly string[] {
    const now = this.#lessons.context.referenceTime;
    const before = new Set(lintPolicy(this.#old.document, { now }).map(({ code, message }) => `${code} ${message}`));
    return lintPolicy(after, { now })
      .filter(({ code, message, severity }) => severity !== "note" && !before.has(`${code} ${message}`))
      .map(({ message, next, place }) => `${place.label}:${place.line}: ${message}; ${next}`);
  }

  #rulebook(document: PolicyDocument): Rulebook {
    const { context, output, wiring, trust, images } = this.#lessons;
    const places = placesOf(images);
    const material = new PolicyFiles(context, output, wiring, {
      folder: this.#signers.folder,
      trust,
      places,
      find: findTrust,
    });
    return openRulebook(document, material, context.referenceTime);
  }
}

function hasRule(repository: string, place: string): UnlearnedImage["finding"] {
  return {
    code: "usage",
    message: "the policy has a rule for exactly this repository, and does not accept the image by it",
    found: `${place}, for ${repository}`,
    next: "look with countersign policy explain why not, and change that rule by hand",
  };
}
