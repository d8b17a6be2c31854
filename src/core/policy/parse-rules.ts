import { type Digest, isDigest } from "../oci/digest.ts";
import { parseReference, parseRepository, repositoryName } from "../oci/reference.ts";
import type { YamlValue } from "../yaml.ts";
import type {
  Exception,
  ImagePattern,
  PolicyRequirement,
  Rule,
  RuleMode,
  SignedAs,
  WithdrawnList,
} from "./document.ts";
import { isMatchable } from "./image-overlap.ts";
import { isExact, parseImagePattern } from "./image-pattern.ts";
import { globOf } from "./images.ts";
import { readPath } from "./parse-identities.ts";
import { readAccount, readRequirement } from "./parse-requirement.ts";
import { atPlace, checkName, readBy, readDuration, type Scope } from "./parse-scope.ts";

export const RULE_FIELDS = [
  ...(["name", "images", "require", "signedTag", "maxBindingAge", "digestPulls"] as const),
  ...(["mode", "platforms", "signedAs", "exceptions"] as const),
] as const;
export const EXCEPTION_FIELDS = ["digest", "digests", "images", "owner", "reason", "expires"] as const;
export const SIGNED_AS_FIELDS = ["prefix", "signedPrefix"] as const;
export const WITHDRAWN_FIELDS = ["file", "artifact", "name", "by", "maxAge"] as const;

const SIGNED_TAG = ["required", "optional"] as const;
const DIGEST_PULLS = ["listed", "signed", "any"] as const;
const MODES: readonly RuleMode[] = ["enforce", "warn"];
const PLATFORMS = ["index", "each"] as const;

/** @throws YamlError */
export function readRule(value: YamlValue, scope: Scope): Rule {
  const { name, images, require, mode, platforms, signedAs, exceptions, ...tags } = value.fields(RULE_FIELDS);
  return {
    ...(name === undefined ? {} : { name: name.text("what the rule says, in a sentence") }),
    images: readPatterns(images ?? value.fail("no images", "images: registry.example/acme/app")),
    ...readTerms(value, require, tags, scope),
    mode: mode === undefined ? "enforce" : readWord(mode, MODES),
    platforms: platforms === undefined ? "index" : readWord(platforms, PLATFORMS),
    signedAs: (signedAs?.oneOrMore("a repository, or {prefix, signedPrefix}") ?? []).map(readSignedAs),
    exceptions: (exceptions?.items("a list of exceptions") ?? []).map(readException),
    place: value.place,
  };
}

type TagFields = Readonly<Partial<Record<"signedTag" | "maxBindingAge" | "digestPulls", YamlValue>>>;
type Terms = Pick<Rule, "require" | "signedTag" | "maxBindingAge" | "digestPulls">;

/** What must hold: of evidence, of the signed tag, or of both. */
function readTerms(value: YamlValue, require: YamlValue | undefined, tags: TagFields, scope: Scope): Terms {
  const isRequired = tags.signedTag !== undefined && readWord(tags.signedTag, SIGNED_TAG) === "required";
  const maxBindingAge = readDuration(tags.maxBindingAge);
  const digestPulls = tags.digestPulls && readWord(tags.digestPulls, DIGEST_PULLS);
  if (maxBindingAge !== undefined && !isRequired) {
    tags.maxBindingAge?.fail("maxBindingAge where no signed tag is required", "signedTag: required too");
  }
  if (require === undefined && isRequired && digestPulls !== undefined && digestPulls !== "listed") {
    tags.digestPulls?.fail(`${digestPulls}, where nothing else is required of a digest`, "listed, or a require too");
  }
  return {
    require: readWanted(value, require, isRequired, scope),
    ...(isRequired && { signedTag: "required" }),
    ...(maxBindingAge !== undefined && { maxBindingAge }),
    ...(digestPulls !== undefined && { digestPulls }),
  };
}

function readWanted(
  value: YamlValue,
  require: YamlValue | undefined,
  isBound: boolean,
  scope: Scope,
): PolicyRequirement {
  if (require !== undefined) return readRequirement(require, scope);
  return isBound ? { kind: "signedTag", place: value.place } : value.fail("no require", "require: what must hold");
}

function readWord<Word extends string>(value: YamlValue, words: readonly Word[]): Word {
  const text = value.text(words.join(" or "));
  return words.find((word) => word === text) ?? value.fail(text, words.join(" or "));
}

function readPatterns(value: YamlValue): readonly ImagePattern[] {
  return value.oneOrMore("registry.example/acme/app").map((item) => {
    const text = item.text("registry.example/acme/app, registry.example/acme/, registry.example/*/app");
    const pattern: ImagePattern = { text, place: item.place };
    const glob = atPlace(item, () => globOf(pattern));
    if (!isExact(glob) && !isMatchable(glob))
      item.fail(`${text}, which no image is called`, "a pattern that some name matches");
    return pattern;
  });
}

function readSignedAs(value: YamlValue): SignedAs {
  if (value.kind !== "map") {
    const text = value.text("a repository, or {prefix, signedPrefix}");
    return { kind: "name", repository: repositoryName(atPlace(value, () => parseRepository(text))) };
  }
  const { prefix, signedPrefix } = value.fields(SIGNED_AS_FIELDS);
  return {
    kind: "prefix",
    prefix: readPrefix(prefix ?? value.fail("no prefix", "prefix: mirror.example/")),
    signedPrefix: readPrefix(signedPrefix ?? value.fail("no signedPrefix", "signedPrefix: docker.io/")),
  };
}

/** It ends at a slash: `registry.example/acme` would be the beginning of `registry.example/acme-evil` too. */
function readPrefix(value: YamlValue): string {
  const text = value.text("registry.example/, or registry.example/acme/");
  const glob = atPlace(value, () => parseImagePattern(text));
  if (text.endsWith("/") && glob.wildcards.length === 1) return glob.prefix;
  return value.fail(text, "registry.example/, or registry.example/acme/");
}

function readException(value: YamlValue): Exception {
  const { digest, digests, images, ...account } = value.fields(EXCEPTION_FIELDS);
  const named = [...(digest === undefined ? [] : [digest]), ...(digests?.oneOrMore("sha256:…") ?? [])];
  if (named.length === 0 && images === undefined) value.fail("neither digests nor images", "digest: sha256:…");
  return {
    digests: named.map(readDigest),
    images: images === undefined ? [] : readPatterns(images),
    ...readAccount(value, account),
  };
}

function readDigest(value: YamlValue): Digest {
  const text = value.text("sha256: and 64 lower-case hexadecimal digits");
  return isDigest(text) ? text : value.fail(text, "sha256: and 64 lower-case hexadecimal digits");
}

/** @throws YamlError */
export function readWithdrawn(value: YamlValue, scope: Scope): WithdrawnList {
  const { file, artifact, name, by, maxAge } = value.fields(WITHDRAWN_FIELDS);
  if ((file === undefined) === (artifact === undefined)) {
    value.fail(file === undefined ? "neither file nor artifact" : "file and artifact", "one of them");
  }
  const age = readDuration(maxAge);
  return {
    source:
      artifact === undefined
        ? { kind: "file", path: readPath(file ?? value, "a list") }
        : { kind: "artifact", reference: readArtifact(artifact) },
    ...(name === undefined ? {} : { name: checkName(name.text("the name of the list"), name) }),
    by: readBy(by, value, scope),
    ...(age === undefined ? {} : { maxAge: age }),
    place: value.place,
  };
}

const SCHEME = "oci://";

function readArtifact(value: YamlValue): string {
  const wanted = "oci://registry.example/policies/withdrawn:latest";
  const text = value.text(wanted);
  if (!text.startsWith(SCHEME)) value.fail(text, wanted);
  atPlace(value, () => parseReference(text.slice(SCHEME.length)));
  return text;
}
