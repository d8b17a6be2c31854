import { CountersignError, type Particulars } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { errnoOf } from "../disk/errors.ts";
import { peerText } from "./redact.ts";

/** How often a failure may be cured by trying again: `once` for what is probably as it seems (connection refused). */
export type Cure = "again" | "once";

/** A failure that another try may cure. The retry loop turns the last one into a plain CountersignError. */
export class TransientError extends CountersignError {
  readonly cure: Cure;
  /** What the peer asked for in `Retry-After`, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** How long the request that failed had waited for its turn: no time that its peer took. */
  heldMs = 0;

  constructor(
    code: ReasonCode,
    message: string,
    particulars: Particulars & { cause?: unknown; cure?: Cure; retryAfterMs?: number | undefined },
  ) {
    super(code, message, particulars);
    this.cure = particulars.cure ?? "again";
    this.retryAfterMs = particulars.retryAfterMs;
  }
}

/** What the failing exchange was with. */
export interface Peer {
  /** `host:port`, as it is printed. */
  readonly host: string;
  /** The proxy in between, printable; undefined for a direct connection. */
  readonly proxy: string | undefined;
  readonly connectMs: number;
  readonly idleMs: number;
}

interface Explained {
  readonly code: ReasonCode;
  readonly message: string;
  readonly cure?: Cure;
  readonly next?: string;
}

const CA_NEXT = "give the registry's CA certificate with --registry-cacert, or put it into /etc/docker/certs.d";

/** Error codes of Node, OpenSSL and undici, and what they mean to the person. */
const EXPLAINED: Readonly<Record<string, (peer: Peer) => Explained>> = {
  ENOTFOUND: ({ host }) => ({ code: "unreachable", message: `there is no host with the name of ${host}` }),
  EAI_AGAIN: ({ host }) => ({ code: "unreachable", message: `the name of ${host} cannot be looked up`, cure: "again" }),
  ECONNREFUSED: ({ host }) => ({ code: "unreachable", message: `${host} refuses the connection`, cure: "once" }),
  EHOSTUNREACH: ({ host }) => ({ code: "unreachable", message: `there is no route to ${host}`, cure: "once" }),
  ENETUNREACH: ({ host }) => ({ code: "unreachable", message: `there is no route to ${host}`, cure: "once" }),
  ETIMEDOUT: noConnection,
  UND_ERR_CONNECT_TIMEOUT: noConnection,
  ECONNRESET: brokenOff,
  EPIPE: brokenOff,
  UND_ERR_SOCKET: brokenOff,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: brokenOff,
  UND_ERR_HEADERS_TIMEOUT: noProgress,
  UND_ERR_BODY_TIMEOUT: noProgress,
  UND_ERR_HEADERS_OVERFLOW: ({ host }) => ({
    code: "limit-reached",
    message: `${host} sends headers of more than ${LIMITS.headerBytes} bytes`,
  }),
  ERR_TLS_CERT_ALTNAME_INVALID: ({ host }) => ({
    code: "unreachable",
    message: `the TLS certificate of ${host} is for another name`,
    next: "use a name that the certificate lists",
  }),
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_HAS_EXPIRED: ({ host }) => ({ code: "unreachable", message: `the TLS certificate of ${host} has expired` }),
  CERT_NOT_YET_VALID: ({ host }) => ({
    code: "unreachable",
    message: `the TLS certificate of ${host} is not valid yet`,
    next: "check this machine's clock",
  }),
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_HTTP_REQUEST: noTls,
};

function noConnection({ host, connectMs }: Peer): Explained {
  return { code: "unreachable", message: `no connection to ${host} within ${connectMs / 1000} s`, cure: "again" };
}

function brokenOff({ host }: Peer): Explained {
  return { code: "unreachable", message: `${host} broke off the connection`, cure: "again" };
}

function noProgress({ host, idleMs }: Peer): Explained {
  return { code: "timeout", message: `${host} sent nothing for ${idleMs / 1000} s` };
}

function unknownAuthority({ host }: Peer): Explained {
  return {
    code: "unreachable",
    message: `the TLS certificate of ${host} comes from an authority that is not known here`,
    next: CA_NEXT,
  };
}

function noTls({ host }: Peer): Explained {
  return {
    code: "unreachable",
    message: `${host} does not speak TLS there`,
    next: "if this registry really is served over plain HTTP, say so with --allow-http-registry",
  };
}

/** The codes with which a server refuses our trust in it, rather than TLS as such. */
export function isUnknownAuthority(thrown: unknown): boolean {
  return EXPLAINED[codeOf(thrown) ?? ""] === unknownAuthority;
}

/** TLS was offered to a server that speaks plain HTTP, or nobody listens on the port of HTTPS. */
export function suggestsPlainHttp(thrown: unknown): boolean {
  const code = codeOf(causeOf(thrown)) ?? "";
  return EXPLAINED[code] === noTls || code === "ECONNREFUSED";
}

/** Plain HTTP was spoken to a server that hung up on it or answered with something else: it may want TLS. */
export function suggestsTls(thrown: unknown): boolean {
  const code = codeOf(causeOf(thrown)) ?? "";
  return EXPLAINED[code] === brokenOff || code.startsWith("HPE_");
}

/** The other side did speak TLS, and it was the certificate that did not do. */
export function isCertificateFailure(thrown: unknown): boolean {
  const code = codeOf(causeOf(thrown)) ?? "";
  return code.includes("CERT") || EXPLAINED[code] === unknownAuthority;
}

/** A failed exchange as an error of the one family. */
export function transportError(thrown: unknown, peer: Peer): CountersignError {
  if (thrown instanceof CountersignError) return thrown;
  const code = codeOf(thrown) ?? "";
  const explained = EXPLAINED[code]?.(peer) ?? guess(code, thrown, peer);
  const via = peer.proxy === undefined ? "" : `, through the proxy ${peer.proxy}`;
  const particulars = {
    found: `${detailOf(thrown, code)}${via}`,
    ...(explained.next === undefined ? {} : { next: explained.next }),
    cause: thrown,
  };
  if (explained.cure === undefined) return new CountersignError(explained.code, explained.message, particulars);
  return new TransientError(explained.code, explained.message, { ...particulars, cure: explained.cure });
}

function guess(code: string, thrown: unknown, { host, proxy }: Peer): Explained {
  const message = thrown instanceof Error ? thrown.message : "";
  if (code.startsWith("HPE_")) return { code: "not-a-registry", message: `what answers at ${host} is not HTTP` };
  if (proxy !== undefined && /407|Proxy response/.test(message)) {
    return { code: "unreachable", message: `the proxy ${proxy} refuses to connect to ${host}` };
  }
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code === "EPROTO") {
    return { code: "unreachable", message: `TLS with ${host} failed` };
  }
  return { code: "unreachable", message: `the exchange with ${host} failed`, cure: "once" };
}

/** What Node tells its own users to try: the system's authorities were asked already. */
const ADVICE = /; if the root CA is installed locally.*/s;

/** Node's words carry names and addresses but no secrets; OpenSSL's repeat its source file: the code stands for them. */
function detailOf(thrown: unknown, code: string): string {
  const message = thrown instanceof Error ? peerText(thrown.message.replace(ADVICE, "")) : "";
  if (code === "") return message === "" ? "no further detail" : message;
  return code.startsWith("ERR_SSL_") || message === "" ? code : `${code}: ${message}`;
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof CountersignError ? thrown.cause : thrown;
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  // undici's parser errors come without the code that their documentation promises.
  if (thrown.name === "HTTPParserError") return "HPE_INVALID";
  if ("code" in thrown && typeof thrown.code === "string") return thrown.code;
  return errnoOf(thrown);
}
