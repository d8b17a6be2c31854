import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UntrustedInclusionProof, UntrustedLogEntry } from "../../../src/core/formats/envelope.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { accepted, judged, onlyEntry, recordedAs, refused, sigstore } from "../../support/attacks.ts";
import { type EntryBody, entryBody, written } from "../../support/sigstore/entry-bodies.ts";
import { digest, fakeKey } from "../../support/sigstore/keys.ts";
import { FakeLog, promisedBytes } from "../../support/sigstore/log.ts";
import { noteKeyId } from "../../support/sigstore/note.ts";
import { bundleCandidate, loggedFrom, type Signed, signKeyless } from "../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW, seconds } from "../../support/sigstore/times.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

const signed = signKeyless(sigstore);
const entry = onlyEntry(signed);
const second = signKeyless(sigstore, { logs: [sigstore.log2] });
const entry2 = onlyEntry(second);

const text = (body: Uint8Array): string => Buffer.from(body).toString("utf8");

/** The body that a log would write, with its text changed; the log has taken it in all the same. */
function rewritten(change: (body: string) => string, kind: Parameters<typeof entryBody>[0] = "dsse"): Signed {
  const good = entryBody(kind, loggedFrom(signed));
  return recordedAs(signed, { ...good, body: Buffer.from(change(text(good.body))) });
}

/** The PEM inside of a body in another form. */
const inPem = (change: (pem: string) => string) => (body: string) =>
  body.replace(/"verifier":"([^"]+)"/, (_all, pem: string) => {
    return `"verifier":"${Buffer.from(change(Buffer.from(pem, "base64").toString())).toString("base64")}"`;
  });

const certificatePem = (signature: Signed): string =>
  Buffer.from(
    JSON.parse(text(entryBody("dsse", loggedFrom(signature)).body)).spec.signatures[0].verifier,
    "base64",
  ).toString();

describe("the body of an entry", () => {
  const BODIES: Readonly<Record<string, (body: string) => string>> = {
    "with a member twice, the good one last": (body) => body.replace('"kind":', '"kind":"intoto","kind":'),
    "with its specification twice": (body) => body.replace(/"spec":.*\}$/s, (spec) => `"spec":{},${spec}`),
    "with something behind it": (body) => `${body}{}`,
    "with NUL behind it": (body) => `${body}\0`,
    "with a byte order mark": (body) => `\ufeff${body}`,
    "with a member __proto__": (body) => body.replace("{", '{"__proto__":{},'),
    "with a number that is not one": (body) => body.replace("{", '{"x":01,'),
    "with a number beyond all counts": (body) => body.replace("{", '{"x":1e999,'),
    "with half a character": (body) => body.replace("{", '{"x":"\\ud800",'),
    "with single quotes": (body) => body.replaceAll('"', "'"),
    "in a list": (body) => `[${body}]`,
    "as a text": (body) => JSON.stringify(body),
    "with the kind in capitals": (body) => body.replace('"kind":"dsse"', '"kind":"DSSE"'),
    "with two signatures, the good one first": (body) => body.replace(/"signatures":\[(.*)\]/s, '"signatures":[$1,$1]'),
    "with no signature": (body) => body.replace(/"signatures":\[.*\]/s, '"signatures":[]'),
    "with base64 in the alphabet of URLs": (body) => body.replace(/"signature":"../, '"signature":"-_'),
    "with a hash in capitals": (body) =>
      body.replace(/"value":"[0-9a-f]{64}"/g, (all) => all.toUpperCase().replace("VALUE", "value")),
    "with a shortened hash": (body) => body.replace(/("payloadHash":.*"value":"[0-9a-f]{62})[0-9a-f]{2}/s, "$1"),
    "with MD5": (body) => body.replaceAll('"sha256"', '"md5"'),
    "with a hash named after an object's member": (body) => body.replaceAll('"sha256"', '"constructor"'),
    "with the certificate in lower-case base64": inPem((pem) =>
      pem.replace(/\n[A-Za-z0-9+/]{64}\n/, (line) => line.toLowerCase()),
    ),
    "with two certificates": inPem((pem) => `${pem}${pem}`),
    "with another certificate behind the good one": inPem((pem) => `${pem}${certificatePem(signKeyless(sigstore))}`),
    "with the certificate as a key": inPem((pem) => pem.replaceAll("CERTIFICATE", "PUBLIC KEY")),
    "with a certificate that has something behind it": inPem((pem) =>
      pem
        .replace(/\n(?=-----END)/, "")
        .replace(/-----BEGIN CERTIFICATE-----\n([\s\S]*)-----END/, (_all, body: string) => {
          const der = Buffer.concat([Buffer.from(body, "base64"), Buffer.of(5, 0)]);
          return `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END`;
        }),
    ),
    "with a text around the certificate": inPem((pem) => `a certificate:\n${pem}`),
    "with the key alone, of which anybody may have a certificate": (body) => {
      const bare = entryBody("dsse", { ...loggedFrom(signed), verifier: { spki: signed.key.spki } });
      return body === "" ? body : text(bare.body);
    },
  };
  for (const [name, change] of Object.entries(BODIES)) {
    it(`proves nothing ${name}`, () => {
      refused(rewritten(change), "log-entry-invalid");
    });
  }

  for (const [name, change] of Object.entries({
    "with CR LF": inPem((pem) => pem.replaceAll("\n", "\r\n")),
    "with an empty line behind it": inPem((pem) => `${pem}\n`),
    "without the last line's end": inPem((pem) => pem.trimEnd()),
  })) {
    it(`is the same with a certificate ${name}: what counts is the certificate`, () => {
      accepted(rewritten(change));
    });
  }

  it("is about these bytes of the signature, and not another form of the same one (ECDSA, s and n - s)", () => {
    const other = { ...signed, signature: malleated(signed.signature) };
    refused({ ...other, logEntries: signed.logEntries }, "log-entry-invalid");
    refused({ ...signed, logEntries: [sigstore.log.record(loggedFrom(other))] }, "log-entry-invalid");
  });

  const WRITTEN: Readonly<Record<string, EntryBody>> = {
    "dsse 0.0.2, which was withdrawn": entryBody("dsse-v2", loggedFrom(signed)),
    "hashedrekord 0.0.1 over the payload and not what was signed": entryBody("hashedrekord", {
      ...loggedFrom(signed),
      signedBytes: signed.statement ?? new Uint8Array(),
    }),
    "a kind of its own": written("helm", "0.0.1", {}),
    "no kind": written("", "", {}),
    "a kind that is a member of objects": written("constructor", "0.0.1", {}),
  };
  for (const [name, body] of Object.entries(WRITTEN)) {
    it(`proves nothing as ${name}`, () => {
      refused(recordedAs(signed, body), "log-entry-invalid");
    });
  }
});

/** The other signature that anybody can make of an ECDSA signature on P-256. */
function malleated(signature: Uint8Array): Uint8Array {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const bytes = Buffer.from(signature);
  const rLength = bytes.readUInt8(3);
  const r = bytes.subarray(2, 4 + rLength);
  const s = BigInt(`0x${bytes.subarray(6 + rLength).toString("hex")}`);
  const hex = (order - s).toString(16).padStart(64, "0");
  const raw = Buffer.from(hex, "hex");
  const trimmed = raw.subarray(raw.findIndex((byte) => byte !== 0));
  const content = (trimmed[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed;
  const parts = Buffer.concat([r, Buffer.of(2, content.length), content]);
  return Buffer.concat([Buffer.of(0x30, parts.length), parts]);
}

describe("the same signature in another form (ECDSA, s and n - s)", () => {
  it("is no second signer", () => {
    const again = { ...signed, signature: malleated(signed.signature) };
    const both = [signed, { ...again, logEntries: [sigstore.log.record(loggedFrom(again))] }].map((each) =>
      bundleCandidate(each),
    );
    for (const each of both) accepted(each);
    const { status, reasons } = judged(both, { more: { threshold: 2 } });
    assert.equal(status, "refused");
    assert.equal(reasons[0]?.code, "threshold-not-met");
  });
});

describe("the place of an entry", () => {
  const proof = entry.proof;
  assert.ok(proof);
  const hash = Buffer.alloc(32, 7);
  const PROOFS: Readonly<Record<string, Partial<UntrustedInclusionProof>>> = {
    "in a tree of nothing": { treeSize: 0n, logIndex: 0n, hashes: [] },
    "behind the end": { logIndex: proof.treeSize },
    "far behind the end": { logIndex: 2n ** 63n - 1n },
    "of another leaf": { logIndex: proof.logIndex - 1n },
    "in a larger tree than the checkpoint's": { treeSize: proof.treeSize + 1n },
    "in a tree of all numbers": { treeSize: 2n ** 63n - 1n, hashes: Array(63).fill(hash) },
    "with 64 hashes": { hashes: Array(64).fill(hash) },
    "with no hashes": { hashes: [] },
    "with a hash too many": { hashes: [...proof.hashes, hash] },
    "with a hash too few": { hashes: proof.hashes.slice(1) },
    "with short hashes": { hashes: proof.hashes.map((each) => each.subarray(1)) },
    "with long hashes": { hashes: proof.hashes.map((each) => Buffer.concat([each, Buffer.of(0)])) },
    "with hashes in another order": { hashes: proof.hashes.toReversed() },
    "with two hashes run together": {
      hashes: [Buffer.concat(proof.hashes.slice(0, 2)), ...proof.hashes.slice(2)],
    },
    "under another root": { rootHash: hash },
    "under half a root": { rootHash: proof.rootHash.subarray(0, 16) },
  };
  for (const [name, change] of Object.entries(PROOFS)) {
    it(`is not ${name}`, () => {
      refused({ ...signed, logEntries: [{ ...entry, proof: { ...proof, ...change } }] }, "log-entry-invalid");
    });
  }

  it("is not the root itself: a leaf is no node (RFC 6962, section 2.1)", () => {
    const node = Buffer.concat(proof.hashes.slice(0, 2));
    refused({ ...signed, logEntries: [{ ...entry, body: node }] }, "log-entry-invalid");
  });

  it("is not signed for over nothing", () => {
    const options = { treeSize: 0n, rootHash: Buffer.alloc(32) };
    refused({ ...signed, logEntries: [sigstore.log.record(loggedFrom(signed), options)] }, "log-entry-invalid");
  });

  it("is the first and only one in a tree of one, where nothing else has to be shown and nothing else may be", () => {
    const rootHash = digest(Buffer.concat([Buffer.of(0), entry2.body]));
    const checkpoint = sigstore.log2.checkpoint({ rootHash, treeSize: 1n });
    const only = { logIndex: 0n, treeSize: 1n, rootHash, hashes: [], checkpoint };
    const alone = (proof: UntrustedInclusionProof) => ({
      ...second,
      logEntries: [{ ...entry2, logIndex: proof.logIndex, proof }],
    });
    accepted(alone(only));
    refused(alone({ ...only, hashes: [rootHash] }), "log-entry-invalid");
    refused(alone({ ...only, logIndex: 1n }), "log-entry-invalid");
    const two = sigstore.log2.checkpoint({ rootHash, treeSize: 2n });
    refused(alone({ ...only, treeSize: 2n, checkpoint: two }), "log-entry-invalid");
    refused({ ...alone(only), logEntries: [{ ...entry2, body: entry.body, proof: only }] }, "log-entry-invalid");
  });
});

describe("a checkpoint", () => {
  const { name } = sigstore.log;
  const ORIGINS: readonly string[] = [
    `${name}\r`,
    ` ${name}`,
    `${name} `,
    `${name}.`,
    `${name} - `,
    `${name} - 12a`,
    `${name} -  1`,
    `${name} - 1 - 1`,
    `${name}.evil.example - 1`,
    `evil.${name}`,
    `https://${name}`,
    `${name}\n${name}`,
    `\n${name}`,
    name.toUpperCase(),
    name.replace("e", "\u0435"),
    `${name}\u200b`,
    `\ufeff${name}`,
    `${name}\0`,
    "",
    `${name} - ${"9".repeat(40)}`,
  ];
  for (const origin of ORIGINS) {
    it(`is of another log by its first line: ${JSON.stringify(origin.slice(0, 40))}`, () => {
      refused({ ...signed, logEntries: [sigstore.log.record(loggedFrom(signed), { origin })] }, "log-entry-invalid");
    });
  }

  const note = entry.proof?.checkpoint ?? "";
  const NOTES: Readonly<Record<string, string>> = {
    "with CR LF": note.replaceAll("\n", "\r\n"),
    "with a hyphen for the dash": note.replace("\u2014", "-"),
    "with an en dash": note.replace("\u2014", "\u2013"),
    "without its last line's end": note.trimEnd(),
    "with something behind it": `${note}x`,
    "with an empty line behind it": `${note}\n`,
    "with an empty line before it": `\n${note}`,
    "with two empty lines": note.replace("\n\n", "\n\n\n"),
    "without its empty line": note.replace("\n\n", "\n"),
    "with its size in other digits": note.replace(/\n([0-9]+)\n/, "\n0$1\n"),
    "with a signed size": note.replace(/\n([0-9]+)\n/, "\n+$1\n"),
    "with its size in sixteens": note.replace(
      /\n([0-9]+)\n/,
      (_all, size: string) => `\n0x${Number(size).toString(16)}\n`,
    ),
    "with two names": note.replace("\u2014 ", `\u2014 ${name} `),
    "with another key's id": note.replace(/(\u2014 \S+ )(\S)/, (_all, head: string, first: string) => {
      return `${head}${first === "A" ? "B" : "A"}`;
    }),
    "with base64 that goes on": note.replace(/=*\n$/, "A=\n"),
    "with another line of the log's name and key before its own": note.replace(
      /(\u2014 \S+ )(\S+)\n$/,
      (all, head: string, content: string) => {
        const other = Buffer.from(content, "base64").fill(1, 10);
        return `${head}${other.toString("base64")}\n${all}`;
      },
    ),
    "with a hundred and one lines": note.replace(/(\u2014 .*\n)$/, (line) => line.repeat(101)),
    empty: "",
    "of nothing but line ends": "\n\n\n",
  };
  for (const [what, checkpoint] of Object.entries(NOTES)) {
    it(`is not taken ${what}`, () => {
      const proof = entry.proof && { ...entry.proof, checkpoint };
      refused({ ...signed, logEntries: [{ ...entry, proof }] }, "log-entry-invalid");
    });
  }

  it("is not that of a log whose key id begins with the same four bytes", () => {
    const key = fakeKey();
    const options = { checkpointKey: key, checkpointKeyId: sigstore.log.logId };
    refused({ ...signed, logEntries: [sigstore.log.record(loggedFrom(signed), options)] }, "log-entry-invalid");
  });

  it("is not that of another log with the same key", () => {
    const twin = new FakeLog({ name: "twin.example.com", key: sigstore.log.key });
    const theirs = twin.record(loggedFrom(signed));
    refused({ ...signed, logEntries: [theirs] }, "log-entry-invalid");
    assert.deepEqual(theirs.logId, entry.logId);
  });
});

describe("the time of an entry", () => {
  const at = seconds(NOW);
  const untimed = (change: Partial<UntrustedLogEntry>): Signed => ({
    ...signed,
    logEntries: [{ ...entry, ...change }],
  });
  const TIMES: Readonly<Record<string, readonly [Signed, ReasonCode]>> = {
    "without the promise that covers it": [untimed({ promise: undefined }), "timestamp-missing"],
    "with a promise over another one": [untimed({ integratedTime: at + 1n }), "log-entry-invalid"],
    "of nought": [untimed({ integratedTime: 0n }), "log-entry-invalid"],
    "left out": [untimed({ integratedTime: undefined }), "log-entry-invalid"],
    "beyond all years": [untimed({ integratedTime: 2n ** 62n }), "log-entry-invalid"],
    "with a promise of no bytes that mean anything": [untimed({ promise: Buffer.of(0) }), "log-entry-invalid"],
    "that Rekor 2 cannot have": [
      { ...second, timestamps: [], logEntries: [{ ...entry2, integratedTime: at }] },
      "timestamp-missing",
    ],
    "that Rekor 2 cannot have, with a promise of somebody": [
      {
        ...second,
        timestamps: [],
        logEntries: [{ ...entry2, integratedTime: at, promise: fakeKey().sign(entry2.body) }],
      },
      "log-entry-invalid",
    ],
  };
  for (const [name, [by, code]] of Object.entries(TIMES)) {
    it(`is none ${name}`, () => {
      refused(by, code);
    });
  }

  it("is none by a promise that the same key gave as another log", () => {
    const body = { body: entry.body, integratedTime: at, logIndex: entry.logIndex, logId: Buffer.alloc(32, 1) };
    refused(untimed({ promise: sigstore.log.key.sign(promisedBytes(body)) }), "log-entry-invalid");
  });

  it("has to be within the certificate's, whatever the log's other entries say", () => {
    const late = sigstore.log.record(loggedFrom(signed), { at: NOW + DAY });
    refused({ ...signed, logEntries: [late] }, "certificate-untrusted");
    const other = new FakeLog({ name: "other.example.com" });
    const root = trustedRoot({
      authorities: [sigstore.authority],
      logs: [sigstore.log, other],
      certificateLogs: [sigstore.certificateLog],
    });
    const both = { ...signed, logEntries: [entry, other.record(loggedFrom(signed), { at: NOW + DAY })] };
    refused(both, "certificate-untrusted", { root });
    accepted({ ...both, logEntries: [entry] }, { root });
  });
});

describe("logs that are demanded", () => {
  const twin = new FakeLog({ name: "second.example.com", operator: sigstore.log.operator });
  const stranger = new FakeLog({ name: "third.example.com", operator: "example.net" });
  const root = trustedRoot({
    version: "v0.2",
    authorities: [sigstore.authority],
    logs: [sigstore.log, twin, stranger],
    certificateLogs: [sigstore.certificateLog],
    timestampAuthorities: [sigstore.timestampAuthority],
  });
  const logged = loggedFrom(signed);

  it("are not two where one operator has both", () => {
    const both = { ...signed, logEntries: [entry, twin.record(logged)] };
    refused(both, "log-entry-missing", { root, demands: { logs: 2 } });
    accepted({ ...signed, logEntries: [entry, stranger.record(logged)] }, { root, demands: { logs: 2 } });
  });

  it("are not two where one log has several entries of it, each in another kind", () => {
    const kinds = ["dsse", "hashedrekord", "intoto"] as const;
    const entries = kinds.map((kind) => sigstore.log.record(logged, { kind }));
    const several = { ...signed, logEntries: entries };
    accepted(several, { root });
    refused(several, "log-entry-missing", { root, demands: { logs: 2 } });
  });

  it("are not two where an unknown one is beside", () => {
    const unknown = new FakeLog({ name: "unknown.example.com", operator: "example.org" });
    const entries = [entry, unknown.record(logged)];
    refused({ ...signed, logEntries: entries }, "log-entry-missing", { root, demands: { logs: 2 } });
  });

  it("are found under each of their windows, when a log stands there twice", () => {
    const { log2 } = sigstore;
    const windows = (...of: readonly (readonly [number, number | undefined])[]) =>
      trustedRoot({
        authorities: [sigstore.authority],
        logs: of.map(([start, end]) => ({ of: log2, validFor: end === undefined ? { start } : { start, end } })),
        certificateLogs: [sigstore.certificateLog],
        timestampAuthorities: [sigstore.timestampAuthority],
      });
    accepted(second, { root: windows([FROM, undefined]) });
    refused(second, "log-entry-invalid", { root: windows([FROM, NOW - DAY]) });
    refused(second, "log-entry-invalid", { root: windows([FROM, NOW - DAY], [NOW + DAY, undefined]) });
    accepted(second, { root: windows([NOW - MINUTE, undefined], [FROM, NOW - DAY]) });
    accepted(second, { root: windows([FROM, NOW - DAY], [NOW - MINUTE, undefined]) });
  });

  it("have to be believed now, where a certificate is judged by the present", () => {
    const untimed = signKeyless(sigstore, { logs: [sigstore.log2], timestampAuthorities: [] });
    const demands = { times: 0, currentTime: true };
    const root = (end: number) =>
      trustedRoot({
        authorities: [sigstore.authority],
        logs: [{ of: sigstore.log2, validFor: { start: FROM, end } }],
        certificateLogs: [sigstore.certificateLog],
      });
    accepted(untimed, { root: root(NOW), demands, more: { now: NOW } });
    refused(untimed, "log-entry-invalid", { root: root(NOW - DAY), demands, more: { now: NOW } });
  });

  it("name their keys by whole ids: the first bytes decide nothing", () => {
    const fake = { ...entry, logId: Buffer.concat([entry.logId.subarray(0, 4), Buffer.alloc(28)]) };
    refused({ ...signed, logEntries: [fake] }, "log-entry-missing");
    assert.equal(noteKeyId(sigstore.log.name, sigstore.log.key).length, 32);
  });

  it("do not stand for a signature that is none", () => {
    const none = { ...signed, signature: Buffer.from("no signature at all") };
    refused(none, "log-entry-invalid");
    refused({ ...none, logEntries: [sigstore.log.record(loggedFrom(none))] }, "bad-signature");
  });
});
