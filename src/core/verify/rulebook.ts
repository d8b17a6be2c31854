import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { PolicyDocument, Rule, WithdrawnList } from "../policy/document.ts";
import { matchesImage, matchRule, type RuleMatch } from "../policy/images.ts";
import type { Instant } from "../time.ts";
import { Compiler, type RuleMaterial } from "./compile.ts";
import type { Criterion, ImageName, Leaf, PolicyStamp, Rulebook, RuledException, Ruling } from "./criterion.ts";
import type { Requirement } from "./requirement.ts";

/** What a policy names and does not hold: keys, trust roots, lists of digests. */
export interface PolicyMaterial extends RuleMaterial {
  /**
   * What a list takes back, once it is proven to be by one of the signers and recent enough.
   *
   * @throws CountersignError `policy-invalid`, `policy-untrusted`, `trust-stale`: without the list nothing is accepted.
   */
  withdrawnBy(list: WithdrawnList, signers: Requirement): Promise<ReadonlyMap<Digest, Finding>>;
}

/** A policy as what it says of images. Rules are compiled, and what they name is read, when an image first falls under them. */
export function openRulebook(document: PolicyDocument, material: PolicyMaterial, now: Instant): Rulebook {
  return new PolicyRulebook(document, material, now);
}

class PolicyRulebook implements Rulebook {
  readonly now: Instant;
  readonly policy: PolicyStamp;
  readonly #document: PolicyDocument;
  readonly #material: PolicyMaterial;
  readonly #compiler: Compiler;
  readonly #criteria = new Map<Rule, Promise<Criterion>>();
  #withdrawn: Promise<ReadonlyMap<Digest, Finding>> | undefined;

  constructor(document: PolicyDocument, material: PolicyMaterial, now: Instant) {
    this.now = now;
    this.policy = { label: document.label, digest: document.digest };
    this.#document = document;
    this.#material = material;
    this.#compiler = new Compiler(document, material, now);
  }

  async rulingOf(image: ImageName): Promise<Ruling> {
    const match = matchRule(this.#document, image);
    if (match === undefined) return this.#noRule(image);
    const { rule } = match;
    const [criterion, withdrawn] = await Promise.all([this.#criterionOf(rule), this.#withdrawnDigests()]);
    return {
      criterion: withBinding(withNames(criterion, namesFor(rule, image)), rule),
      platforms: rule.platforms,
      exceptions: exceptionsFor(rule, image),
      withdrawn,
      policy: this.#stamp(match),
    };
  }

  digestPulls(image: ImageName): Rule["digestPulls"] {
    return matchRule(this.#document, image)?.rule.digestPulls;
  }

  #noRule(image: ImageName): Ruling {
    const finding: Finding = {
      code: "no-policy",
      message: "the policy has no rule for this image",
      found: nameOf(image),
      wanted: `an image that a rule of ${this.#document.label} matches`,
      ...(image.repository === undefined && { next: "say by whose rules it is judged: --as NAME" }),
    };
    const criterion: Criterion = { kind: "never", finding };
    return { criterion, platforms: "index", exceptions: [], withdrawn: new Map(), policy: this.policy };
  }

  #stamp({ rule: { name, place, mode }, pattern }: RuleMatch): PolicyStamp {
    return { ...this.policy, rule: { name, place, pattern: pattern.text, mode } };
  }

  /** What failed is tried again for the next image: it may have been the network. */
  #criterionOf(rule: Rule): Promise<Criterion> {
    const known = this.#criteria.get(rule);
    if (known !== undefined) return known;
    const criterion = this.#compiler.criterion(rule.require);
    this.#criteria.set(rule, criterion);
    criterion.catch(() => this.#criteria.delete(rule));
    return criterion;
  }

  #withdrawnDigests(): Promise<ReadonlyMap<Digest, Finding>> {
    if (this.#withdrawn !== undefined) return this.#withdrawn;
    const withdrawn = this.#readWithdrawn();
    this.#withdrawn = withdrawn;
    withdrawn.catch(() => {
      this.#withdrawn = undefined;
    });
    return withdrawn;
  }

  async #readWithdrawn(): Promise<ReadonlyMap<Digest, Finding>> {
    const lists = await Promise.all(
      this.#document.withdrawn.map(async (list) =>
        this.#material.withdrawnBy(list, await this.#compiler.signers(list.by)),
      ),
    );
    return new Map(lists.flatMap((list) => [...list]));
  }
}

/** As the user would name it. */
function nameOf({ repository = "a file that has no name", tag, digest }: ImageName): string {
  return `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function exceptionsFor({ exceptions }: Rule, image: ImageName): readonly RuledException[] {
  return exceptions.flatMap(({ images, ...exception }) => {
    const coversName = matchesImage(images, image);
    return coversName || exception.digests.length > 0 ? [{ ...exception, coversName }] : [];
  });
}

// --- other names ------------------------------------------------------------------------------------------------------

/** What the image may have been called when it was signed. */
function namesFor({ signedAs }: Rule, { repository = "" }: ImageName): readonly string[] {
  return signedAs.flatMap((each) => {
    if (each.kind === "name") return [each.repository];
    const { prefix, signedPrefix } = each;
    return repository.startsWith(prefix) ? [`${signedPrefix}${repository.slice(prefix.length)}`] : [];
  });
}

/** A signed tag beside what is required of evidence. Where nothing else is required, it is there already. */
function withBinding(criterion: Criterion, { signedTag, maxBindingAge, require, place }: Rule): Criterion {
  if (signedTag !== "required") return criterion;
  const binding: Criterion = { kind: "binding", maxAge: maxBindingAge, place };
  return require.kind === "signedTag" ? binding : { kind: "all", of: [criterion, binding], place };
}

function withNames(criterion: Criterion, signedAs: readonly string[]): Criterion {
  if (signedAs.length === 0) return criterion;
  const named = <Each extends Leaf>(leaf: Each): Each => {
    if (leaf.kind === "binding") return leaf;
    if (leaf.kind === "evidence") return { ...leaf, requirement: { ...leaf.requirement, signedAs } };
    return { ...leaf, scan: { ...leaf.scan, signedAs } };
  };
  switch (criterion.kind) {
    case "all":
    case "any":
      return { ...criterion, of: criterion.of.map((each) => withNames(each, signedAs)) };
    case "threshold":
      return { ...criterion, of: criterion.of.map(named) };
    case "never":
      return criterion;
    default:
      return named(criterion);
  }
}
