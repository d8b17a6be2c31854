import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { peerText } from "../http/redact.ts";
import { withoutParts } from "../http/secrets.ts";
import { type ServiceAnswer, ServiceClient } from "../http/service.ts";
import { type Credential, type LoginSurroundings, obtain } from "./login.ts";
import type { ClusterTarget } from "./target.ts";

export interface ApiSurroundings extends LoginSurroundings {
  readonly userAgent: string;
  readonly tries?: number | undefined;
  readonly idleMs?: number | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly json: JsonObject;
}

/** Nothing at all may be asked, whatever the kind. */
export class LoginRefused extends CountersignError {}

/** A credential that has not much longer than this to live is replaced before it is refused. */
const RENEW_EARLY_MS = 10_000;

/** Reads from the API of one cluster: credentials, their renewal, bounded answers. Writes nothing, follows no redirect. */
export class ClusterApi {
  readonly target: ClusterTarget;
  readonly #surroundings: ApiSurroundings;
  #open: { readonly credential: Credential; readonly service: ServiceClient } | undefined;

  constructor(target: ClusterTarget, surroundings: ApiSurroundings) {
    this.target = target;
    this.#surroundings = surroundings;
  }

  /**
   * The answer to a GET: 200, or one of the other statuses that the caller deals with.
   *
   * @param path With its query, below the server's own path.
   * @throws CountersignError `denied` for a login that is not taken, `unreachable`, `timeout`, `throttled`, `server-error`,
   * `limit-reached`, `protocol-error`, `configuration-invalid`.
   */
  async get(path: string, what: string, expect: readonly number[] = []): Promise<ApiAnswer> {
    const statuses = [200, 401, ...expect];
    let answer = await this.#ask(path, what, statuses);
    // What a plug-in or a file gave may have expired on the way.
    if (answer.status === 401 && this.#canRenew()) {
      await this.close();
      answer = await this.#ask(path, what, statuses);
    }
    const json = this.#objectIn(answer, what);
    if (answer.status === 401) throw this.#refused(json);
    return { status: answer.status, json };
  }

  async close(): Promise<void> {
    const { service } = this.#open ?? {};
    this.#open = undefined;
    await service?.close();
  }

  async #ask(path: string, what: string, expect: readonly number[]): Promise<ServiceAnswer> {
    const { server, login } = this.target;
    const { credential, service } = await this.#connect();
    const { authorization } = credential;
    const url = new URL(`${server.pathname.replace(/\/$/, "")}${path}`, server);
    const headers = {
      accept: "application/json",
      ...login.headers,
      ...(authorization === undefined ? {} : { authorization }),
    };
    try {
      return await service.ask({ url, what, headers, expect, stay: true, maxBytes: LIMITS.clusterPageBytes });
    } catch (thrown) {
      throw thrown instanceof CountersignError ? this.#explained(thrown, credential) : thrown;
    }
  }

  async #connect(): Promise<{ readonly credential: Credential; readonly service: ServiceClient }> {
    const { expiresAt } = this.#open?.credential ?? {};
    if (expiresAt !== undefined && expiresAt - RENEW_EARLY_MS <= Date.now()) await this.close();
    this.#open ??= await this.#login();
    return this.#open;
  }

  async #login(): Promise<{ readonly credential: Credential; readonly service: ServiceClient }> {
    const { env, signal, userAgent, tries, idleMs } = this.#surroundings;
    const { login, tls, proxy } = this.target;
    const credential = await obtain(login, { env, signal });
    const { certificate, key } = credential;
    const service = new ServiceClient({
      env,
      signal,
      userAgent,
      tries,
      idleMs,
      proxy,
      tls: { ...tls, certificate, key },
    });
    return { credential, service };
  }

  #canRenew(): boolean {
    const { plugin, tokenFile } = this.target.login;
    return plugin !== undefined || tokenFile !== undefined;
  }

  /** Not strict as the JSON of signed things is: a tenant's own numbers must not hide what is beside them. */
  #objectIn({ bytes, contentType }: ServiceAnswer, what: string): JsonObject {
    let json: JsonValue | undefined;
    try {
      json = JSON.parse(decodeUtf8(bytes)) as JsonValue;
    } catch {
      json = undefined;
    }
    if (isObject(json)) return json;
    throw new CountersignError(
      "protocol-error",
      `what ${this.target.server.host} answers for ${what} is not Kubernetes'`,
      {
        found: contentType === "" ? "no JSON object" : `${peerText(contentType)}, and no JSON object in it`,
        wanted: "the API of a cluster",
        next: "check the cluster's address, and whether a login page stands in between",
      },
    );
  }

  #refused(json: JsonObject): LoginRefused {
    return new LoginRefused("denied", `${this.target.name} does not take the login of its kubeconfig`, {
      found: `401 (${messageOf(json) ?? "no reason"})`,
      next: "log in to the cluster again; kubectl auth whoami tells who you are to it",
    });
  }

  /** A proxy in between may repeat what it was sent; and a registry's advice is none for a cluster. */
  #explained(error: CountersignError, { authorization = "" }: Credential): CountersignError {
    const secrets = [authorization.replace(/^\w+ /, "")];
    const clean = (text: string | undefined) => (text === undefined ? undefined : withoutParts(text, secrets));
    const isConnection = error.code === "unreachable" || error.code === "timeout";
    return new CountersignError(error.code, withoutParts(error.message, secrets), {
      found: clean(error.found),
      wanted: clean(error.wanted),
      next: isConnection ? CONNECTION : clean(error.next),
    });
  }
}

const CONNECTION =
  "check the cluster's address, certificate authority and proxy in the kubeconfig; kubectl cluster-info tries the same";

/** Why it says that it did not, in one line. */
export function messageOf(json: JsonObject): string | undefined {
  const { message } = json;
  return typeof message === "string" && message !== "" ? peerText(message, LIMITS.messageCharacters) : undefined;
}
