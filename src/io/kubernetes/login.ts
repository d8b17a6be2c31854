import { encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { type ExecPlugin, readExecPlugin, runExecPlugin } from "./exec-plugin.ts";
import { Fields, readSmall } from "./fields.ts";
import type { KubeconfigEntry } from "./kubeconfig.ts";

/** What a kubeconfig says of who asks. */
export interface Login {
  /** PEM. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  /** Read anew for every request: what is in it expires. */
  readonly tokenFile?: string | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly plugin?: ExecPlugin | undefined;
  /** `Impersonate-User` and the like. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What is shown to the cluster. */
export interface Credential {
  readonly authorization: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

export interface LoginSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The user of a kubeconfig, by the rules of client-go.
 *
 * @throws CountersignError `configuration-invalid`, `unsupported`.
 */
export async function readLogin(entry: KubeconfigEntry, cluster: Fields): Promise<Login> {
  const user = new Fields(entry, `the user ${entry.name}`);
  refuseForeign(user);
  const certificate = await user.fileOrData("client-certificate");
  const key = await user.fileOrData("client-key");
  if ((certificate === undefined) !== (key === undefined)) {
    throw user.unusable("client-certificate", "half of a pair", "client-certificate and client-key");
  }
  const username = user.text("username");
  const token = user.text("token");
  const tokenFile = user.path("tokenFile");
  if (username !== undefined && (token ?? tokenFile) !== undefined) {
    throw user.unusable("username", "it, and a token", "one of them");
  }
  return {
    certificate,
    key,
    token,
    tokenFile,
    basic: username === undefined ? undefined : { username, password: user.text("password") ?? "" },
    plugin: await readExecPlugin(user, cluster),
    headers: impersonation(user),
  };
}

/** Left out of client-go itself since 1.26; and several groups need a header several times. */
function refuseForeign(user: Fields): void {
  const provider = new Fields({ value: user.node("auth-provider"), folder: user.folder }, user.what).text("name");
  if (provider !== undefined) {
    throw unsupported(user, `auth-provider ${provider}`, "an exec plug-in: auth providers are gone from kubectl too");
  }
  if (user.has("as-user-extra") || user.texts("as-groups").length > 1) {
    throw unsupported(user, "as-groups with several groups, or as-user-extra", "as, as-uid and one group");
  }
}

function unsupported(user: Fields, found: string, wanted: string): CountersignError {
  return new CountersignError("unsupported", `${user.what} logs in in a way that is not known here`, {
    found,
    wanted,
    next: "use another user of the kubeconfig, or a token: kubectl create token",
  });
}

function impersonation(user: Fields): Readonly<Record<string, string>> | undefined {
  const named = {
    "impersonate-user": user.text("as"),
    "impersonate-uid": user.text("as-uid"),
    "impersonate-group": user.texts("as-groups")[0],
  };
  const said = Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  for (const [name, value] of said) if (!isHeaderSafe(value)) throw user.unusable(name, NOT_SENDABLE, "plain text");
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

const NOT_SENDABLE = "a character that cannot be sent";

function isHeaderSafe(value: string): boolean {
  return /^[\x20-\x7e]*$/.test(value);
}

/**
 * What to show now. A plug-in is run, which may take as long as a person signing in.
 *
 * @throws CountersignError `configuration-invalid`, `interrupted`.
 */
export async function obtain(login: Login, surroundings: LoginSurroundings): Promise<Credential> {
  const given = login.plugin === undefined ? undefined : await runExecPlugin(login.plugin, surroundings);
  const token = given?.token ?? (await ownToken(login));
  return {
    authorization: token === undefined ? basicOf(login) : `Bearer ${sendable(token)}`,
    certificate: given?.certificate ?? login.certificate,
    key: given?.key ?? login.key,
    expiresAt: given?.expiresAt,
  };
}

/** The file counts before what is written beside it. */
async function ownToken({ token, tokenFile }: Login): Promise<string | undefined> {
  if (tokenFile === undefined) return token;
  return (await readSmall(tokenFile, "the token of the kubeconfig's user")).trim();
}

/** RFC 7617. */
function basicOf({ basic }: Login): string | undefined {
  if (basic === undefined) return undefined;
  return `Basic ${encodeBase64(encodeUtf8(`${basic.username}:${basic.password}`))}`;
}

function sendable(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CountersignError("configuration-invalid", "the token of the kubeconfig's user cannot be sent", {
    found: token === "" ? "nothing" : NOT_SENDABLE,
  });
}
