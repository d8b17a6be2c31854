import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { accepted, judged, refused, sigstore } from "../../support/attacks.ts";
import { property } from "../../support/property.ts";
import {
  context,
  type Element,
  element,
  elementsIn,
  octets,
  oid,
  sequence,
  setOf,
} from "../../support/sigstore/der.ts";
import { bundleCandidate, fakeSigstore, type Signed, signKeyless } from "../../support/sigstore/sign.ts";
import { DAY, MINUTE, NOW, UNTIL } from "../../support/sigstore/times.ts";
import { FakeTimestampAuthority, type TimestampOptions } from "../../support/sigstore/timestamp-authority.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

/** A signature whose one proof of time is a timestamp, and timestamps that are none. */

const { log2, timestampAuthority } = sigstore;
const signed = signKeyless(sigstore, { logs: [log2] });
const [token] = signed.timestamps;
assert.ok(token);

const stamped = (...timestamps: readonly Uint8Array[]): Signed => ({ ...signed, timestamps });
const by = (options: TimestampOptions): Signed => stamped(timestampAuthority.timestamp(signed.signature, options));

const NOTHING = Buffer.alloc(0);
const inside = (element: Element | undefined): readonly Element[] => elementsIn(element?.content ?? NOTHING);

/** The token with the parts of its SignedData changed; every length is written anew. */
function rebuilt(change: (parts: readonly Buffer[]) => readonly Uint8Array[]): Uint8Array {
  const [response] = elementsIn(token ?? NOTHING);
  const [status, contentInfo] = inside(response);
  const [type, holder] = inside(contentInfo);
  const [signedData] = inside(holder);
  const parts = inside(signedData).map(({ whole }) => whole);
  assert.ok(status && type);
  return sequence(status.whole, sequence(type.whole, context(0, sequence(...change(parts)))));
}

/** The same with the parts of its one SignerInfo changed. */
function resigned(change: (parts: readonly Buffer[]) => readonly Uint8Array[]): Uint8Array {
  return rebuilt((parts) => {
    const [info] = inside(elementsIn(parts.at(-1) ?? NOTHING)[0]);
    return [...parts.slice(0, -1), setOf(sequence(...change(inside(info).map(({ whole }) => whole))))];
  });
}

describe("a timestamp", () => {
  it("is taken as it is, and made again from its parts, which shows that the rest is right", () => {
    accepted(signed);
    accepted(stamped(rebuilt((parts) => parts)));
    accepted(stamped(resigned((parts) => parts)));
  });

  const TIMES: Readonly<Record<string, readonly [Signed, ReasonCode]>> = {
    "of years to come": [by({ at: UNTIL - DAY }), "certificate-untrusted"],
    "of a time after its authority's end": [by({ at: UNTIL + DAY }), "timestamp-invalid"],
    "of a minute before the certificate": [by({ at: NOW - 2 * MINUTE }), "certificate-untrusted"],
    "of 1970": [by({ at: 0 }), "timestamp-invalid"],
    "of the payload": [by({ imprintOf: signed.statement ?? new Uint8Array() }), "timestamp-invalid"],
    "of what was signed": [by({ imprintOf: signed.signedBytes }), "timestamp-invalid"],
    "of the certificate": [by({ imprintOf: signed.certificates[0] ?? new Uint8Array() }), "timestamp-invalid"],
    "of the signature in base64": [
      by({ imprintOf: Buffer.from(Buffer.from(signed.signature).toString("base64")) }),
      "timestamp-invalid",
    ],
    "of a digest that is cut": [by({ imprint: Buffer.alloc(16) }), "timestamp-invalid"],
    "of no digest": [by({ imprint: Buffer.alloc(0) }), "timestamp-invalid"],
    "of another kind of content": [by({ contentType: "1.2.840.113549.1.7.1" }), "timestamp-invalid"],
    "that was refused and brings a token": [by({ status: 2, withToken: true }), "timestamp-invalid"],
    "that was granted with changes": [by({ status: 1 }), "timestamp-invalid"],
    "without a token": [by({ withToken: false }), "timestamp-invalid"],
    "by nobody that is known": [
      stamped(
        fakeSigstore({
          timestampAuthority: new FakeTimestampAuthority({ name: "x.example" }),
        }).timestampAuthority.timestamp(signed.signature),
      ),
      "timestamp-missing",
    ],
    "with another's certificate for its own": [
      by({ signingCertificate: sigstore.authority.root }),
      "timestamp-invalid",
    ],
  };
  for (const [name, [forged, code]] of Object.entries(TIMES)) {
    it(`proves no time ${name}`, () => {
      refused(forged, code);
    });
  }

  const attribute = (id: string, value: Uint8Array) => sequence(oid(id), setOf(value));
  const first = ([part]: readonly Buffer[]): Buffer => part ?? NOTHING;
  const SHAPES: Readonly<Record<string, Uint8Array>> = {
    "with something behind it": Buffer.concat([token, Buffer.of(0)]),
    "without end (BER)": Buffer.concat([Buffer.of(0x30, 0x80), Buffer.from(token).subarray(4), Buffer.of(0, 0)]),
    "as its token alone": inside(elementsIn(token)[0])[1]?.whole ?? NOTHING,
    "with two signers": rebuilt((parts) => {
      const [info] = inside(elementsIn(parts.at(-1) ?? NOTHING)[0]);
      return [...parts.slice(0, -1), setOf(info?.whole ?? NOTHING, info?.whole ?? NOTHING)];
    }),
    "with no signer": rebuilt((parts) => [...parts.slice(0, -1), setOf()]),
    "with no signed attributes": resigned((parts) => [...parts.slice(0, 3), ...parts.slice(4)]),
    "with attributes that are not signed in their place": resigned((parts) => [
      ...parts.slice(0, 3),
      context(1, attribute("1.2.3.4", Buffer.of(5, 0))),
      ...parts.slice(4),
    ]),
    "with an attribute twice": resigned((parts) => {
      const [list] = elementsIn(parts[3] ?? NOTHING);
      const all = inside(list).map(({ whole }) => whole);
      return [...parts.slice(0, 3), context(0, ...all, first(all)), ...parts.slice(4)];
    }),
    "with another attribute": resigned((parts) => {
      const [list] = elementsIn(parts[3] ?? NOTHING);
      const all = inside(list).map(({ whole }) => whole);
      return [...parts.slice(0, 3), context(0, ...all, attribute("1.2.3.4", Buffer.of(5, 0))), ...parts.slice(4)];
    }),
    "with its attributes in another order": resigned((parts) => {
      const [list] = elementsIn(parts[3] ?? NOTHING);
      const all = inside(list).map(({ whole }) => whole);
      return [...parts.slice(0, 3), context(0, ...all.toReversed()), ...parts.slice(4)];
    }),
    "with an empty signature": resigned((parts) => [...parts.slice(0, 5), octets(NOTHING)]),
    "with its signature as bits": resigned((parts) => [
      ...parts.slice(0, 5),
      element(0x03, Buffer.of(0), elementsIn(parts[5] ?? NOTHING)[0]?.content ?? NOTHING),
    ]),
    "with another content in its place": rebuilt((parts) => [
      ...parts.slice(0, 2),
      sequence(oid("1.2.840.113549.1.9.16.1.4"), context(0, octets(sequence()))),
      ...parts.slice(3),
    ]),
    "with its content in pieces (BER)": rebuilt((parts) => {
      const [info] = elementsIn(parts[2] ?? NOTHING);
      const [type, holder] = inside(info);
      const inner = inside(holder)[0]?.content ?? NOTHING;
      const pieces = element(0x24, octets(inner.subarray(0, 20)), octets(inner.subarray(20)));
      return [...parts.slice(0, 2), sequence(type?.whole ?? NOTHING, context(0, pieces)), ...parts.slice(3)];
    }),
  };
  for (const [name, forged] of Object.entries(SHAPES)) {
    it(`is none ${name}`, () => {
      refused(stamped(forged), "timestamp-invalid");
    });
  }

  it("is what it is without its certificates, with others, and with attributes that nobody signed", () => {
    accepted(by({ withCertificates: false }));
    accepted(by({ certificates: [sigstore.authority.root] }));
    accepted(stamped(resigned((parts) => [...parts, context(1, attribute("1.2.3.4", Buffer.of(5, 0)))])));
  });

  it("is one witness, however often one authority stamps it", () => {
    const several = [1, 2, 3].map(() => timestampAuthority.timestamp(signed.signature));
    accepted(stamped(...several));
    refused(stamped(...several), "timestamp-missing", { demands: { timestamps: 2 } });
    refused(stamped(token, token), "malformed-signature");
  });

  it("of a known authority that is wrong is not made good by one that is right", () => {
    refused(stamped(token, timestampAuthority.timestamp(Buffer.from("x"))), "timestamp-invalid");
    refused(stamped(timestampAuthority.timestamp(Buffer.from("x")), token), "timestamp-invalid");
  });

  it("of the log's own window: an entry of a log that was no longer believed", () => {
    const root = trustedRoot({
      authorities: [sigstore.authority],
      logs: [{ of: log2, validFor: { start: NOW - DAY, end: NOW - MINUTE } }],
      certificateLogs: [sigstore.certificateLog],
      timestampAuthorities: [timestampAuthority],
    });
    refused(signed, "log-entry-invalid", { root });
  });
});

property(
  "a byte that is changed anywhere in a timestamp never makes another time of it",
  [fc.nat({ max: token.byteLength - 1 }), fc.integer({ min: 1, max: 255 })],
  (at, change) => {
    const changed = token.map((byte, index) => (index === at ? byte ^ change : byte));
    const { status, signatures, reasons } = judged([bundleCandidate(stamped(changed))]);
    if (status === "accepted") assert.equal(signatures[0]?.proof?.signedAt, NOW);
    else assert.notEqual(reasons[0]?.code, "internal");
  },
);
