import { createHash, randomBytes } from "node:crypto";
import { ASN1Obj, RFC3161Timestamp } from "@sigstore/core";
import { encodeHex, equalBytes } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { peerText } from "../http/redact.ts";
import type { ServiceAnswer } from "../http/service.ts";
import type { Ask } from "./log.ts";

/** A timestamp authority that speaks RFC 3161, Sigstore's or any other. */
export interface TimestampClient {
  /** As it is printed. */
  readonly host: string;
  /**
   * A timestamp over these bytes: the whole response (DER TimeStampResp), its status, nonce and imprint checked. Whether
   * its authority is trusted is for the trust root to say.
   *
   * @throws CountersignError what the ServiceClient throws; `protocol-error`, `timestamp-invalid`.
   */
  timestamp(data: Uint8Array): Promise<Uint8Array>;
}

const QUERY = "application/timestamp-query";
const REPLY = "application/timestamp-reply";

/** `url` is the whole address that is posted to. */
export function timestampAuthority(ask: Ask, url: URL): TimestampClient {
  const { host } = url;
  return {
    host,
    async timestamp(data) {
      const digest = createHash("sha256").update(data).digest();
      const nonce = newNonce();
      const answer = await ask({
        method: "POST",
        url,
        what: "the timestamp",
        headers: { "content-type": QUERY, accept: REPLY },
        body: timestampQuery(digest, nonce),
        expect: [200, 201],
        maxBytes: LIMITS.timestampAnswerBytes,
      });
      checkReply(answer, digest, nonce, host);
      return answer.bytes;
    },
  };
}

// --- the query --------------------------------------------------------------------------------------------------------

/** Eight bytes that are a positive INTEGER of eight bytes: the first neither negative nor zero. */
function newNonce(): Uint8Array {
  const nonce = randomBytes(8);
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40;
  return nonce;
}

/** TimeStampReq (RFC 3161 §2.4.1), version 1, over a SHA-256; every length in it is fixed. */
function timestampQuery(digest: Uint8Array, nonce: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from("30430201013031300d060960864801650304020105000420", "hex"),
    digest,
    Buffer.of(0x02, nonce.byteLength),
    nonce,
    // certReq: the authority's certificates come along.
    Buffer.of(0x01, 0x01, 0xff),
  ]);
}

// --- the reply --------------------------------------------------------------------------------------------------------

/** What is read of a reply. */
interface Reply {
  readonly status: bigint;
  /** Why it was not granted, as the authority says it. */
  readonly statusText: string;
  readonly hash: string;
  readonly imprint: Uint8Array;
  readonly nonce: Uint8Array | undefined;
}

const SHA256 = "sha256";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";

function checkReply({ bytes, contentType }: ServiceAnswer, digest: Uint8Array, nonce: Uint8Array, host: string): void {
  if (contentType !== REPLY) throw unusable(host, contentType === "" ? "no content type" : contentType, REPLY);
  const reply = readReply(bytes, host);
  if (reply.hash !== SHA256 || !equalBytes(reply.imprint, digest)) {
    throw foreign(host, `${reply.hash} ${encodeHex(reply.imprint).slice(0, 64)}`, `${SHA256} ${encodeHex(digest)}`);
  }
  if (reply.nonce === undefined || !equalBytes(reply.nonce, nonce)) {
    const found = reply.nonce === undefined ? "no nonce" : `nonce ${encodeHex(reply.nonce).slice(0, 64)}`;
    throw foreign(host, found, `nonce ${encodeHex(nonce)}: an answer to this very query`);
  }
}

function readReply(bytes: Uint8Array, host: string): Reply {
  const status = attempt(host, () => readStatus(bytes));
  // PKIStatus (RFC 3161 §2.4.2): granted, or granted with modifications, which the checks below would find.
  if (status.status > 1n) {
    const text = peerText(status.statusText);
    throw unusable(host, `status ${status.status}${text === "" ? "" : ` (${text})`}`, "a timestamp that was granted");
  }
  return attempt(host, () => ({ ...status, ...readToken(bytes) }));
}

/** The library throws errors of many kinds at what is not DER. */
function attempt<Value>(host: string, read: () => Value): Value {
  try {
    return read();
  } catch {
    throw unusable(host, "something that is no timestamp", "a TimeStampResp (RFC 3161)");
  }
}

function readStatus(bytes: Uint8Array): Pick<Reply, "status" | "statusText"> {
  const [info] = ASN1Obj.parseBuffer(Buffer.from(bytes)).subs;
  const [status, text] = info?.subs ?? [];
  if (status === undefined) throw new Error("no status");
  const statusText = text?.tag.number === 0x10 ? text.subs.map(({ value }) => value.toString("utf8")).join(" ") : "";
  return { status: status.toInteger(), statusText };
}

function readToken(bytes: Uint8Array): Pick<Reply, "hash" | "imprint" | "nonce"> {
  const response = RFC3161Timestamp.parse(Buffer.from(bytes));
  if (response.eContentType !== TST_INFO) throw new Error("another content");
  const { tstInfo } = response;
  // TSTInfo (§2.4.2): version, policy, imprint, serial, time; then, of what may follow, the only INTEGER.
  const nonce = tstInfo.root.subs.slice(5).find(({ tag }) => tag.isUniversal() && tag.number === 0x02);
  return {
    hash: tstInfo.messageImprintHashAlgorithm,
    imprint: tstInfo.messageImprintHashedMessage,
    nonce: nonce?.value,
  };
}

function unusable(host: string, found: string, wanted: string): CountersignError {
  return new CountersignError("protocol-error", `${host} gave no timestamp`, {
    found,
    wanted,
    next: `check the authority's address, or report it to the operator of ${host}`,
  });
}

function foreign(host: string, found: string, wanted: string): CountersignError {
  return new CountersignError("timestamp-invalid", `${host} answered with a timestamp of something else`, {
    found,
    wanted,
    next: `nothing was stored; report it to the operator of ${host}`,
  });
}
