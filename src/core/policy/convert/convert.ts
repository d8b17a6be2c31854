import { CountersignError } from "../../errors.ts";
import { exportContainers } from "./containers-export.ts";
import { importContainers } from "./containers-import.ts";
import type { Dialect, Exported, ExportSource, Imported } from "./conversion.ts";
import { readObjects } from "./documents.ts";
import { JsonReader } from "./json-reader.ts";
import { exportKyverno } from "./kyverno-export.ts";
import { importKyverno, KYVERNO_GROUP } from "./kyverno-import.ts";
import { exportNotation } from "./notation-export.ts";
import { importNotation } from "./notation-import.ts";
import { exportPolicyController } from "./policy-controller-export.ts";
import { importPolicyController, isOfPolicyController } from "./policy-controller-import.ts";

type Importer = (bytes: Uint8Array, label: string) => Imported;
type Exporter = (source: ExportSource) => Exported;

const CONVERTERS: Readonly<Record<Dialect, { readonly read: Importer; readonly write: Exporter }>> = {
  containers: { read: importContainers, write: exportContainers },
  notation: { read: importNotation, write: exportNotation },
  "policy-controller": { read: importPolicyController, write: exportPolicyController },
  kyverno: { read: importKyverno, write: exportKyverno },
};

/** @throws CountersignError `policy-invalid`, `limit-reached`. */
export function importPolicy(bytes: Uint8Array, label: string, dialect: Dialect): Imported {
  return CONVERTERS[dialect].read(bytes, label);
}

/** Pure: the same policy and keys make the same files. */
export function exportPolicy(source: ExportSource, dialect: Dialect): Exported {
  return CONVERTERS[dialect].write(source);
}

/**
 * Whose policy a file is, by what is in it.
 *
 * @throws CountersignError `policy-invalid` for a file of nobody's, and where it is several.
 */
export function detectDialect(bytes: Uint8Array, label: string): Dialect {
  const found = isOneObject(bytes) ? byMembers(bytes, label) : byGroups(bytes, label);
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  throw new CountersignError("policy-invalid", `${label} does not show whose policy it is`, {
    found: found.length === 0 ? "nothing that a known tool reads" : found.join(" and "),
    wanted: "a policy.json, a trustpolicy.json, ClusterImagePolicies or ImageValidatingPolicies",
    next: "say whose it is: --from containers, notation, policy-controller or kyverno",
  });
}

/** JSON, and no documents of YAML that are written like it. */
function isOneObject(bytes: Uint8Array): boolean {
  return bytes.find((byte) => !BLANK.has(byte)) === BRACE && !Buffer.from(bytes).includes("\n---");
}

const BLANK: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);
const BRACE = 0x7b;

function byMembers(bytes: Uint8Array, label: string): readonly Dialect[] {
  const names = new Set(
    JsonReader.open(bytes, label)
      .entries()
      .map(([name]) => name),
  );
  const found: Dialect[] = [];
  if (names.has("default")) found.push("containers");
  if (names.has("trustPolicies")) found.push("notation");
  return names.has("apiVersion") ? [...found, ...byGroups(bytes, label)] : found;
}

function byGroups(bytes: Uint8Array, label: string): readonly Dialect[] {
  const objects = readObjects(bytes, label);
  const found: Dialect[] = [];
  if (objects.some(isOfPolicyController)) found.push("policy-controller");
  if (objects.some(({ apiVersion }) => apiVersion.startsWith(KYVERNO_GROUP))) found.push("kyverno");
  return found;
}
