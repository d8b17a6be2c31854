import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { flag, grouped, type RawOptions, text } from "./options.ts";
import { addTrustOptions, readTrustOptions, type TrustOptions } from "./trust-options.ts";

const SIGN_GROUP = "Signing:";
const IDENTITY_GROUP = "Signing without a key:";
const SERVICE_GROUP = "Services that sign along:";

/** Who signs, and which services vouch for it: on every command that signs. */
export function addSignatoryOptions(command: Command): Command {
  grouped(command, SIGN_GROUP, [
    new Option("--key <key>", "sign with this private key: a file, env://NAME, a KMS or a token; without it, keyless"),
    new Option("-y, --yes", "answer yes to every question"),
  ]);
  grouped(command, IDENTITY_GROUP, [
    new Option(
      "--identity-token <token|file>",
      "sign as whom this identity token names: the token, a file that holds it, or - for standard input",
    ),
    new Option("--oidc-issuer <url>", "who signs people in (default: the signing configuration's)"),
    new Option("--oidc-client-id <id>", "whom identity tokens are to be for (default: sigstore)"),
    new Option("--one-certificate", "sign all images of the call with one certificate, for as long as it lives"),
  ]);
  grouped(command, SERVICE_GROUP, [
    new Option(
      "--signing-config <file>",
      "use the services that this signing configuration (v0.2) lists (default without a key: the trust instance's)",
    ),
    new Option("--fulcio-url <url>", "or: the certificate authority at this address"),
    new Option("--rekor-url <url>", "the transparency log at this address"),
    new Option("--timestamp-server-url <url>", "the timestamp authority at this address, its path included"),
    new Option("--log-later", "where the log is out of order, sign without its entry and leave it to sign --finish"),
    new Option(
      "--tlog-upload <true|false>",
      "with a key and none of these flags: true to use the services of the trust instance (default: false)",
    ).choices(["true", "false"]),
  ]);
  return addTrustOptions(command);
}

/** Which services to use. */
export type ServiceWish =
  /** A file. */
  | { readonly kind: "config"; readonly file: string }
  | {
      readonly kind: "addresses";
      readonly authority: URL | undefined;
      readonly log: URL | undefined;
      readonly timestampAuthority: URL | undefined;
    }
  /** Those of the trust instance. */
  | { readonly kind: "usual" }
  | { readonly kind: "none" };

export interface SignatoryOptions {
  /** Absent: keyless. */
  readonly key: string | undefined;
  /** A token (a secret), a file, or `-`. */
  readonly identityToken: string | undefined;
  readonly issuer: string | undefined;
  readonly clientId: string;
  readonly oneCertificate: boolean;
  readonly services: ServiceWish;
  readonly trust: TrustOptions;
  readonly logLater: boolean;
  readonly yes: boolean;
}

/** Sigstore's own clients call themselves so, and its authority takes tokens for it. */
const CLIENT_ID = "sigstore";

/** @throws CountersignError `usage` for flags that contradict each other, and for addresses that are none. */
export function readSignatoryOptions(raw: RawOptions): SignatoryOptions {
  const options: SignatoryOptions = {
    key: text(raw, "key"),
    identityToken: text(raw, "identityToken"),
    issuer: text(raw, "oidcIssuer"),
    clientId: text(raw, "oidcClientId") ?? CLIENT_ID,
    oneCertificate: flag(raw, "oneCertificate"),
    services: readServices(raw),
    trust: readTrustOptions(raw),
    logLater: flag(raw, "logLater"),
    yes: flag(raw, "yes"),
  };
  requireOneSigner(raw);
  requireOneSource(raw);
  requireLogSense(raw, options);
  requireConnection(options);
  return options;
}

function readServices(raw: RawOptions): ServiceWish {
  const file = text(raw, "signingConfig");
  if (file !== undefined) return { kind: "config", file };
  const addresses = {
    authority: address(raw, "fulcioUrl", "--fulcio-url"),
    log: address(raw, "rekorUrl", "--rekor-url"),
    timestampAuthority: address(raw, "timestampServerUrl", "--timestamp-server-url"),
  };
  const isNamed = Object.values(addresses).some((url) => url !== undefined);
  if (isNamed) return { kind: "addresses", ...addresses };
  return { kind: text(raw, "key") === undefined || text(raw, "tlogUpload") === "true" ? "usual" : "none" };
}

function address(raw: RawOptions, name: string, spelled: string): URL | undefined {
  const given = text(raw, name);
  if (given === undefined) return undefined;
  const url = URL.parse(given);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new CountersignError("usage", `${spelled} takes an address`, { found: given, wanted: "https://…" });
}

const KEYLESS: readonly (readonly [string, string])[] = [
  ["identityToken", "--identity-token"],
  ["oidcIssuer", "--oidc-issuer"],
  ["oneCertificate", "--one-certificate"],
  ["fulcioUrl", "--fulcio-url"],
];

function spelledOut(raw: RawOptions, flags: readonly (readonly [string, string])[]): readonly string[] {
  return flags.flatMap(([name, spelled]) => (raw[name] === undefined || raw[name] === false ? [] : [spelled]));
}

function requireOneSigner(raw: RawOptions): void {
  const [keyless] = spelledOut(raw, KEYLESS);
  if (text(raw, "key") === undefined || keyless === undefined) return;
  throw new CountersignError("usage", "two ways to say who signs", {
    found: `--key and ${keyless}`,
    wanted: "a key, or an identity that a certificate is made for",
  });
}

const ADDRESSES: readonly (readonly [string, string])[] = [
  ["fulcioUrl", "--fulcio-url"],
  ["rekorUrl", "--rekor-url"],
  ["timestampServerUrl", "--timestamp-server-url"],
  ["oidcIssuer", "--oidc-issuer"],
];

function requireOneSource(raw: RawOptions): void {
  const [named] = spelledOut(raw, ADDRESSES);
  if (text(raw, "signingConfig") === undefined || named === undefined) return;
  throw new CountersignError("usage", "two ways to say which services to use", {
    found: `--signing-config and ${named}`,
    wanted: "a signing configuration, or the address of each service",
  });
}

/** cosign's `--tlog-upload`: here, it is the services that say whether there is a log. */
function requireLogSense(raw: RawOptions, { services, logLater }: SignatoryOptions): void {
  const wanted = text(raw, "tlogUpload");
  const hasLog = services.kind === "addresses" ? services.log !== undefined : services.kind !== "none";
  if (wanted === "false" && hasLog) {
    throw new CountersignError("usage", "the services that are used say whether a log is", {
      found:
        services.kind === "addresses"
          ? "--tlog-upload=false and --rekor-url"
          : "--tlog-upload=false without a key alone",
      wanted: "a signing configuration that lists no log, or addresses without --rekor-url",
    });
  }
  if (hasLog || (wanted !== "true" && !logLater)) return;
  throw new CountersignError("usage", "nothing says which log to use", {
    found: logLater ? "--log-later" : "--tlog-upload=true, and addresses without a log",
    wanted: "--signing-config FILE, --rekor-url URL, or with a key --tlog-upload=true",
  });
}

function requireConnection({ trust, services }: SignatoryOptions): void {
  if (!trust.offline || services.kind === "none") return;
  throw new CountersignError("usage", "--offline opens no connection, and services that sign along are behind one", {
    found: "--offline, and a signature that needs services",
    wanted: "--key KEY, and images on disk",
  });
}
