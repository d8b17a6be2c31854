import { isAbsolute, resolve } from "node:path";
import { encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { parseInstant } from "../../core/time.ts";
import { peerText } from "../http/redact.ts";
import { findProgram } from "../process/find.ts";
import { Collected, runProgram } from "../process/run.ts";
import { Fields } from "./fields.ts";
import type { LoginSurroundings } from "./login.ts";

/** A program that logs in (client.authentication.k8s.io). */
export interface ExecPlugin {
  readonly apiVersion: string;
  /** As it is written; with a path in it, relative to the kubeconfig's folder. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly installHint: string | undefined;
  /** What it is told of the cluster, where it wants to know. */
  readonly cluster: JsonObject | undefined;
}

export interface PluginAnswer {
  readonly token: string | undefined;
  /** PEM. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

const GROUP = "client.authentication.k8s.io";
const VERSIONS: readonly string[] = [`${GROUP}/v1`, `${GROUP}/v1beta1`];

/** @throws CountersignError `configuration-invalid`, `unsupported`. */
export async function readExecPlugin(user: Fields, cluster: Fields): Promise<ExecPlugin | undefined> {
  const value = user.node("exec");
  if (value === undefined || value.kind !== "map") return undefined;
  const exec = new Fields({ value, folder: user.folder }, user.what);
  const apiVersion = exec.text("apiVersion") ?? "";
  const command = exec.text("command");
  if (!VERSIONS.includes(apiVersion)) throw exec.unusable("exec.apiVersion", apiVersion, VERSIONS.join(" or "));
  if (command === undefined) throw exec.unusable("exec.command", "nothing", "the name of a program");
  if (exec.text("interactiveMode") === "Always") {
    throw new CountersignError("unsupported", `${user.what} logs in with a program that asks questions`, {
      found: `interactiveMode Always of ${command}`,
      wanted: "Never or IfAvailable",
      next: "log in with it by hand where it keeps what it gets, or use a token: kubectl create token",
    });
  }
  const env = (exec.node("env")?.items() ?? []).map((item) => {
    return [item.get("name")?.text() ?? "", item.get("value")?.text() ?? ""] as const;
  });
  return {
    apiVersion,
    command: /[/\\]/.test(command) && !isAbsolute(command) ? resolve(user.folder, command) : command,
    args: exec.texts("args"),
    env: env.filter(([name]) => name !== ""),
    installHint: exec.text("installHint"),
    cluster: exec.flag("provideClusterInfo") ? await describeCluster(cluster) : undefined,
  };
}

async function describeCluster(cluster: Fields): Promise<JsonObject> {
  const ca = await cluster.fileOrData("certificate-authority");
  const named = {
    server: cluster.text("server"),
    "tls-server-name": cluster.text("tls-server-name"),
    "proxy-url": cluster.text("proxy-url"),
    "certificate-authority-data": ca === undefined ? undefined : encodeBase64(encodeUtf8(ca)),
    "insecure-skip-tls-verify": cluster.flag("insecure-skip-tls-verify") || undefined,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, said]) => (said === undefined ? [] : [[name, said]])),
  );
}

/**
 * Runs it without a terminal.
 *
 * @throws CountersignError `configuration-invalid` where it gives nothing that can be shown; `interrupted`.
 */
export async function runExecPlugin(plugin: ExecPlugin, { env, signal }: LoginSurroundings): Promise<PluginAnswer> {
  const { apiVersion, command, args, cluster } = plugin;
  const program = isAbsolute(command) ? command : await findProgram(command, env);
  if (program === undefined) throw failed(plugin, "it is not installed, or not in PATH");
  const info = {
    apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(cluster === undefined ? {} : { cluster }) },
  };
  const [answer, talk] = [new Collected(LIMITS.credentialBytes), new Collected(LIMITS.credentialBytes)];
  const status = await runProgram({
    name: command,
    program,
    args,
    env: { ...env, ...Object.fromEntries(plugin.env), KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    outputs: [answer, talk],
    timeoutMs: LIMITS.clusterLoginMs,
    signal,
    ending: "kill",
    failures: { code: "configuration-invalid" },
  });
  if (status === 0) return readAnswer(plugin, answer.bytes);
  throw failed(plugin, `exit status ${status}: ${peerText(talk.bytes.toString("utf8")) || "no message"}`);
}

function readAnswer(plugin: ExecPlugin, bytes: Uint8Array): PluginAnswer {
  const reading = { what: `the answer of ${plugin.command}`, code: "configuration-invalid" } as const;
  const json = parseJsonObject(bytes, { ...reading, maxBytes: LIMITS.credentialBytes });
  const { kind, apiVersion, status } = json;
  if (kind !== "ExecCredential" || apiVersion !== plugin.apiVersion) {
    throw failed(plugin, "an answer of another kind or version", `an ExecCredential of ${plugin.apiVersion}`);
  }
  const member = (name: string): string | undefined => {
    const value = isObject(status) ? status[name] : undefined;
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [token, certificate, key] = [member("token"), member("clientCertificateData"), member("clientKeyData")];
  if ((certificate === undefined) !== (key === undefined)) throw failed(plugin, "half of a client certificate");
  if (token === undefined && certificate === undefined) throw failed(plugin, "an answer without token and certificate");
  const expires = member("expirationTimestamp");
  return { token, certificate, key, expiresAt: expires === undefined ? undefined : expiryOf(plugin, expires) };
}

function expiryOf(plugin: ExecPlugin, text: string): number {
  const at = parseInstant(text);
  if (at === undefined) throw failed(plugin, "an expiry that is no time", "RFC 3339");
  return at;
}

function failed({ command, installHint }: ExecPlugin, found: string, wanted?: string): CountersignError {
  const hint = installHint === undefined ? "" : `; its kubeconfig says: ${peerText(installHint)}`;
  return new CountersignError("configuration-invalid", `${command}, which logs in to the cluster, failed`, {
    found,
    wanted,
    next: `run it by hand to see what it lacks${hint}`,
  });
}
