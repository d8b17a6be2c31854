import { createHash, randomBytes } from "node:crypto";
import { encodeHex, equalBytes } from "../../core/bytes.ts";
import {
  DER,
  type DerValue,
  derParts,
  expectTag,
  notDer,
  readDer,
  readingDer,
  readOid,
  readSmallInteger,
} from "../../core/crypto/der.ts";
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

/** What is read of a timestamp: what it is about, and which query it answers. */
interface Reply {
  readonly hash: string;
  readonly imprint: Uint8Array;
  readonly nonce: Uint8Array | undefined;
}

const OIDS = {
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  sha256: "2.16.840.1.101.3.4.2.1",
} as const;

function checkReply({ bytes, contentType }: ServiceAnswer, digest: Uint8Array, nonce: Uint8Array, host: string): void {
  if (contentType !== REPLY) throw unusable(host, contentType === "" ? "no content type" : contentType, REPLY);
  const reply = readingDer(`the timestamp by ${host}`, "protocol-error", () => readReply(bytes, host));
  if (reply.hash !== OIDS.sha256 || !equalBytes(reply.imprint, digest)) {
    const hash = reply.hash === OIDS.sha256 ? "SHA-256" : `hash ${reply.hash}`;
    throw foreign(host, `${hash} ${encodeHex(reply.imprint).slice(0, 64)}`, `SHA-256 ${encodeHex(digest)}`);
  }
  if (reply.nonce === undefined || !equalBytes(reply.nonce, nonce)) {
    const found = reply.nonce === undefined ? "no nonce" : `nonce ${encodeHex(reply.nonce).slice(0, 64)}`;
    throw foreign(host, found, `nonce ${encodeHex(nonce)}: an answer to this very query`);
  }
}

/** TimeStampResp (RFC 3161 §2.4.2): a status and, where it is "granted", a token. */
function readReply(bytes: Uint8Array, host: string): Reply {
  const [info, token] = derParts(readDer(bytes), DER.sequence);
  const [status, text] = derParts(expectTag(info, DER.sequence));
  const code = readSmallInteger(status);
  if (code === 0) return readTimestamp(token);
  const said = text?.tag === DER.sequence ? derParts(text).map(({ content }) => Buffer.from(content).toString()) : [];
  const shown = peerText(said.join(" "));
  throw unusable(host, `status ${code}${shown === "" ? "" : ` (${shown})`}`, "a timestamp that was granted");
}

/** The TSTInfo inside a SignedData (RFC 5652 §5). */
function readTimestamp(token: DerValue | undefined): Reply {
  const [type, holder] = derParts(expectTag(token, DER.sequence));
  if (readOid(type) !== OIDS.signedData) notDer("what is no signed data");
  const [signedData] = derParts(expectTag(holder, DER.context[0]));
  const [, , content] = derParts(expectTag(signedData, DER.sequence));
  const [contentType, octets] = derParts(expectTag(content, DER.sequence));
  if (readOid(contentType) !== OIDS.tstInfo) notDer("signed data that is no timestamp");
  const [inner] = derParts(expectTag(octets, DER.context[0]));
  const [, , imprint, , , ...optional] = derParts(readDer(expectTag(inner, DER.octetString).content), DER.sequence);
  const [algorithm, digest] = derParts(expectTag(imprint, DER.sequence));
  const [hash] = derParts(expectTag(algorithm, DER.sequence));
  // Of what may follow version, policy, imprint, serial and time, the nonce is the only INTEGER.
  const nonce = optional.find(({ tag }) => tag === DER.integer)?.content;
  return { hash: readOid(hash), imprint: expectTag(digest, DER.octetString).content, nonce };
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
