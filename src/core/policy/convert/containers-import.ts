import { CountersignError, toFinding } from "../../errors.ts";
import { parseReference, repositoryName } from "../../oci/reference.ts";
import type { PolicyRequirement } from "../document.ts";
import { type Imported, Losses } from "./conversion.ts";
import { allOf, Draft, never, signature } from "./draft.ts";
import { JsonReader } from "./json-reader.ts";

/**
 * Reads a `policy.json` as containers-policy.json(5) has it: what it does not know it refuses, as the tools do.
 *
 * @throws CountersignError `policy-invalid`.
 */
export function importContainers(bytes: Uint8Array, label: string): Imported {
  return new ContainersReader(label).read(JsonReader.open(bytes, label));
}

const NOTES = [
  "policy.json judges the manifest of a platform; countersign judges what the name stands for, which may be an index.",
  "Signatures in bundles count here too, where they name the repository; policy.json knows the form cosign-legacy alone.",
];

const KEYS = ["keyPath", "keyPaths", "keyData", "keyDatas"] as const;
const LOG_KEYS = ["rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas"] as const;
const SIGNED = ["type", ...KEYS, "fulcio", "pki", ...LOG_KEYS, "signedIdentity"] as const;
const TYPES = ["insecureAcceptAnything", "reject", "signedBy", "signedBaseLayer", "sigstoreSigned"] as const;
const MATCHES = [
  "matchExact",
  "matchRepoDigestOrExact",
  "matchRepository",
  "exactReference",
  "exactRepository",
  "remapIdentity",
] as const;

class ContainersReader {
  readonly #label: string;
  readonly #losses: Losses = new Losses();
  readonly #draft: Draft = new Draft();

  constructor(label: string) {
    this.#label = label;
  }

  read(root: JsonReader): Imported {
    const fields = root.fields(["default", "transports"]);
    const fallback = fields.default ?? root.fail("no default", "default: a list of requirements");
    const transports = fields.transports?.entries() ?? [];
    const docker = transports.find(([name]) => name === "docker")?.[1];
    const hasOwnDefault = docker?.entries().some(([scope]) => scope === "") ?? false;
    this.#scope("", fallback, hasOwnDefault);
    for (const [scope, requirements] of docker?.entries() ?? []) this.#scope(scope, requirements, false);
    for (const [name, scopes] of transports) if (name !== "docker") this.#otherTransport(name, scopes);
    return this.#draft.finish(this.#label, this.#losses, NOTES);
  }

  #otherTransport(name: string, scopes: JsonReader): void {
    for (const [, requirements] of scopes.entries()) this.#read(requirements, "");
    this.#losses.add(scopes.place, `transport ${name}`, OTHER_TRANSPORT, "dropped");
  }

  /** Requirements that are overruled are read too: what is wrong with a file is wrong wherever it stands. */
  #scope(scope: string, requirements: JsonReader, isOverruled: boolean): void {
    const patterns = patternsOf(scope, requirements);
    const read = this.#read(requirements, scope);
    if (isOverruled || (scope === "" && read === "reject")) return;
    if (scope.includes("@") && read !== "reject") {
      const require = this.#lost(requirements, "a scope with a digest", DIGEST);
      this.#draft.rule({ patterns, require });
      return;
    }
    const name = scope === "" ? "what is not named" : scope;
    if (read === "reject") this.#draft.rule({ patterns, require: never(`${this.#label} rejects it`) });
    else if (read === "open") {
      this.#losses.add(requirements.place, "insecureAcceptAnything", OPEN, "dropped");
      this.#draft.rule({ name: `${name} is let through unsigned`, patterns, mode: "warn", require: never(UNSIGNED) });
    } else this.#draft.rule({ patterns, require: allOf(read) });
  }

  /** All of them have to be met. */
  #read(requirements: JsonReader, scope: string): "reject" | "open" | readonly PolicyRequirement[] {
    const read = requirements.someItems().map((requirement) => this.#requirement(requirement, scope));
    if (read.includes("reject")) return "reject";
    const asking = read.flatMap((one) => (typeof one === "string" ? [] : [one]));
    return asking.length === 0 ? "open" : asking;
  }

  #requirement(requirement: JsonReader, scope: string): "reject" | "open" | PolicyRequirement {
    const type = requirement.entries().find(([name]) => name === "type")?.[1] ?? requirement.fail("no type", "type");
    switch (type.oneOf(TYPES)) {
      case "insecureAcceptAnything":
        requirement.fields(["type"]);
        return "open";
      case "reject":
        requirement.fields(["type"]);
        return "reject";
      case "sigstoreSigned":
        return this.#signed(requirement, scope);
      case "signedBy":
        return this.#signedBy(requirement);
      default:
        checkIdentity(requirement.fields(["type", "baseLayerIdentity"]).baseLayerIdentity);
        return this.#lost(requirement, "signedBaseLayer", "no tool implements it: it accepts nothing there either");
    }
  }

  #signedBy(requirement: JsonReader): PolicyRequirement {
    const fields = requirement.fields(["type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"]);
    (fields.keyType ?? requirement.fail("no keyType", "keyType")).oneOf(KEY_TYPES);
    requireOne(requirement, [fields.keyPath, fields.keyPaths, fields.keyData], "keyPath, keyPaths and keyData");
    checkIdentity(fields.signedIdentity);
    return this.#lost(requirement, "signedBy", "signatures by OpenPGP keys are not read here");
  }

  #signed(requirement: JsonReader, scope: string): PolicyRequirement {
    const fields = requirement.fields(SIGNED);
    const { fulcio, pki } = fields;
    requireOne(requirement, [...KEYS.map((name) => fields[name]), fulcio, pki], `${KEYS.join(", ")}, fulcio and pki`);
    const logs = LOG_KEYS.flatMap((name) => fields[name] ?? []);
    if (logs.length > 1) requirement.fail("several members with Rekor's keys", "one of them");
    if (fulcio !== undefined && logs.length === 0) requirement.fail("fulcio without Rekor's key", "rekorPublicKeyPath");
    if (pki !== undefined && logs.length > 0) requirement.fail("pki with Rekor's key", "pki alone");
    const problem = problemOfIdentity(fields.signedIdentity, scope);
    if (fulcio !== undefined) return this.#lost(requirement, "fulcio", AUTHORITY);
    if (pki !== undefined) return this.#lost(requirement, "pki", AUTHORITY);
    const names = this.#keys(fields);
    if (logs.length > 0) return this.#lost(requirement, "rekorPublicKey", AUTHORITY);
    if (problem !== undefined) return this.#lost(requirement, "signedIdentity", problem);
    return signature(names, { nameBinding: true });
  }

  #keys(fields: Readonly<Partial<Record<(typeof KEYS)[number], JsonReader>>>): readonly string[] {
    const { keyPath, keyPaths, keyData, keyDatas } = fields;
    const files = [...(keyPath === undefined ? [] : [keyPath]), ...(keyPaths?.someItems() ?? [])];
    const data = [...(keyData === undefined ? [] : [keyData]), ...(keyDatas?.someItems() ?? [])];
    return [
      ...files.map((file) => this.#draft.keyFile(file.text())),
      ...data.map((one) => naming(one, () => this.#draft.keyPem(one.base64Text(), "key", one.place))),
    ];
  }

  #lost(requirement: JsonReader, what: string, why: string): PolicyRequirement {
    this.#losses.add(requirement.place, what, `${why}; what asks for it is refused`);
    return never(`${what} of ${this.#label} has no equal here`);
  }
}

const KEY_TYPES = ["GPGKeys", "signedByGPGKeys", "X509Certificates", "signedByX509CAs"] as const;
const OTHER_TRANSPORT = "layouts and archives are judged by the name that --as gives them, and refused without one";
const OPEN = "it is let through here too, but with a warning in every verdict";
const UNSIGNED = "nobody has to sign it";
const DIGEST = "there it is for images that are named by the digest, here for these bytes under whatever name";
const AUTHORITY = "it names an authority or a log by its key alone, and a trust root needs more than that";

/** A file that is wrong is refused with the place in it. */
function naming<Result>(reader: JsonReader, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === "policy-invalid") throw thrown;
    const { message, found, wanted } = toFinding(thrown);
    return reader.fail(found === undefined ? message : `${message}: ${found}`, wanted ?? "a public key");
  }
}

function requireOne(at: JsonReader, given: readonly (JsonReader | undefined)[], names: string): void {
  const present = given.filter((one) => one !== undefined).length;
  if (present !== 1) at.fail(present === 0 ? "none of them" : `${present} of them`, `exactly one of ${names}`);
}

/** The kind of identity, its form checked; what is not there means the second. */
function checkIdentity(identity: JsonReader | undefined): { readonly type: string; readonly repository?: string } {
  if (identity === undefined) return { type: "matchRepoDigestOrExact" };
  const type =
    identity.entries().find(([name]) => name === "type")?.[1] ?? identity.fail("no type", MATCHES.join(", "));
  const kind = type.oneOf(MATCHES);
  const members = {
    exactReference: ["dockerReference"],
    exactRepository: ["dockerRepository"],
    remapIdentity: ["prefix", "signedPrefix"],
  };
  const wanted: readonly string[] = Object.hasOwn(members, kind) ? members[kind as keyof typeof members] : [];
  const fields: Readonly<Partial<Record<string, JsonReader>>> = identity.fields(["type", ...wanted]);
  const texts = wanted.map((name) => (fields[name] ?? identity.fail(`no ${name}`, name)).text());
  const [repository] = kind === "exactRepository" ? texts : [];
  return { type: kind, ...(repository !== undefined && { repository }) };
}

/** Why what is signed cannot be compared as it is there; undefined where it can. */
function problemOfIdentity(identity: JsonReader | undefined, scope: string): string | undefined {
  const { type, repository } = checkIdentity(identity);
  if (type === "matchRepository") return undefined;
  if (type !== "exactRepository" || identity === undefined || repository === undefined) {
    return `${type} compares tags that were signed, and those are not compared here`;
  }
  const isOwn = naming(identity, () => repositoryName(parseReference(repository))) === scope;
  return isOwn && scope.includes("/")
    ? "the scope is also for repositories below it, which have other names"
    : "images under another name are accepted here under their own as well";
}

/** What they call a scope is a repository and all below it, or a whole host; always written in full. */
function patternsOf(scope: string, at: JsonReader): readonly string[] {
  if (scope === "") return ["**/"];
  if (WILD.test(scope)) return [`${scope}/`, `${scope}:*/`];
  // Docker Hub's repositories have two parts: one part is a folder of them.
  const isFolder = !scope.includes("/") || HUB_FOLDER.test(scope);
  const example = isFolder ? `${scope}/x` : scope;
  const name = naming(at, () => repositoryName(parseReference(example)));
  const version = example.slice(name.length);
  if (!example.startsWith(name) || !/^(?:$|[:@])/.test(version))
    at.fail(JSON.stringify(scope), `a scope in full: ${name}`);
  if (isFolder) return [`${scope}/`];
  return version === "" ? [scope, `${scope}/`] : [scope];
}

const HUB_FOLDER = /^docker\.io\/[^/:@]+$/;
const WILD = /^\*(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;
