import type { SeenRequest } from "../http-server.ts";
import { type Answer, answered, pathOf, plainError, Refusal } from "./answer.ts";
import { type Element, elementsIn, oid } from "./der.ts";
import { digest, fakeKey, HASH_OIDS, type Hash } from "./keys.ts";
import type { FakeTimestampAuthority, TimestampOptions } from "./timestamp-authority.ts";

/** What may be wrong with a token that is given all the same; "rejected" gives none. */
export type TimestampFault = "rejected" | "other-imprint" | "other-nonce" | "no-nonce" | "bad-signature";

export interface TimestampParts {
  readonly timestampAuthority: FakeTimestampAuthority;
  readonly now: () => number;
}

/** RFC 3161 §3.4 over HTTP, DER in and out; like Sigstore's own it answers 201. */
export function timestamping(parts: TimestampParts, request: SeenRequest, fault?: string): Answer {
  return answered(() => {
    if (`${request.method} ${pathOf(request)}` !== "POST /api/v1/timestamp") throw new Refusal(404, "Not Found");
    if (request.headers["content-type"] !== "application/timestamp-query")
      throw new Refusal(415, "wants a query in DER");
    const asked = readQuery(request.body);
    const body = parts.timestampAuthority.timestamp(Buffer.of(), { ...asked, at: parts.now(), ...faulty(fault) });
    return { status: 201, body, headers: { "content-type": "application/timestamp-reply" } };
  }, plainError);
}

/** TimeStampReq (RFC 3161 §2.4.1): version, imprint, then what is optional. */
function readQuery(der: Uint8Array): TimestampOptions {
  const [query] = elementsIn(der);
  const [version, imprint, ...rest] = elementsIn(query?.content ?? Buffer.of());
  const [algorithm, value] = elementsIn(imprint?.content ?? Buffer.of());
  if (version?.content[0] !== 1 || algorithm === undefined || value?.tag !== 0x04) throw new Refusal(400, "no query");
  const nonce = rest.find(({ tag }) => tag === 0x02);
  return {
    hash: hashOf(algorithm),
    imprint: value.content,
    withCertificates: rest.some(({ tag, content }) => tag === 0x01 && content[0] === 0xff),
    ...(nonce === undefined ? {} : { nonce: BigInt(`0x${nonce.content.toString("hex")}`) }),
  };
}

function hashOf({ content }: Element): Hash {
  const [id] = elementsIn(content);
  const known = Object.entries(HASH_OIDS).find(([, dotted]) => id?.whole.equals(oid(dotted)));
  if (known === undefined) throw new Refusal(400, "no such hash");
  return known[0] as Hash;
}

function faulty(fault: string | undefined): TimestampOptions {
  switch (fault) {
    case "rejected":
      return { status: 2 };
    case "other-imprint":
      return { imprint: digest(Buffer.from("something else")), hash: "sha256" };
    case "other-nonce":
      return { nonce: 1n };
    case "no-nonce":
      return { nonce: undefined };
    case "bad-signature":
      return { signer: fakeKey() };
    default:
      return {};
  }
}
