import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { readClaimedMaterial } from "../../../src/core/trust/claimed-material.ts";
import { accepted, judged, refused, sigstore } from "../../support/attacks.ts";
import { processorTime } from "../../support/processor-time.ts";
import { bundleOf, loggedFrom, signKeyless } from "../../support/sigstore/sign.ts";

/** The bundle of a good signature, written in every other way. */

const signed = signKeyless(sigstore, { timestampAuthorities: [sigstore.timestampAuthority] });
const good = Buffer.from(bundleOf(signed)).toString();

function bundle(text: string | Uint8Array): UntrustedCandidate {
  return {
    format: "bundle",
    origin: { via: "referrers-api" },
    bytes: typeof text === "string" ? encodeUtf8(text) : text,
  };
}

/** The bundle with something changed in its JSON. */
function edited(change: (json: Record<string, never>) => unknown): string {
  const json = JSON.parse(good);
  return JSON.stringify(change(json) ?? json);
}

const TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

describe("a bundle that is written in another way", () => {
  const TEXTS: Readonly<Record<string, string>> = {
    "of version 0.4": good.replace(TYPE, "application/vnd.dev.sigstore.bundle.v0.4+json"),
    "of a type with parameters": good.replace(TYPE, `${TYPE}; charset=utf-8`),
    "of a type that goes on": good.replace(TYPE, `${TYPE}x`),
    "of a type with a line end": good.replace(TYPE, `${TYPE}\\n`),
    "of a type in capitals": good.replace(TYPE, TYPE.toUpperCase()),
    "of version 0.3 with a zero": good.replace(TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.30"),
    "of version 0.3 with a blank": good.replace(TYPE, "application/vnd.dev.sigstore.bundle+json; version=0.3"),
    "of no type": good.replace(`"mediaType":"${TYPE}",`, ""),
    "of two types": good.replace("{", `{"mediaType":"${TYPE}",`),
    "in snake case": good.replace("verificationMaterial", "verification_material"),
    "in snake case as well": good.replace("{", '{"verification_material":{},'),
    "in another case as well": good.replace("{", '{"MediaType":"x",'),
    "with an unknown member": good.replace("{", '{"other":null,'),
    "with an unknown member inside": good.replace('"certificate":{', '"certificate":{"other":1,'),
    "with a prototype": good.replace("{", '{"__proto__":{},'),
    "with a prototype by an escape": good.replace("{", '{"__pr\\u006fto__":{},'),
    "with a member twice by an escape": good.replace("{", `{"mediaTyp\\u0065":"${TYPE}",`),
    "with its certificate twice": good.replace('"certificate"', '"certificate":{"rawBytes":"AA=="},"certificate"'),
    "with a key beside its certificate": good.replace('"certificate"', '"publicKey":{"hint":"x"},"certificate"'),
    "with a chain beside its certificate": good.replace(
      '"certificate"',
      '"x509CertificateChain":{"certificates":[]},"certificate"',
    ),
    "with a message beside its envelope": good.replace(
      "{",
      '{"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"AA=="},"signature":"AA=="},',
    ),
    "without an envelope": edited((json) => ({ ...json, dsseEnvelope: undefined })),
    "without material": edited((json) => ({ ...json, verificationMaterial: undefined })),
    "with nothing for its envelope": edited((json) => ({ ...json, dsseEnvelope: null })),
    "with an empty payload": good.replace(/"payload":"[^"]+"/, '"payload":""'),
    "with an empty signature": good.replace(/"sig":"[^"]+"/, '"sig":""'),
    "with an empty certificate": good.replace(/"certificate":\{"rawBytes":"[^"]+"/, '"certificate":{"rawBytes":""'),
    "with NUL in its base64": good.replace('"sig":"', '"sig":"\\u0000'),
    "with a blank in its base64": good.replace('"sig":"', '"sig":" '),
    "with bits behind the end of its base64": good
      .replace(/(=+)"\}\]\}\}$/, (all) => all)
      .replace(/"sig":"([^"]+)"/, '"sig":"$1===="'),
    "with NUL behind it": `${good}\0`,
    "with a byte order mark": `\ufeff${good}`,
    "with another bundle behind it": `${good}\n${good}`,
    "in a list": `[${good}]`,
    "as a text": JSON.stringify(good),
    "with a comma too many": good.replace(/\}$/, ",}"),
    "with single quotes": good.replaceAll('"', "'"),
    "with an index below nought": good.replace(/"logIndex":"(\d+)"/, '"logIndex":"-$1"'),
    "with an index of another form": good.replace(/"logIndex":"(\d+)"/, '"logIndex":"0$1"'),
    "with an index in powers": good.replace(/"logIndex":"(\d+)"/, '"logIndex":"1e3"'),
    "with an index in sixteens": good.replace(/"logIndex":"(\d+)"/, '"logIndex":"0x3ed"'),
    "with a half index": good.replace(/"logIndex":"(\d+)"/, '"logIndex":1.5'),
    "with an index beyond all counts": good.replace(/"logIndex":"(\d+)"/, '"logIndex":"9223372036854775808"'),
    "with an index as a list": good.replace(/"logIndex":"(\d+)"/, '"logIndex":["$1"]'),
    "with entries as an object": good.replace(
      /"tlogEntries":\[(.*?)\],"timestamp/,
      '"tlogEntries":{"0":$1,"length":1},"timestamp',
    ),
    "with an entry of null": good.replace('"tlogEntries":[', '"tlogEntries":[null,'),
    "without a proof in its entry": good.replace(/"inclusionProof":\{.*?\},"canon/, '"canon'),
    "with its entry twice": good.replace(/"tlogEntries":\[(.*?)\],"timestamp/, '"tlogEntries":[$1,$1],"timestamp'),
    "with its timestamp twice": good.replace(/"rfc3161Timestamps":\[(.*?)\]/, '"rfc3161Timestamps":[$1,$1]'),
    empty: "",
    "of an empty object": "{}",
    "of a number": "1",
  };
  it("is taken as it is, which shows that the rest is right", () => {
    accepted(bundle(good));
    accepted(bundle(JSON.stringify(JSON.parse(good), undefined, "\t")));
  });
  for (const [name, text] of Object.entries(TEXTS)) {
    it(`is refused: ${name}`, () => {
      assert.notEqual(text, good);
      refused(bundle(text), "malformed-signature");
    });
  }

  it("is refused: a chain in version 0.3, and a certificate alone in what it is called before", () => {
    const chain = Buffer.from(bundleOf(signed, "0.2")).toString();
    refused(bundle(chain.replace("+json;version=0.2", "+json;version=0.3")), "malformed-signature");
    accepted(bundle(chain));
  });

  it("is refused: a promise alone in version 0.2, a proof alone in version 0.1", () => {
    const { promise: _, ...proven } = sigstore.log.record(loggedFrom(signed));
    refused(bundle(bundleOf({ ...signed, logEntries: [proven] }, "0.1")), "malformed-signature");
    const { proof: __, ...promised } = sigstore.log.record(loggedFrom(signed));
    for (const version of ["0.2", "0.3"] as const) {
      refused(bundle(bundleOf({ ...signed, logEntries: [promised] }, version)), "malformed-signature");
    }
  });
});

describe("a bundle that is meant to cost", () => {
  const entry = JSON.stringify(JSON.parse(good).verificationMaterial.tlogEntries[0]);
  const token = JSON.stringify(JSON.parse(good).verificationMaterial.timestampVerificationData.rfc3161Timestamps[0]);
  const times = (count: number, text: string): string => Array(count).fill(text).join(",");
  const MIB = 1024 * 1024;
  const LARGE: Readonly<Record<string, readonly [() => string | Uint8Array, ReasonCode]>> = {
    "10,000 log entries": [
      () => good.replace('"tlogEntries":[', `"tlogEntries":[${times(10_000, "{}")},`),
      "limit-reached",
    ],
    "1,500 whole log entries": [
      () => good.replace('"tlogEntries":[', `"tlogEntries":[${times(1_500, entry)},`),
      "limit-reached",
    ],
    "10,000 timestamps": [
      () => good.replace('"rfc3161Timestamps":[', `"rfc3161Timestamps":[${times(10_000, "{}")},`),
      "limit-reached",
    ],
    "1,500 whole timestamps": [
      () => good.replace('"rfc3161Timestamps":[', `"rfc3161Timestamps":[${times(1_500, token)},`),
      "limit-reached",
    ],
    "32 MiB": [() => `${good}${" ".repeat(32 * MIB)}`, "limit-reached"],
    "a million levels of lists": [() => good.replace("{", `{"x":${"[".repeat(1_000_000)}`), "limit-reached"],
    "a million levels of objects": [() => good.replace("{", `{"x":${'{"x":'.repeat(600_000)}`), "limit-reached"],
    "300,000 members": [
      () => good.replace("{", `{${Array.from({ length: 300_000 }, (_, at) => `"m${at}":0`).join(",")},`),
      "malformed-signature",
    ],
    "150,000 numbers for names": [
      () => good.replace("{", `{${Array.from({ length: 150_000 }, (_, at) => `"${at * 7919}":0`).join(",")},`),
      "malformed-signature",
    ],
    "a text of 3 MiB that is all escapes": [
      () => good.replace("{", `{"x":"${"\\u0041".repeat((3 * MIB) / 6)}",`),
      "malformed-signature",
    ],
    "a name of 3 MiB": [() => good.replace("{", `{"${"x".repeat(3 * MIB)}":0,`), "malformed-signature"],
    "a number of 3 MiB": [() => good.replace("{", `{"x":${"9".repeat(3 * MIB)},`), "malformed-signature"],
    "a fraction of 3 MiB": [() => good.replace("{", `{"x":0.${"1".repeat(3 * MIB)},`), "malformed-signature"],
    "a checkpoint of 2 MiB": [
      () => good.replace('"envelope":"', `"envelope":"${"\\n".repeat(MIB)}`),
      "log-entry-invalid",
    ],
    "a checkpoint of 1,000 lines": [
      () =>
        good.replace(
          /("envelope":".*?)(\\n")/s,
          (_all, head: string, tail: string) => `${head}${"\\n\u2014 a AAAAAAAA".repeat(1000)}${tail}`,
        ),
      "log-entry-invalid",
    ],
    "a media type of 3 MiB": [() => good.replace(TYPE, "x".repeat(3 * MIB)), "malformed-signature"],
    "a certificate of 2 MiB": [
      () => good.replace(/"certificate":\{"rawBytes":"[^"]+"/, `"certificate":{"rawBytes":"${"MIIA".repeat(MIB / 2)}"`),
      "limit-reached",
    ],
    "a timestamp of 2 MiB": [
      () => good.replace(/"signedTimestamp":"[^"]+"/, `"signedTimestamp":"${"MIIA".repeat(MIB / 2)}"`),
      "limit-reached",
    ],
  };
  for (const [name, [write, code]] of Object.entries(LARGE)) {
    it(`is refused, or undetermined, in bounded time: ${name}`, () => {
      const candidate = bundle(write());
      const started = processorTime();
      const { status, reasons } = judged([candidate]);
      const spent = processorTime() - started;
      const [reason] = reasons;
      assert.equal(reason?.code, code, `${reason?.message}`);
      assert.equal(status, code === "limit-reached" ? "undetermined" : "refused");
      assert.ok(spent < 5_000, `${spent} ms`);
      for (const { message, found = "", wanted = "" } of reasons) {
        assert.ok(message.length + found.length + wanted.length < 3 * (LIMITS.messageCharacters + 64));
      }
    });
  }

  it("is read to its bound: 32 entries, all of them right, and 32 timestamps", () => {
    const logged = loggedFrom(signed);
    const kinds = ["dsse", "hashedrekord", "intoto"] as const;
    const entries = kinds.map((kind) => sigstore.log.record(logged, { kind }));
    const timestamps = Array.from({ length: 32 }, () => sigstore.timestampAuthority.timestamp(signed.signature));
    const started = processorTime();
    accepted(bundle(bundleOf({ ...signed, logEntries: entries, timestamps })));
    assert.ok(processorTime() - started < 1_000);
  });

  it("is described without its timestamp where that is none: parsing it would take a hundred times its size", () => {
    const token = Buffer.concat([Buffer.of(0x30, 0x83, 0x1e, 0x84, 0x80), Buffer.alloc(2_000_000, Buffer.of(5, 0))]);
    const before = process.memoryUsage().rss;
    const { times } = readClaimedMaterial({ certificates: [], logEntries: [], timestamps: Array(32).fill(token) });
    assert.deepEqual(times, []);
    assert.ok(process.memoryUsage().rss - before < 64 * MIB);
  });
});
