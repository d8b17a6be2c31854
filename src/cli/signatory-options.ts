import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { flag, grouped, type RawOptions, text } from "./options.ts";

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
  return grouped(command, SERVICE_GROUP, [
    new Option("--signing-config <file>", "use the services that this signing configuration (v0.2) lists"),
    new Option("--fulcio-url <url>", "or: the certificate authority at this address"),
    new Option("--rekor-url <url>", "the transparency log at this address"),
    new Option("--timestamp-server-url <url>", "the timestamp authority at this address, its path included"),
    new Option("--trusted-root <file>", "what the services have to be proven by before anything is stored"),
    new Option("--log-later", "where the log is out of order, sign without its entry and leave it to sign --finish"),
    new Option("--tlog-upload <true|false>", "whether a log is used; has to agree with what is said above").choices([
      "true",
      "false",
    ]),
  ]);
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
  /** None with a key; else those of the trust repository. */
  | { readonly kind: "usual" };

export interface SignatoryOptions {
  /** Absent: keyless. */
  readonly key: string | undefined;
  /** A token (a secret), a file, or `-`. */
  readonly identityToken: string | undefined;
  readonly issuer: string | undefined;
  readonly clientId: string;
  readonly oneCertificate: boolean;
  readonly services: ServiceWish;
  /** A file. */
  readonly trustedRoot: string | undefined;
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
    trustedRoot: text(raw, "trustedRoot"),
    logLater: flag(raw, "logLater"),
    yes: flag(raw, "yes"),
  };
  requireOneSigner(raw);
  requireOneSource(raw);
  requireLogSense(raw, options);
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
  return isNamed ? { kind: "addresses", ...addresses } : { kind: "usual" };
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

/** cosign's `--tlog-upload`: which log is a matter of addresses and configurations here, never of a default. */
function requireLogSense(raw: RawOptions, { key, services, logLater }: SignatoryOptions): void {
  const wanted = text(raw, "tlogUpload");
  const log = services.kind === "addresses" ? services.log : undefined;
  const isUndecided = services.kind === "config" || (services.kind === "usual" && key === undefined);
  if (wanted === "false" && (isUndecided || log !== undefined)) {
    throw new CountersignError("usage", "which services are used says whether a log is", {
      found:
        log === undefined ? "--tlog-upload=false and a signing configuration" : "--tlog-upload=false and --rekor-url",
      wanted: "a signing configuration that lists no log, or addresses without --rekor-url",
    });
  }
  if ((wanted !== "true" && !logLater) || isUndecided || log !== undefined) return;
  throw new CountersignError("usage", "nothing says which log to use", {
    found: `${logLater ? "--log-later" : "--tlog-upload=true"} alone`,
    wanted: "--signing-config FILE or --rekor-url URL",
  });
}
