import { CountersignError } from "../errors.ts";
import { type KeyReference, type Place, type PolicyDocument, placeName } from "./document.ts";

/** Policies that are fetched from a registry: what they name beside themselves would be somebody else's on every machine. */

/**
 * Everything that is needed is in the policy: keys are PEM, trust roots are instances that the consumer knows.
 *
 * @throws CountersignError `policy-invalid` with the place of what is not.
 */
export function requireSelfContained({ identities, trust, withdrawn }: PolicyDocument): void {
  for (const { source, place } of keysOf(identities)) {
    if (source.kind === "file") throw leadsOut(place, source.path, "the public key as PEM", PUBLISH);
  }
  for (const { source, place } of trust.values()) {
    if (source.kind === "file")
      throw leadsOut(place, source.path, "instance: NAME, which its users know", NAME_INSTANCE);
  }
  for (const { source, place } of withdrawn) {
    if (source.kind === "file")
      throw leadsOut(place, source.path, "artifact: oci://registry/repository:tag", PUSH_LIST);
  }
}

const PUBLISH = "publish it with countersign policy publish, which puts keys into it";
const NAME_INSTANCE = "write the trust root into the configuration of its users as an instance, and name that";
const PUSH_LIST = "keep the list in a registry too";

function leadsOut(place: Place, path: string, wanted: string, next: string): CountersignError {
  return new CountersignError("policy-invalid", "a policy in a registry names nothing beside itself", {
    found: `${placeName(place)}: the file ${path}`,
    wanted,
    next,
  });
}

function keysOf(identities: PolicyDocument["identities"]): readonly KeyReference[] {
  return [...identities.values()].flatMap((identity) => (identity.kind === "keys" ? identity.keys : []));
}

/** A key of a policy that is a file beside it. */
export type KeyFile = KeyReference & { readonly source: { readonly kind: "file"; readonly path: string } };

/** In the order of the policy. */
export function keyFilesOf({ identities }: PolicyDocument): readonly KeyFile[] {
  return keysOf(identities).flatMap(({ source, ...rest }) => (source.kind === "file" ? [{ ...rest, source }] : []));
}

/**
 * The text of a policy with PEM where key files were named; all else, comments too, stays as it was written.
 *
 * @param pems by file, each as its own text.
 * @throws CountersignError `policy-invalid` where the name of a file is written in a way that is not found again.
 */
export function withKeysInside(text: string, files: readonly KeyFile[], pems: ReadonlyMap<string, string>): string {
  const starts = lineStarts(text);
  const parts = files.map(({ source: { path }, place }) => {
    const at = (starts[place.line - 1] ?? 0) + place.column - 1;
    const written = [path, `"${path}"`, `'${path}'`].find((one) => text.startsWith(one, at));
    const pem = pems.get(path);
    if (written === undefined || pem === undefined) throw notFound(place, path);
    // Every JSON string is a double-quoted scalar of YAML 1.2 (section 7.3.1).
    return { at, end: at + written.length, value: JSON.stringify(pem) };
  });
  let result = "";
  let from = 0;
  for (const { at, end, value } of parts.toSorted((a, b) => a.at - b.at)) {
    result += text.slice(from, at) + value;
    from = end;
  }
  return result + text.slice(from);
}

function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}

function notFound(place: Place, path: string): CountersignError {
  return new CountersignError("policy-invalid", "a key file cannot be replaced by its content", {
    found: `${placeName(place)}: ${path}`,
    wanted: "the name of the file on one line, without escapes; or the key as PEM",
  });
}
