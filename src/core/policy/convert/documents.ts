import { decodeUtf8, encodeUtf8 } from "../../bytes.ts";
import { CountersignError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { readYaml, type YamlValue } from "../../yaml.ts";
import { placeName } from "../document.ts";
import { API_VERSION } from "../parse.ts";

/** An object as Kubernetes is given it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly spec: YamlValue | undefined;
  /** `policies.yaml:14`. */
  readonly place: string;
  readonly value: YamlValue;
}

/**
 * All the objects of a file: YAML or JSON, one document or many, or a List.
 *
 * @throws CountersignError `policy-invalid` with the line, `limit-reached`.
 */
export function readObjects(bytes: Uint8Array, label: string): readonly KubernetesObject[] {
  if (bytes.byteLength > LIMITS.foreignPolicyBytes) {
    const found = `${bytes.byteLength} bytes`;
    throw tooMuch(label, "large", found, `at most ${LIMITS.foreignPolicyBytes} bytes`);
  }
  const documents = split(textOf(bytes, label));
  if (documents.length > LIMITS.foreignDocuments) {
    throw tooMuch(label, "long", `${documents.length} documents`, `at most ${LIMITS.foreignDocuments}`);
  }
  const about = { code: "policy-invalid", what: label } as const;
  return documents.flatMap(({ text, firstLine }) => {
    const root = readYaml(encodeUtf8(text), { label, maxBytes: LIMITS.foreignPolicyBytes, firstLine, about });
    return isNothing(root) ? [] : objectsIn(root);
  });
}

function textOf(bytes: Uint8Array, label: string): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new CountersignError("policy-invalid", `${label} is not valid UTF-8`, { cause });
  }
}

function tooMuch(label: string, how: string, found: string, wanted: string): CountersignError {
  return new CountersignError("limit-reached", `${label} is too ${how} to read`, { found, wanted });
}

interface Document {
  readonly text: string;
  readonly firstLine: number;
}

/** A line that begins with `---` or `...` ends a document, whatever is open in it (YAML 1.2.2, 9.1.2). */
const MARKER = /^(?:---|\.\.\.)(?=[ \t\r\n]|$)/gm;

function split(text: string): readonly Document[] {
  const documents: Document[] = [];
  let from = 0;
  let firstLine = 1;
  for (const { index } of [...text.matchAll(MARKER), { index: text.length }]) {
    const part = text.slice(from, index);
    documents.push({ text: part, firstLine });
    firstLine += lineBreaks(part);
    from = index + MARKER_LENGTH;
  }
  return documents;
}

const MARKER_LENGTH = 3;

function lineBreaks(text: string): number {
  return text.split("\n").length - 1;
}

/** Comments alone, perhaps. A single value instead of a mapping is refused where its members are read. */
function isNothing(root: YamlValue): boolean {
  return root.kind === "scalar" && root.entries().length === 0;
}

const MEMBERS = [
  "apiVersion",
  "kind",
  "metadata",
  "spec",
  "status",
  "data",
  "binaryData",
  "immutable",
  "items",
] as const;

function objectsIn(root: YamlValue): readonly KubernetesObject[] {
  const members = Object.fromEntries(root.entries().map(([name, value]) => [name, value]));
  const apiVersion = (members["apiVersion"] ?? root.fail("no apiVersion", "apiVersion")).text("apiVersion");
  if (apiVersion === API_VERSION) root.fail("a policy of countersign already", "the policy of another enforcer");
  const kind = (members["kind"] ?? root.fail("no kind", "kind")).text("kind");
  if (kind === "List" && apiVersion === "v1") {
    return (members["items"] ?? root.fail("no items", "items")).items("a list of objects").flatMap(objectsIn);
  }
  const named = members["metadata"]?.entries().find(([name]) => name === "name")?.[1];
  const place = placeName(root.place);
  return [{ apiVersion, kind, name: named?.text("a name") ?? kind, spec: members["spec"], place, value: root }];
}

/** What an object may have at its top: one that is written for a cluster, or read from one. */
export function checkMembers(value: YamlValue): void {
  value.fields(MEMBERS);
}

/** A list, empty where there is none. */
export function listOf(value: YamlValue | undefined, wanted: string): readonly YamlValue[] {
  return value?.items(wanted) ?? [];
}

/** One of these words. */
export function wordOf<Word extends string>(value: YamlValue, words: readonly Word[]): Word {
  const text = value.text(words.join(", "));
  return words.find((word) => word === text) ?? value.fail(JSON.stringify(text), words.join(", "));
}
