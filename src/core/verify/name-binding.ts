import type { Finding } from "../errors.ts";
import type { VerifiedClaim } from "../formats/envelope.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { digestAlgorithm, digestHex } from "../oci/digest.ts";
import type { Subject } from "./evidence.ts";
import type { Requirement } from "./requirement.ts";

/**
 * A legacy payload names its repository, and only that one (or a name the caller knows it was signed under) will do:
 * otherwise an old signature could be replayed in another repository. Files have no name to compare with. A statement may
 * name what it is about, and has to where the requirement says so.
 */
export function checkName(claim: VerifiedClaim, subject: Subject, requirement: Requirement): Finding | undefined {
  const names = [...(subject.repository === undefined ? [] : [subject.repository]), ...requirement.signedAs];
  const bound = requirement.nameBinding === true;
  const found = claim.repository === undefined && bound ? namesOf(claim, subject) : optional(claim.repository);
  if (found.some((name) => names.includes(name))) return undefined;
  // What is compared with nothing, or has nothing that could be compared, binds nothing: only who asked for it refuses that.
  if (!bound && (names.length === 0 || found.length === 0)) return undefined;
  return {
    code: "wrong-repository",
    message: found.length === 0 ? "the signature names no repository" : "the signature names another repository",
    found: found.length === 0 ? "no name" : found.join(", "),
    wanted: names.join(" or ") || "the repository that the image is in, and a file is in none",
  };
}

function optional(name: string | undefined): readonly string[] {
  return name === undefined ? [] : [name];
}

/** What a statement calls this very image: the names of those of its subjects that have its digest. */
function namesOf({ statement }: VerifiedClaim, { descriptor }: Subject): readonly string[] {
  const algorithm = digestAlgorithm(descriptor.digest);
  const hex = digestHex(descriptor.digest);
  const isThis = (each: JsonObject): boolean => isObject(each["digest"]) && each["digest"][algorithm] === hex;
  return objectsIn(statement?.["subject"])
    .filter(isThis)
    .flatMap(({ name }) => (typeof name === "string" && name !== "" ? [repositoryIn(name)] : []));
}

function objectsIn(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** `registry/repository` of a name that may carry a tag or a digest behind it. */
function repositoryIn(name: string): string {
  const [named = ""] = name.split("@", 1);
  const colon = named.lastIndexOf(":");
  return colon > named.lastIndexOf("/") ? named.slice(0, colon) : named;
}
