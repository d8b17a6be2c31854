import { CountersignError, toFinding } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { YamlValue } from "../../yaml.ts";
import { type PolicyRequirement, placeName } from "../document.ts";
import { parseImagePattern } from "../image-pattern.ts";
import { readIdentities } from "./cluster-identities.ts";
import { predicateUri } from "./cluster-types.ts";
import { type Imported, Losses } from "./conversion.ts";
import { checkMembers, type KubernetesObject, listOf, readObjects, wordOf } from "./documents.ts";
import { allOf, anyOf, Draft, never, signature, statement } from "./draft.ts";
import { type Check, readChecks } from "./kyverno-checks.ts";
import { readImages } from "./kyverno-images.ts";
import { layRules, type StackedPolicy } from "./stacked.ts";

export const KYVERNO_GROUP = "policies.kyverno.io/";

/**
 * Reads ImageValidatingPolicies, v1alpha1, v1beta1 and v1, of a file that may hold other objects too.
 *
 * @throws CountersignError `policy-invalid`.
 */
export function importKyverno(bytes: Uint8Array, label: string): Imported {
  return new KyvernoReader(label).read(readObjects(bytes, label));
}

const NOTES = [
  "Kyverno admits what no policy is about; here it is refused.",
  "In Kyverno all policies that match have to be met; here the most specific rule decides, and asks what all of them ask.",
  "Kyverno takes any statement in a bundle for an image signature; here a signature has to be one.",
];

const VERSIONS: readonly string[] = ["v1alpha1", "v1beta1", "v1"].map((version) => `${KYVERNO_GROUP}${version}`);
const KINDS: readonly string[] = ["ImageValidatingPolicy", "NamespacedImageValidatingPolicy"];
const SPEC = [
  "matchConstraints",
  "failurePolicy",
  "auditAnnotations",
  "validationActions",
  "matchConditions",
  "variables",
  "validationConfigurations",
  "matchImageReferences",
  "credentials",
  "images",
  "attestors",
  "attestations",
  "validations",
  "webhookConfiguration",
  "evaluation",
  "autogen",
] as const;
const REKOR = "https://rekor.sigstore.dev";

/** Who signs, and what signatures have to carry; or why nobody can be named. */
type Attestor =
  | { readonly by: readonly string[]; readonly annotations: Readonly<Record<string, string>> }
  | { readonly why: string };

class KyvernoReader {
  readonly #label: string;
  readonly #losses: Losses = new Losses();
  readonly #draft: Draft = new Draft();

  constructor(label: string) {
    this.#label = label;
  }

  read(objects: readonly KubernetesObject[]): Imported {
    const policies = objects.flatMap((object) => this.#object(object));
    layRules(policies, this.#draft, this.#losses);
    return this.#draft.finish(this.#label, this.#losses, NOTES);
  }

  #object(object: KubernetesObject): readonly StackedPolicy[] {
    const { apiVersion, kind, place, value, name } = object;
    if (!apiVersion.startsWith(KYVERNO_GROUP) || !KINDS.includes(kind)) {
      this.#losses.add(place, `${kind} ${name}`, "it is no policy that can be imported", "dropped");
      return [];
    }
    if (!VERSIONS.includes(apiVersion)) value.fail(`apiVersion ${apiVersion}`, VERSIONS.join(", "));
    checkMembers(value);
    return [this.#policy(object)];
  }

  #policy({ spec, place, value, name }: KubernetesObject): StackedPolicy {
    const at = spec ?? value.fail("no spec", "spec");
    const fields = at.fields(SPEC);
    const references = listOf(fields.matchImageReferences, "a list of globs").map((one) => this.#reference(one));
    const attestors = new Map(listOf(fields.attestors, "a list of attestors").map((one) => this.#attestor(one)));
    const types = new Map(listOf(fields.attestations, "a list of attestations").map((one) => this.#attestation(one)));
    const validations = listOf(fields.validations, "a list of validations");
    const read = validations.map((one) => this.#validation(one, attestors, types));
    const actions = listOf(fields.validationActions, "a list of actions").map((one) =>
      wordOf(one, ["Deny", "Audit", "Warn"]),
    );
    if (fields.matchConditions !== undefined)
      this.#losses.add(
        placeName(fields.matchConditions.place),
        "matchConditions",
        "it is asked of all images here",
        "stricter",
      );
    return {
      name,
      place,
      patterns: references.length === 0 ? [{ text: "**/" }] : references.flatMap(({ patterns }) => patterns),
      isAboutAllBut: sharedBy(references.flatMap(({ isAboutAllBut }) => isAboutAllBut ?? [])),
      requirement: read.length === 0 ? never("it has no validations") : allOf(read),
      warns: actions.length > 0 && !actions.includes("Deny"),
    };
  }

  /** As patterns, if need be such that match more: there what does not match is admitted. */
  #reference(value: YamlValue): Pick<StackedPolicy, "patterns" | "isAboutAllBut"> {
    const { glob, expression } = value.fields(["glob", "expression"]);
    const [only, ...more] = [glob, expression].filter((one) => one !== undefined);
    if (only === undefined || more.length > 0) value.fail("not one of glob and expression", "one of them");
    const pattern = glob === undefined ? undefined : patternOf(glob.text("a glob"));
    if (pattern !== undefined) return { patterns: [{ text: pattern }] };
    const read = expression === undefined ? undefined : readImages(expression.text("an expression"));
    if (read !== undefined) return read;
    const what = glob?.text("a glob") ?? "an expression";
    this.#losses.add(
      placeName(value.place),
      what,
      "no image pattern says the same; what it asks is asked for all images of the file",
    );
    return { patterns: [], isAboutAllBut: new Set() };
  }

  #attestation(value: YamlValue): readonly [string, string | undefined] {
    const { name, intoto, referrer } = value.fields(["name", "intoto", "referrer"]);
    const text = (name ?? value.fail("no name", "name")).text("a name");
    referrer?.fields(["type"]);
    const { type } = intoto?.fields(["type"]) ?? {};
    return [text, type === undefined ? undefined : predicateUri(type.text("a type"))];
  }

  #attestor(value: YamlValue): readonly [string, Attestor] {
    const { name, cosign, notary } = value.fields(["name", "cosign", "notary"]);
    const text = (name ?? value.fail("no name", "name")).text("a name");
    notary?.fields(["certs", "tsaCerts"]);
    const read: Attestor =
      cosign === undefined
        ? { why: "signatures of notation are not read by policies yet" }
        : this.#cosign(cosign, text);
    if ("why" in read)
      this.#losses.add(placeName(value.place), `attestor ${text}`, `${read.why}; nothing counts as signed by it`);
    return [text, read];
  }

  #cosign(value: YamlValue, name: string): Attestor {
    const fields = value.fields([
      "key",
      "keyless",
      "certificate",
      "source",
      "ctlog",
      "tuf",
      "annotations",
      "trustedRoot",
    ]);
    const { key, keyless, certificate, source, ctlog, tuf, trustedRoot } = fields;
    if ([key, keyless, certificate].filter((one) => one !== undefined).length !== 1)
      value.fail("not one of key, keyless and certificate", "one of them");
    if (source !== undefined)
      this.#losses.add(
        placeName(source.place),
        "source",
        "signatures are looked for where the image is, not elsewhere",
      );
    const annotations = Object.fromEntries(
      fields.annotations?.entries().map(([one, text]) => [one, text.text("a text")]) ?? [],
    );
    const log = logOf(ctlog);
    if (tuf !== undefined || trustedRoot !== undefined || log === "other")
      return { why: "what proves it needs a trust root" };
    if (certificate !== undefined) return { why: "a certificate of one's own authority needs a trust root" };
    const by = key === undefined ? keyless && this.#keyless(keyless) : this.#key(key, name, log);
    return by === undefined || typeof by === "string" ? { why: by ?? "nobody is named" } : { by, annotations };
  }

  #key(value: YamlValue, name: string, log: "none" | "public"): readonly string[] | string {
    const { data, kms, hashAlgorithm, expression } = value.fields(["data", "kms", "hashAlgorithm", "expression"]);
    if (data === undefined)
      return kms === undefined && expression === undefined
        ? value.fail("no key", "data")
        : "a key in a KMS or of an expression cannot be looked at";
    const pem = data.text("a public key in PEM");
    const label = placeName(data.place);
    const holder = naming(data, () =>
      log === "public" ? this.#draft.loggedKeyPem(pem, name, label) : this.#draft.keyPem(pem, name, label),
    );
    return (hashAlgorithm?.text("sha256") ?? "sha256") === "sha256" ? [holder] : "keys are used with SHA-256 here";
  }

  #keyless(value: YamlValue): readonly string[] | string {
    const { identities, roots } = value.fields(["identities", "roots"]);
    const read = readIdentities(listOf(identities, "a list of identities"), this.#draft);
    if (read.length === 0) value.fail("no identities", "at least one");
    return roots === undefined ? read : "a certificate authority of its own needs a trust root";
  }

  #validation(
    value: YamlValue,
    attestors: ReadonlyMap<string, Attestor>,
    types: ReadonlyMap<string, string | undefined>,
  ): PolicyRequirement {
    const { expression, message } = value.fields(["expression", "message", "messageExpression", "reason"]);
    const at = expression ?? value.fail("no expression", "expression");
    const checks = readChecks(at.text("an expression"));
    const read = checks?.map((check) => requirementOf(check, attestors, types));
    if (read !== undefined && !read.includes(undefined)) {
      return read.length === 0
        ? never(message?.text("a message") ?? "refused by a validation")
        : anyOf(read.flatMap((one) => one ?? []));
    }
    this.#losses.add(
      placeName(at.place),
      "validation",
      "its expression is none that can be read as a requirement; refused",
    );
    return never(`a validation of ${this.#label} that has no equal here`);
  }
}

/** What none of them is about; undefined where there are none. */
function sharedBy(all: readonly ReadonlySet<string>[]): ReadonlySet<string> | undefined {
  const [first, ...rest] = all;
  return first === undefined ? undefined : new Set([...first].filter((one) => rest.every((other) => other.has(one))));
}

function requirementOf(
  { attestors: names, attestation: type, count }: Check,
  attestors: ReadonlyMap<string, Attestor>,
  types: ReadonlyMap<string, string | undefined>,
): PolicyRequirement | undefined {
  const uri = type === undefined ? undefined : types.get(type);
  if (type !== undefined && uri === undefined) return undefined;
  const known = names.map((name) => attestors.get(name));
  if (known.includes(undefined)) return undefined;
  const readable = known.flatMap((one) => (one === undefined || "why" in one ? [] : [one]));
  if (count === 1) return anyOf(readable.map(({ by, annotations }) => asked(by, annotations, uri, 1)));
  const by = new Set(readable.flatMap((one) => one.by));
  const isPlain = readable.every((one) => one.by.length === 1 && Object.keys(one.annotations).length === 0);
  return isPlain && by.size >= count
    ? asked([...by], {}, uri, count)
    : never("so many different signers cannot be told apart here");
}

function asked(
  by: readonly string[],
  annotations: Readonly<Record<string, string>>,
  uri: string | undefined,
  threshold: number,
): PolicyRequirement {
  if (uri === undefined) return signature(by, { annotations, threshold });
  return Object.keys(annotations).length === 0
    ? statement(by, uri, threshold)
    : never("annotations of attestations are not compared here");
}

function logOf(ctlog: YamlValue | undefined): "none" | "public" | "other" {
  const fields =
    ctlog?.fields(["url", "rekorPubKey", "ctLogPubKey", "tsaCertChain", "insecureIgnoreTlog", "insecureIgnoreSCT"]) ??
    {};
  const { url, rekorPubKey, ctLogPubKey, tsaCertChain, insecureIgnoreTlog } = fields;
  if (rekorPubKey !== undefined || ctLogPubKey !== undefined || tsaCertChain !== undefined) return "other";
  if (insecureIgnoreTlog?.truth() === true) return "none";
  return (url?.text("a URL") ?? REKOR) === REKOR ? "public" : "other";
}

function naming<Result>(at: YamlValue, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    const { message, found, wanted } = toFinding(thrown);
    return at.fail(found === undefined ? message : `${message}: ${found}`, wanted ?? "a public key");
  }
}

/** Their stars cross slashes and stand for tags as well. */
function patternOf(glob: string): string | undefined {
  if (glob.length > LIMITS.imagePatternCharacters) return undefined;
  if (/^\*+(?:\/\*+)?$/.test(glob)) return "**/";
  if (/[?[\]{}\\!]/.test(glob)) return undefined;
  const [, name = "", version = ""] = /^([^@]*?)((?::[^/]*)?(?:@.*)?)$/.exec(glob) ?? [];
  const full = fullName(name.replace(/\*+/g, "**"));
  if (full === undefined) return undefined;
  const exact =
    /^:[A-Za-z0-9_][A-Za-z0-9._-]*$|^@sha256:[0-9a-f]{64}$/.test(version) && !full.includes("*") ? version : "";
  return parses(`${full}${exact}`) ? `${full}${exact}` : undefined;
}

/** With its registry; undefined where a star could be a part of that. */
function fullName(name: string): string | undefined {
  const [first = "", ...rest] = name.split("/");
  if (first.includes("*")) return undefined;
  if (rest.length === 0) return `docker.io/library/${name}`;
  const isHost = first === "localhost" || /[.:]/.test(first);
  if (!isHost) return `docker.io/${name}`;
  const isHub = /^(?:index\.|registry-1\.)?docker\.io$/.test(first);
  return isHub && rest.length === 1 ? `docker.io/library/${rest[0] ?? ""}` : name;
}

function parses(pattern: string): boolean {
  try {
    parseImagePattern(pattern);
    return true;
  } catch {
    return false;
  }
}
