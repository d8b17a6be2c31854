import { basename, dirname, extname, relative, resolve, sep } from "node:path";
import { decodeUtf8, encodeUtf8 } from "../core/bytes.ts";
import { type PublicKey, publicKeyPem } from "../core/crypto/public-key.ts";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { KeyIdentity, PolicyDocument, TrustReference } from "../core/policy/document.ts";
import { extendPolicy } from "../core/policy/extend.ts";
import { matchingRules } from "../core/policy/images.ts";
import { lintPolicy } from "../core/policy/lint.ts";
import { parsePolicy } from "../core/policy/parse.ts";
import { reasonClass } from "../core/reasons.ts";
import type { Everybody } from "../core/verify/carried.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import type { Believed } from "../core/verify/exhibit.ts";
import { type LearnedImage, proposeRules, type UnlearnedImage } from "../core/verify/learned.ts";
import { openRulebook } from "../core/verify/rulebook.ts";
import { readNamedFile } from "../io/config/file.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { parseKeyReference } from "../io/keys/reference.ts";
import {
  acceptedBy,
  checkLearned,
  type GatheredImage,
  gatherImages,
  isUnproven,
  learnFrom,
  type NameSigner,
  needsTrust,
} from "../ops/learn.ts";
import type { Target } from "../ops/verify.ts";
import { type Learning, learningDocument, learningLines, learningText } from "../report/learn.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { openWiring, placesOf } from "./images.ts";
import { flag, list, type RawOptions, readRegistryOptions, text } from "./options.ts";
import { type Output, styleFor } from "./output.ts";
import { PolicyFiles } from "./policy-material.ts";
import { namesTrust } from "./signer-options.ts";
import { findTrust } from "./trust.ts";
import { readTrustOptions, refuseRegistriesOffline, type TrustOptions } from "./trust-options.ts";

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
    const student = new Student(
      { context, output, wiring, trust, images, keys: list(raw, "key") },
      await readOld(context, file),
    );
    const learning = await student.learn();
    if (writes && learning.after !== undefined && file !== undefined) {
      await writeFileAtomic(resolve(context.workingDirectory, file), encodeUtf8(learning.after), { mode: 0o644 });
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

interface Lessons {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly trust: TrustOptions;
  readonly images: readonly string[];
  /** Keys that may be learned, as the user names them. */
  readonly keys: readonly string[];
}

class Student {
  readonly #lessons: Lessons;
  readonly #old: OldPolicy;
  /** By the label under which a root proves. */
  readonly #trustNames = new Map<string, string>();
  readonly #trust = new Map<string, TrustReference>();
  readonly #keySources = new Map<string, { source: KeyIdentity["keys"][number]["source"]; calledAfter: string }>();

  constructor(lessons: Lessons, old: OldPolicy) {
    this.#lessons = lessons;
    this.#old = old;
  }

  async learn(): Promise<Learning> {
    const { context, wiring, images } = this.#lessons;
    const opened = await this.#open(images);
    const { gathered, unlearned } = await gatherImages(opened.targets, {
      now: context.referenceTime,
      cache: wiring.cache,
    });
    const known =
      this.#old.bytes === undefined
        ? new Set<string>()
        : await acceptedBy(gathered, this.#rulebook(this.#old.document));
    const everybody = await this.#everybody(gathered);
    const lesson = learnFrom(gathered, everybody, this.#nameSigner);
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

  // --- whom to believe ------------------------------------------------------------------------------------------------

  async #everybody(images: readonly GatheredImage[]): Promise<Everybody> {
    const { context, trust } = this.#lessons;
    const keys = await Promise.all(this.#lessons.keys.map((key) => this.#readKey(key)));
    refusePublishedKeys(keys, placesOf(this.#lessons.images));
    const everybody: Everybody = { keys, roots: [], now: context.referenceTime };
    if (!needsTrust(images)) return everybody;
    const usual = { ...everybody, roots: [await this.#root(trust)] };
    if (namesTrust(trust) || !isUnproven(images, usual)) return usual;
    // GitHub signs what comes from private repositories by an instance of its own.
    const github = await this.#root({ ...trust, instance: "github" }).catch(findingUnlessInterrupted);
    return "trust" in github ? { ...usual, roots: [...usual.roots, github] } : usual;
  }

  async #readKey(reference: string): Promise<PublicKey> {
    const { context, output } = this.#lessons;
    const key = await loadPublicKey(reference, { ...context, warn: output.warn });
    const isFile = parseKeyReference(reference).kind === "file";
    const source = isFile
      ? ({ kind: "file", path: this.#fromPolicy(reference) } as const)
      : ({ kind: "pem", pem: publicKeyPem(key) } as const);
    this.#keySources.set(key.fingerprint, { source, calledAfter: basename(reference, extname(reference)) });
    return key;
  }

  async #root(flags: TrustOptions): Promise<Believed> {
    const { context, output, wiring } = this.#lessons;
    const { bytes, label, demands, instance } = await findTrust(context, output, flags, wiring);
    const { loadTrustMaterial } = await import("../core/trust/load.ts");
    this.#trustNames.set(label, instance ?? this.#trustFile(flags.trustedRoot ?? label));
    return { trust: await loadTrustMaterial(bytes, label), demands };
  }

  /** What the policy calls a trust root in a file: as it does already, else after the file. */
  #trustFile(file: string): string {
    const path = this.#fromPolicy(file);
    const { trust } = this.#old.document;
    const known = [...trust.values()].find(({ source }) => source.kind === "file" && source.path === path);
    if (known !== undefined) return known.name;
    const plain = basename(file, extname(file))
      .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "");
    const name =
      ["", "-2", "-3", "-4"].map((suffix) => `${plain || "root"}${suffix}`).find((each) => !trust.has(each)) ??
      "learned";
    this.#trust.set(name, { name, source: { kind: "file", path }, proof: {}, place: NOWHERE });
    return name;
  }

  /** What a policy names is beside it. */
  #fromPolicy(file: string): string {
    const { workingDirectory } = this.#lessons.context;
    return relative(this.#folder, resolve(workingDirectory, file)).split(sep).join("/");
  }

  get #folder(): string {
    return dirname(resolve(this.#lessons.context.workingDirectory, this.#old.document.label));
  }

  readonly #nameSigner: NameSigner = (signedBy, trust) => {
    if (signedBy.kind === "key") {
      const known = this.#keySources.get(signedBy.fingerprint);
      return known === undefined ? undefined : { kind: "key", fingerprint: signedBy.fingerprint, ...known };
    }
    const name = trust === undefined ? undefined : this.#trustNames.get(trust);
    if (name === undefined || signedBy.identity.issuer === "") return undefined;
    return { kind: "identity", identity: signedBy.identity, trust: name };
  };

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
      trust: new Map([...this.#trust].filter(([name]) => used.has(name))),
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
    const material = new PolicyFiles(context, output, wiring, { folder: this.#folder, trust, places, find: findTrust });
    return openRulebook(document, material, context.referenceTime);
  }
}

const NOWHERE = { label: "", line: 1, column: 1 };

function hasRule(repository: string, place: string): UnlearnedImage["finding"] {
  return {
    code: "usage",
    message: "the policy has a rule for exactly this repository, and does not accept the image by it",
    found: `${place}, for ${repository}`,
    next: "look with countersign policy explain why not, and change that rule by hand",
  };
}
