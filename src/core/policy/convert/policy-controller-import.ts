import { CountersignError, toFinding } from "../../errors.ts";
import type { YamlValue } from "../../yaml.ts";
import type { PolicyRequirement } from "../document.ts";
import { placeName } from "../document.ts";
import { parseImagePattern } from "../image-pattern.ts";
import { readIdentities } from "./cluster-identities.ts";
import { predicateUri } from "./cluster-types.ts";
import { type Imported, Losses } from "./conversion.ts";
import { checkMembers, type KubernetesObject, listOf, readObjects, wordOf } from "./documents.ts";
import { allOf, anyOf, Draft, never, signature, statement } from "./draft.ts";
import { layRules, type StackedPolicy } from "./stacked.ts";

const GROUP = "policy.sigstore.dev/";

/** A policy, or what the controller does where none is about an image. */
export function isOfPolicyController(object: KubernetesObject): boolean {
  return object.apiVersion.startsWith(GROUP) || isConfiguration(object);
}

function isConfiguration({ apiVersion, kind, name }: KubernetesObject): boolean {
  return apiVersion === "v1" && kind === "ConfigMap" && name === "config-policy-controller";
}

/**
 * Reads ClusterImagePolicies, v1alpha1 and v1beta1, of a file that may hold other objects too.
 *
 * @throws CountersignError `policy-invalid`.
 */
export function importPolicyController(bytes: Uint8Array, label: string): Imported {
  const reader = new ClusterReader(label);
  return reader.read(readObjects(bytes, label));
}

const NOTES = [
  "In policy-controller all policies that match have to be met; here the most specific rule decides, and asks what all of them ask.",
  "It reads image signatures in the form cosign-legacy without comparing the repository in them; here it is compared.",
];

const VERSIONS: readonly string[] = ["policy.sigstore.dev/v1alpha1", "policy.sigstore.dev/v1beta1"];
const FULCIO = "https://fulcio.sigstore.dev";
const REKOR = "https://rekor.sigstore.dev";
const AUTHORITY = [
  "name",
  "key",
  "keyless",
  "static",
  "source",
  "ctlog",
  "attestations",
  "rfc3161timestamp",
  "signatureFormat",
] as const;

type AuthorityFields = Readonly<Partial<Record<(typeof AUTHORITY)[number], YamlValue>>>;

class ClusterReader {
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
    if (isConfiguration(object)) return this.#configuration(object);
    if (!apiVersion.startsWith(GROUP) || kind !== "ClusterImagePolicy") {
      this.#losses.add(place, `${kind} ${name}`, "it is no policy that can be imported", "dropped");
      return [];
    }
    if (!VERSIONS.includes(apiVersion)) value.fail(`apiVersion ${apiVersion}`, VERSIONS.join(" or "));
    checkMembers(value);
    return [this.#policy(object)];
  }

  #configuration({ value }: KubernetesObject): readonly [] {
    const data = value.entries().find(([name]) => name === "data")?.[1];
    const noMatch = data?.entries().find(([name]) => name === "no-match-policy")?.[1];
    const word = noMatch?.text("deny, warn or allow") ?? "deny";
    if (noMatch !== undefined && word !== "deny") {
      this.#losses.add(placeName(noMatch.place), `no-match-policy: ${word}`, "what no policy is about is refused here");
    }
    return [];
  }

  #policy({ spec, place, value, name }: KubernetesObject): StackedPolicy {
    const at = spec ?? value.fail("no spec", "spec");
    const fields = at.fields(["images", "authorities", "policy", "mode", "match"]);
    const images = listOf(fields.images, "a list of globs");
    if (images.length === 0) at.fail("no images", "images: at least one glob");
    const globs = images.map((image) => {
      const { glob } = image.fields(["glob"]);
      return glob ?? image.fail("no glob", "glob");
    });
    const read = globs.map((glob) => this.#glob(glob));
    const warns = fields.mode !== undefined && wordOf(fields.mode, ["enforce", "warn"]) === "warn";
    return {
      name,
      place,
      patterns: read.flatMap(({ pattern }) => (pattern === undefined ? [] : [{ text: pattern }])),
      isAboutAllBut: read.some(({ pattern }) => pattern === undefined) ? new Set() : undefined,
      requirement: read.every(({ matches }) => matches)
        ? this.#requirement(fields)
        : never("its globs match nothing in policy-controller"),
      // What matches nothing there opens nothing.
      warns: warns && read.every(({ matches }) => matches),
    };
  }

  /** As it is compared with `registry/repository@digest`: what stands for no digest matches nothing. */
  #glob(value: YamlValue): { readonly pattern: string | undefined; readonly matches: boolean } {
    const glob = value.text("a glob");
    if (!/^[a-zA-Z0-9-_:/*.@]+$/.test(glob)) value.fail(JSON.stringify(glob), "letters, digits and -_:/*.@");
    const { name, matches } = nameOf(glob);
    const pattern = patternOf(name);
    const place = placeName(value.place);
    if (pattern === undefined)
      this.#losses.add(place, glob, "no image pattern says the same; what it asks is asked for all images of the file");
    if (!matches)
      this.#losses.add(
        place,
        glob,
        "policy-controller compares it with repository@digest, which it cannot match; refused",
      );
    return { pattern, matches };
  }

  #requirement({
    authorities,
    policy,
    match,
  }: Readonly<Partial<Record<"authorities" | "policy" | "match", YamlValue>>>): PolicyRequirement | "open" {
    const read = listOf(authorities, "a list of authorities").map((authority) => this.#authority(authority));
    if (policy !== undefined) return this.#lost(policy, "policy", "CUE and Rego are not evaluated here");
    if (match !== undefined) return this.#lost(match, "match", "which objects an image is used in is not known here");
    if (read.length === 0) return never("it has no authorities");
    const asking = read.flatMap((one) => (one === "open" ? [] : [one]));
    return asking.length < read.length ? "open" : anyOf(asking);
  }

  #authority(authority: YamlValue): PolicyRequirement | "open" {
    const fields = authority.fields(AUTHORITY);
    const kinds = [fields.key, fields.keyless, fields.static].filter((one) => one !== undefined);
    if (kinds.length !== 1) authority.fail(`${kinds.length} of key, keyless and static`, "one of them");
    fields.name?.text("a name");
    if (fields.signatureFormat !== undefined) wordOf(fields.signatureFormat, ["legacy", "bundle"]);
    if (fields.static !== undefined) return this.#static(fields.static);
    const types = listOf(fields.attestations, "a list of attestations").map((one) => this.#attestationType(one));
    const signers = fields.key === undefined ? this.#keyless(fields) : this.#key(fields);
    if (fields.source !== undefined) this.#losses.add(placeName(fields.source.place), "source", SOURCE);
    if (typeof signers === "string") return this.#lost(authority, "an authority", signers);
    if (types.includes(undefined)) return never("CUE and Rego are not evaluated here");
    const known = types.flatMap((type) => type ?? []);
    return known.length === 0 ? signature(signers) : allOf(known.map((type) => statement(signers, type)));
  }

  #static(value: YamlValue): PolicyRequirement | "open" {
    const { action, message } = value.fields(["action", "message"]);
    const word = wordOf(action ?? value.fail("no action", "pass or fail"), ["pass", "fail"]);
    return word === "pass" ? "open" : never(message?.text("a message") ?? "disallowed by a static policy");
  }

  /** undefined where more is asked of it than that it is there. */
  #attestationType(value: YamlValue): string | undefined {
    const { name, predicateType, policy } = value.fields(["name", "predicateType", "policy"]);
    (name ?? value.fail("no name", "name")).text("a name");
    const at = predicateType ?? value.fail("no predicateType", "predicateType");
    const uri = predicateUri(at.text("a type"));
    if (policy !== undefined) this.#lost(policy, "policy of an attestation", "CUE and Rego are not evaluated here");
    if (uri === undefined) this.#lost(at, "predicateType", "it is neither a name of cosign's nor a URI");
    return policy === undefined ? uri : undefined;
  }

  /** The name of the key's holder, or why it cannot be told. */
  #key({ key, ctlog, rfc3161timestamp }: AuthorityFields): readonly string[] | string {
    const { data, secretRef, kms, hashAlgorithm } = key?.fields(["data", "secretRef", "kms", "hashAlgorithm"]) ?? {};
    if (data === undefined)
      return secretRef === undefined && kms === undefined ? (key?.fail("no key", "data") ?? []) : SECRET;
    const pem = data.text("a public key in PEM");
    const log = this.#log(ctlog);
    const isLogged = log === "public";
    const label = placeName(data.place);
    const name = naming(data, () =>
      isLogged ? this.#draft.loggedKeyPem(pem, "key", label) : this.#draft.keyPem(pem, "key", label),
    );
    if (log === "other") return LOG;
    if (rfc3161timestamp !== undefined) return TIMESTAMP;
    if ((hashAlgorithm?.text("sha256") ?? "sha256") !== "sha256") return "keys are used with SHA-256 here";
    return [name];
  }

  #keyless({ keyless, ctlog, rfc3161timestamp }: AuthorityFields): readonly string[] | string {
    const {
      url,
      identities,
      "ca-cert": authority,
      trustRootRef,
      insecureIgnoreSCT,
    } = keyless?.fields(["url", "identities", "ca-cert", "trustRootRef", "insecureIgnoreSCT"]) ?? {};
    const read = readIdentities(listOf(identities, "a list of identities"), this.#draft);
    if (read.length === 0) keyless?.fail("no identities", "at least one");
    if (insecureIgnoreSCT?.truth() === true)
      this.#losses.add(placeName(insecureIgnoreSCT.place), "insecureIgnoreSCT", SCT);
    const isPublic = authority === undefined && trustRootRef === undefined && (url?.text("a URL") ?? FULCIO) === FULCIO;
    if (!isPublic) return "a certificate authority of its own needs a trust root";
    if (rfc3161timestamp !== undefined) return TIMESTAMP;
    return this.#log(ctlog) === "other" ? LOG : read;
  }

  #log(ctlog: YamlValue | undefined): "none" | "public" | "other" {
    if (ctlog === undefined) return "none";
    const { url, trustRootRef } = ctlog.fields(["url", "trustRootRef"]);
    return trustRootRef === undefined && (url?.text("a URL") ?? REKOR) === REKOR ? "public" : "other";
  }

  #lost(at: YamlValue, what: string, why: string): PolicyRequirement {
    this.#losses.add(placeName(at.place), what, `${why}; what asks for it is refused`);
    return never(`${why}`);
  }
}

const SOURCE = "signatures are looked for where the image is, not elsewhere";
const SECRET = "a key in a cluster's secret or a KMS cannot be looked at";
const LOG = "a log of its own needs a trust root";
const TIMESTAMP = "a timestamp authority of its own needs a trust root";
const SCT = "that a certificate was logged is asked for all the same";

function naming<Result>(at: YamlValue, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    const { message, found, wanted } = toFinding(thrown);
    return at.fail(found === undefined ? message : `${message}: ${found}`, wanted ?? "a public key");
  }
}

/** What a glob says of the repository, and whether a digest may follow. */
function nameOf(glob: string): { readonly name: string; readonly matches: boolean } {
  const whole = glob === "*" ? "index.docker.io/library/*" : glob === "*/*" ? "index.docker.io/*/*" : glob;
  const at = whole.indexOf("@");
  if (at !== -1) {
    const digest = whole.slice(at + 1);
    if (/^(?:\*\*?|sha256:\*\*?)$/.test(digest)) return { name: whole.slice(0, at), matches: true };
    return { name: whole, matches: /^sha256:[0-9a-f]{64}$/.test(digest) };
  }
  const last = whole.slice(whole.lastIndexOf("/") + 1);
  if (last.includes(":") && whole.includes("/"))
    return { name: whole.slice(0, whole.lastIndexOf(":")), matches: false };
  return { name: whole, matches: whole.endsWith("*") };
}

/** The same as an image pattern; undefined where there is none. */
function patternOf(name: string): string | undefined {
  const [host = ""] = name.split("/", 1);
  const isAny = /^\*\*(?:\/\*\*)?$/.test(name);
  if (isAny) return "**/";
  if (host.includes("*") && host !== "**" && !/^\*\.(?!.*docker\.io)[^*]*$/.test(host)) return undefined;
  try {
    parseImagePattern(name);
    return name.endsWith("/**") ? name.slice(0, -2) : name;
  } catch {
    return undefined;
  }
}
