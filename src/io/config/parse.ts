import { dirname, resolve } from "node:path";
import { LIMITS } from "../../core/limits.ts";
import { type Demands, PUBLIC_DEMANDS } from "../../core/trust/material.ts";
import { readYaml, type YamlValue } from "../../core/yaml.ts";
import { BUILT_IN, DEFAULT_INSTANCE } from "./builtin.ts";
import type { Configuration } from "./configuration.ts";
import { type FileTrust, INSTANCE_NAME, type NamedFile, type TrustInstance, type TufTrust } from "./instances.ts";

export const API_VERSION = "countersign/v1";
export const KIND = "Configuration";

/**
 * Reads a configuration strictly: docs/schemas/config.json. Files that it names are looked for beside it.
 *
 * @throws CountersignError `configuration-invalid` with file, line and column.
 */
export function parseConfiguration(bytes: Uint8Array, file: NamedFile): Configuration {
  const document = readYaml(bytes, { label: file.label, maxBytes: LIMITS.configurationBytes });
  const { apiVersion, kind, trust } = document.fields(["apiVersion", "kind", "trust"]);
  requireText(document, apiVersion, "apiVersion", API_VERSION);
  requireText(document, kind, "kind", KIND);
  const { instances, default: chosen } = trust?.fields(["default", "instances"]) ?? {};
  const own = readInstances(instances, dirname(file.path));
  const all = [...BUILT_IN, ...own];
  const defaultInstance = chosen?.text("the name of an instance") ?? DEFAULT_INSTANCE;
  if (!all.some(({ name }) => name === defaultInstance)) {
    chosen?.fail(`the default ${defaultInstance}, which is no instance`, all.map(({ name }) => name).join(", "));
  }
  return { path: file.path, instances: all, defaultInstance };
}

function requireText(document: YamlValue, value: YamlValue | undefined, name: string, wanted: string): void {
  const found = value?.text(`${name}: ${wanted}`) ?? document.fail(`no ${name}`, `${name}: ${wanted}`);
  if (found !== wanted) value?.fail(`${name} ${found}`, `${name}: ${wanted}`);
}

function readInstances(value: YamlValue | undefined, folder: string): readonly TrustInstance[] {
  const entries = value?.entries() ?? [];
  if (entries.length > LIMITS.trustInstances)
    value?.fail(`${entries.length} instances`, `at most ${LIMITS.trustInstances}`);
  return entries.map(([name, instance, key]) => {
    if (!INSTANCE_NAME.test(name)) key.fail(`the name ${name}`, "lower-case letters, digits and ._-");
    if (BUILT_IN.some((one) => one.name === name)) key.fail(`the name ${name}, which is built in`, "another name");
    return readInstance(name, instance, folder);
  });
}

function readInstance(name: string, value: YamlValue, folder: string): TrustInstance {
  const { tuf, trustedRoot, signingConfig, demands } = value.fields(["tuf", "trustedRoot", "signingConfig", "demands"]);
  if ((tuf === undefined) === (trustedRoot === undefined)) {
    value.fail(tuf === undefined ? "neither tuf nor trustedRoot" : "tuf and trustedRoot", "one of them");
  }
  const source: TufTrust | FileTrust | undefined = tuf === undefined ? undefined : readTuf(tuf, folder);
  return {
    name,
    origin: "configuration",
    source: source ?? { kind: "file", trustedRoot: readFileName(trustedRoot ?? value, folder) },
    signingConfig: signingConfig === undefined ? undefined : readFileName(signingConfig, folder),
    demands: demands === undefined ? PUBLIC_DEMANDS : readDemands(demands),
  };
}

function readTuf(value: YamlValue, folder: string): TufTrust {
  const { mirror, root } = value.fields(["mirror", "root"]);
  if (mirror === undefined) value.fail("no mirror", "mirror: https://HOST");
  // A root from the mirror itself would be whatever the mirror says.
  if (root === undefined) value.fail("no root", "root: FILE, or root: sha256:HEX");
  return { kind: "tuf", mirror: readMirror(mirror), root: readRoot(root, folder) };
}

function readMirror(value: YamlValue): URL {
  const text = value.text("https://HOST or https://HOST/PATH");
  const url = URL.parse(text);
  const isPlain = url !== null && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  return value.fail(`the mirror ${text}`, "https://HOST or https://HOST/PATH");
}

function readRoot(value: YamlValue, folder: string): TufTrust["root"] {
  const text = value.text("FILE, or sha256:HEX");
  if (!text.startsWith("sha256:")) return readFileName(value, folder);
  const sha256 = text.slice("sha256:".length);
  return /^[0-9a-f]{64}$/.test(sha256) ? { sha256 } : value.fail(text, "sha256: and 64 hexadecimal digits");
}

function readFileName(value: YamlValue, folder: string): NamedFile {
  const label = value.text("the name of a file");
  return { path: resolve(folder, label), label };
}

/** What is not said is as in Sigstore's public instance. */
function readDemands(value: YamlValue): Demands {
  const fields = value.fields(["logs", "certificateLogs", "timestamps"]);
  const [logs, certificateLogs, timestamps] = [
    readDemand(fields.logs, PUBLIC_DEMANDS.logs),
    readDemand(fields.certificateLogs, PUBLIC_DEMANDS.certificateLogs),
    readDemand(fields.timestamps, PUBLIC_DEMANDS.timestamps),
  ];
  return { logs, certificateLogs, timestamps, times: 1, currentTime: false };
}

function readDemand(value: YamlValue | undefined, usual: number): number {
  const count = value?.count("a number from 0 to 16") ?? usual;
  return count <= MOST_DEMANDED ? count : (value?.fail(String(count), "a number from 0 to 16") ?? usual);
}

const MOST_DEMANDED = 16;
