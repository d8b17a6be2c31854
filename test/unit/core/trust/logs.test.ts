import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UntrustedLogEntry } from "../../../../src/core/formats/envelope.ts";
import { parseCandidate } from "../../../../src/core/formats/format.ts";
import { parseBundleSignature } from "../../../../src/core/formats/sigstore-bundle.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { formatInstant, instant } from "../../../../src/core/time.ts";
import { prove, unproven, untrusted } from "../../../support/prove.ts";
import { type EntryBody, type EntryKind, entryBody, written } from "../../../support/sigstore/entry-bodies.ts";
import { fakeKey, type KeyKind } from "../../../support/sigstore/keys.ts";
import { type EntryOptions, FakeLog } from "../../../support/sigstore/log.ts";
import {
  bundleOf,
  fakeSigstore,
  legacyCandidate,
  legacyPayload,
  loggedFrom,
  type Signed,
  signKeyless,
} from "../../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW } from "../../../support/sigstore/times.ts";
import { type TrustedRootParts, trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const sigstore = fakeSigstore();
const signed = signKeyless(sigstore);
const [entry] = signed.logEntries;
assert.ok(entry);
const second = signKeyless(sigstore, { logs: [sigstore.log2] });
const [entry2] = second.logEntries;
assert.ok(entry2);

const FILE = Buffer.from("a file");

function rootWith(parts: Partial<TrustedRootParts>): Uint8Array {
  return trustedRoot({
    authorities: [sigstore.authority],
    logs: [sigstore.log, sigstore.log2],
    certificateLogs: [sigstore.certificateLog],
    timestampAuthorities: [sigstore.timestampAuthority],
    ...parts,
  });
}

/** The signature with another entry in place of its own. */
const logged = (by: Signed, ...logEntries: readonly UntrustedLogEntry[]): Signed => ({ ...by, logEntries });

/** The same signature, recorded again with something wrong. */
function recorded(options: EntryOptions & { readonly kind?: EntryKind }, log = sigstore.log, by = signed): Signed {
  return logged(by, log.record(loggedFrom(by), options));
}

function included(body: EntryBody, log = sigstore.log, by = signed): Signed {
  return logged(by, log.include(body));
}

function refusal(by: Signed, options: Parameters<typeof unproven>[3] = {}): string {
  const { message, found, wanted } = unproven(sigstore, by, "log-entry-invalid", options);
  return `${message} / ${found} / ${wanted}`;
}

describe("entries of transparency logs", () => {
  for (const version of ["0.1", "0.2", "0.3"] as const) {
    it(`prove a bundle v${version}: log, index and the log's own time`, () => {
      const { logs, signedAt } = prove(sigstore, parseBundleSignature(bundleOf(signed, version), { via: "file" }));
      const [proven] = logs;
      assert.deepEqual(proven, { log: "rekor.example.com", index: String(entry.logIndex), integratedAt: NOW });
      assert.equal(signedAt, NOW);
    });
  }

  it("of Rekor 2 have no time of their own", () => {
    const { logs, timestamps } = prove(sigstore, second);
    assert.deepEqual(logs, [{ log: "log2026.rekor.example.com", index: "5", integratedAt: undefined }]);
    assert.equal(timestamps.length, 1);
  });

  it("of a legacy signature prove by their promise alone", () => {
    const legacy = signKeyless(sigstore, { what: { payload: legacyPayload() } });
    const { logs } = prove(sigstore, parseCandidate(legacyCandidate(legacy)));
    assert.equal(logs[0]?.integratedAt, NOW);
  });

  const KINDS: readonly (readonly [EntryKind, boolean])[] = [
    ["hashedrekord", false],
    ["hashedrekord", true],
    ["dsse", true],
    ["intoto", true],
  ];
  for (const [kind, isDsse] of KINDS) {
    it(`are taken as ${kind} over ${isDsse ? "an envelope" : "a file"}`, () => {
      const by = signKeyless(sigstore, { ...(isDsse ? {} : { what: { file: FILE } }), entry: { kind } });
      assert.equal(prove(sigstore, by).logs.length, 1);
    });
  }

  for (const key of ["p256", "p384", "p521", "rsa2048", "ed25519"] as const satisfies readonly KeyKind[]) {
    for (const kind of ["hashedrekord", "hashedrekord-v2"] as const) {
      it(`are taken as ${kind} with a key of kind ${key} and its own hash`, () => {
        const logs = kind === "hashedrekord" ? [sigstore.log] : [sigstore.log2];
        const by = signKeyless(sigstore, { what: { file: FILE }, key, logs, entry: { kind } });
        assert.equal(prove(sigstore, by).logs.length, 1);
      });
    }
  }

  it("of logs that are not in the trust root are passed over, whatever is in them", () => {
    const stranger = new FakeLog({ name: "elsewhere.example.com" });
    const foreign = stranger.record(loggedFrom(signed), { origin: "evil.example.com" });
    const body = Buffer.from("no JSON");
    assert.equal(prove(sigstore, logged(signed, foreign, entry, { ...foreign, body, logIndex: 9n })).logs.length, 1);
    const { code, found } = unproven(sigstore, logged(signed, foreign), "log-entry-missing");
    assert.deepEqual([code, found], ["log-entry-missing", "1 entry of an unknown log"]);
  });

  it("are named by the index that a promise covers, or else by the place that is proven", () => {
    const index = (by: Signed) => prove(sigstore, by).logs[0]?.index;
    assert.equal(index(signed), String(entry.logIndex));
    const bare = { ...entry, promise: undefined };
    const timestamps = [sigstore.timestampAuthority.timestamp(signed.signature)];
    assert.equal(index({ ...logged(signed, bare), timestamps }), String(entry.proof?.logIndex));
    assert.equal(index({ ...logged(signed, { ...bare, logIndex: 7n }), timestamps }), String(entry.proof?.logIndex));
  });
});

describe("an entry is about this signature", () => {
  const other = signKeyless(sigstore);
  const [others] = other.logEntries;
  assert.ok(others);

  it("and not about another one (CVE-2022-23649, CVE-2026-22703)", () => {
    assert.match(refusal(logged(signed, others)), /about another signature/);
  });

  it("and not about another one by the same key over the same content", () => {
    const again = signKeyless(sigstore, {
      key: signed.key,
      certificate: { leaf: signed.certificates[0] ?? FILE, chain: signed.certificates },
    });
    assert.match(refusal(logged(signed, ...again.logEntries)), /about another signature/);
  });

  for (const kind of ["hashedrekord", "hashedrekord-v2", "dsse", "intoto"] as const) {
    const [by, log] = kind === "hashedrekord-v2" ? [second, sigstore.log2] : [signed, sigstore.log];
    const record = (change: Partial<ReturnType<typeof loggedFrom>>) => {
      const body = entryBody(kind, { ...loggedFrom(by), ...change });
      return refusal(included(body, log, by));
    };

    it(`and its certificate, in ${kind} (CVE-2022-36056, CVE-2023-47122)`, () => {
      const [certificate] = other.certificates;
      assert.ok(certificate);
      assert.match(record({ verifier: { certificate } }), /by another certificate/);
      // Even the same key is not the same certificate: another name may be on it.
      assert.match(record({ verifier: { spki: by.key.spki } }), /by another certificate \/ key/);
    });

    it(`and its content, in ${kind}`, () => {
      const changed = { signedBytes: FILE, payload: FILE };
      assert.match(record(changed), /about other content/);
    });
  }

  it("and an envelope's entry does not do for a file", () => {
    const file = signKeyless(sigstore, { what: { file: FILE } });
    const body = entryBody("dsse", { ...loggedFrom(file), payload: FILE });
    assert.match(refusal(included(body, sigstore.log, file)), /about an envelope/);
  });

  it("of the kind that it says (kindVersion)", () => {
    assert.match(refusal(logged(signed, { ...entry, kind: "hashedrekord" })), /hashedrekord 0\.0\.1/);
    assert.match(refusal(logged(signed, { ...entry, version: "0.0.2" })), /not of the kind/);
  });

  it("and of a kind that is known; dsse 0.0.2 was withdrawn", () => {
    assert.match(refusal(recorded({ kind: "dsse-v2" }, sigstore.log2, second)), /withdrawn/);
    assert.match(refusal(included(written("rekord", "0.0.1", {}))), /unknown kind.*rekord 0\.0\.1/);
  });

  for (const [what, body] of [
    ["no JSON", Buffer.from("{")],
    ["no object", Buffer.from("[]")],
    ["JSON with a member twice", Buffer.from('{"kind":"dsse","kind":"dsse","apiVersion":"0.0.1","spec":{}}')],
    ["a body without a kind", Buffer.from('{"apiVersion":"0.0.1","spec":{}}')],
    ["an empty body", Buffer.from('{"kind":"dsse","apiVersion":"0.0.1","spec":{}}')],
  ] as const) {
    it(`and not ${what}`, () => {
      refusal(included({ kind: "dsse", version: "0.0.1", body }));
    });
  }

  it("and has one signature, hashed with SHA-2, by a key or a certificate", () => {
    const { key, signature } = signed;
    const content = Buffer.from(signature).toString("base64");
    const pem = (label: string) =>
      Buffer.from(`-----BEGIN ${label}-----\n${key.spki.toString("base64")}\n-----END ${label}-----\n`).toString(
        "base64",
      );
    const hash = { algorithm: "sha256", value: "00" };
    const dsse = (spec: Parameters<typeof written>[2]) => refusal(included(written("dsse", "0.0.1", spec)));
    const one = { signature: content, verifier: pem("PUBLIC KEY") };
    assert.match(dsse({ payloadHash: hash, signatures: [] }), /several signatures or none/);
    assert.match(dsse({ payloadHash: hash, signatures: [one, one] }), /several signatures or none/);
    assert.match(dsse({ payloadHash: { ...hash, algorithm: "sha1" }, signatures: [one] }), /sha1/);
    assert.match(dsse({ payloadHash: { ...hash, value: "0G" }, signatures: [one] }), /not hexadecimal/);
    assert.match(dsse({ payloadHash: hash, signatures: [{ ...one, verifier: pem("SECRET") }] }), /SECRET/);
    assert.match(dsse({ payloadHash: hash, signatures: [{ ...one, verifier: "AAAA" }] }), /not PEM/);
    assert.match(dsse({ payloadHash: hash, signatures: [{ ...one, signature: "A" }] }), /base64/);
  });

  it("and names one verifier, not two", () => {
    const body = JSON.parse(Buffer.from(entry2.body).toString());
    const { verifier } = body.spec.hashedRekordV002.signature;
    body.spec.hashedRekordV002.signature.verifier = { ...verifier, publicKey: { rawBytes: "AAAA" } };
    const changed = { kind: "hashedrekord", version: "0.0.2", body: Buffer.from(JSON.stringify(body)) };
    assert.match(refusal(included(changed, sigstore.log2, second)), /exactly one of/);
  });
});

describe("a log's promise", () => {
  it("is by the log's key", () => {
    assert.match(refusal(recorded({ promiseKey: fakeKey() })), /promise could not be verified/);
  });

  it("covers body, time, index and log", () => {
    const body = signed.signature;
    for (const promiseOver of [{ body }, { at: NOW - MINUTE }, { logIndex: 3n }, { logId: sigstore.log2.logId }]) {
      assert.match(refusal(recorded({ promiseOver })), /promise could not be verified/);
    }
  });

  it("alone lends its entry a time: without it integratedTime is anybody's word", () => {
    const bare = logged(signed, { ...entry, promise: undefined });
    unproven(sigstore, bare, "timestamp-missing");
    const forged = logged(signed, { ...entry, promise: undefined, integratedTime: BigInt(Date.UTC(2030, 0)) / 1000n });
    unproven(sigstore, forged, "timestamp-missing");
  });

  it("wants a time, and an index that JSON can hold", () => {
    assert.match(refusal(logged(signed, { ...entry, integratedTime: undefined })), /no time/);
    assert.match(refusal(logged(signed, { ...entry, logIndex: 2n ** 53n })), /too large/);
    assert.match(refusal(logged(signed, { ...entry, integratedTime: 2n ** 62n })), /no time/);
  });

  it("does not make up for a proof that is wrong, nor a proof for it", () => {
    assert.match(refusal(recorded({ checkpointKey: fakeKey() })), /checkpoint signature/);
    assert.match(refusal(recorded({ promiseKey: fakeKey() })), /promise/);
  });

  it("was made while the log's key was believed, ends included (CVE-2026-54787)", () => {
    const within = { of: sigstore.log, validFor: { start: FROM, end: NOW } };
    assert.equal(prove(sigstore, signed, { root: rootWith({ logs: [within] }) }).logs.length, 1);
    for (const validFor of [{ start: FROM, end: NOW - 1000 }, { start: NOW + 1000 }]) {
      const root = rootWith({ logs: [{ of: sigstore.log, validFor }] });
      assert.match(refusal(signed, { root }), /rekor\.example\.com, believed from/);
    }
  });

  it("is judged by the window that fits, where the log's key stands there twice", () => {
    const root = rootWith({
      logs: [
        { of: sigstore.log, validFor: { start: FROM, end: NOW - DAY } },
        { of: sigstore.log, validFor: { start: NOW - DAY } },
      ],
    });
    assert.equal(prove(sigstore, signed, { root }).logs.length, 1);
  });
});

describe("a log's proof", () => {
  it("leads from the entry to the checkpoint's root, at its place", () => {
    const { proof } = entry;
    assert.ok(proof);
    const withProof = (change: Partial<typeof proof>) => logged(signed, { ...entry, proof: { ...proof, ...change } });
    assert.match(refusal(withProof({ hashes: proof.hashes.slice(1) })), /hash count/);
    assert.match(refusal(withProof({ hashes: proof.hashes.toReversed() })), /root hash/);
    assert.match(refusal(withProof({ logIndex: proof.logIndex - 1n })), /hash count|root hash/);
    assert.match(refusal(withProof({ logIndex: proof.treeSize })), /invalid index/);
    assert.match(refusal(withProof({ treeSize: proof.treeSize + 1n })), /tree of another size/);
    assert.match(refusal(withProof({ rootHash: signed.certificates[0] ?? FILE })), /of another tree/);
  });

  it("stands where the entry says that it stands, in Rekor 2", () => {
    assert.match(refusal(logged(second, { ...entry2, logIndex: 2n })), /two places.*2 \/ 5, as proven/);
  });

  it("or a promise has to be there", () => {
    assert.match(refusal(logged(signed, { ...entry, promise: undefined, proof: undefined })), /proves nothing/);
  });

  it("of Rekor 2 is of a time when its log was believed: the timestamp's", () => {
    const during = { of: sigstore.log2, validFor: { start: NOW, end: NOW } };
    assert.equal(prove(sigstore, second, { root: rootWith({ logs: [during] }) }).logs.length, 1);
    for (const validFor of [{ start: FROM, end: NOW - 1000 }, { start: NOW + 1000 }]) {
      const root = rootWith({ logs: [{ of: sigstore.log2, validFor }] });
      const found = refusal(second, { root });
      assert.ok(found.includes(formatInstant(instant(NOW))), found);
    }
  });
});

describe("a checkpoint", () => {
  const point = (options: EntryOptions) => refusal(recorded(options, sigstore.log2, second));

  it("may be witnessed, before and after the log's own line", () => {
    const witnesses = { before: ["a.example.com"], after: ["b.example.com", "log2026.rekor.example.com"] };
    assert.equal(prove(sigstore, recorded({ witnesses }, sigstore.log2, second)).logs.length, 1);
  });

  it("may have lines behind its root", () => {
    const by = recorded({ extensionLines: ["Timestamp: 1"] });
    assert.equal(prove(sigstore, by).logs.length, 1);
  });

  it("is of this log, by its first line", () => {
    for (const origin of [
      "evil.example.com",
      "log2026.rekor.example.com.evil.example.com",
      "log2026.rekor.example.com - tree",
      "rekor.example.com",
      "log2026.rekor.example.com ",
      "",
    ]) {
      assert.match(point({ origin }), /of another log/);
    }
  });

  it("is signed under the log's name, which is text and no pattern", () => {
    for (const signerName of ["evil.example.com", ".*", "log2026", "example.com", "rekor.example.com"]) {
      assert.match(point({ signerName }), /not signed by its log/);
    }
  });

  it("is signed with the log's key", () => {
    assert.match(point({ checkpointKey: fakeKey("ed25519") }), /checkpoint signature/);
    assert.match(point({ checkpointKeyId: Buffer.of(1, 2, 3, 4) }), /\+01020304/);
  });

  it("counts by the first line of the log's key, as verifiers of notes do", () => {
    const { proof } = entry2;
    assert.ok(proof);
    const { checkpoint: forged } =
      recorded({ checkpointKey: fakeKey("ed25519") }, sigstore.log2, second).logEntries[0]?.proof ?? proof;
    const [text, line = ""] = proof.checkpoint.split("\n\n");
    const [, wrong = ""] = forged.split("\n\n");
    const withLines = (lines: string) =>
      logged(second, { ...entry2, proof: { ...proof, checkpoint: `${text}\n\n${lines}` } });
    assert.equal(prove(sigstore, withLines(line + wrong)).logs.length, 1);
    assert.match(refusal(withLines(wrong + line)), /checkpoint signature/);
  });

  it("is over the tree that the proof is about", () => {
    const { proof } = entry2;
    assert.ok(proof);
    const other = sigstore.log2.checkpoint({ treeSize: proof.treeSize - 1n, rootHash: proof.rootHash });
    const withText = (checkpoint: string) => refusal(logged(second, { ...entry2, proof: { ...proof, checkpoint } }));
    assert.match(withText(other), /another size/);
    const root = sigstore.log2.checkpoint({ treeSize: proof.treeSize, rootHash: Buffer.alloc(32) });
    assert.match(withText(root), /another tree/);
  });

  it("of one log does not do for another with the same key id", () => {
    const twin = new FakeLog({ generation: 2, name: "twin.example.com", key: sigstore.log2.key });
    const root = rootWith({ logs: [sigstore.log2, { of: twin, with: { logId: idOf(sigstore.log2) } }] });
    const by = recorded({ origin: "twin.example.com", signerName: "twin.example.com" }, sigstore.log2, second);
    assert.match(refusal(by, { root }), /of another log|not signed/);
  });

  it("is a note: text, an empty line, signatures", () => {
    const { proof } = entry2;
    assert.ok(proof);
    const [text = "", line = ""] = proof.checkpoint.split("\n\n");
    for (const checkpoint of [
      "",
      text,
      `${text}\n\n`,
      `${text}\n\n${line.trimEnd()}`,
      `${text}\n\n${line}\n`,
      `${text}\n\n${line}junk\n`,
      `${text}\n\n\u2014 log2026.rekor.example.com AA=A\n`,
      `${text}\n\n\u2014 log2026.rekor.example.com AAAA\n`,
      `${text}\n\n- log2026.rekor.example.com AAAAAAAA\n`,
      `${text}\n\nmore\n\n${line}`,
      `${text}\n\n${line.repeat(LIMITS.checkpointLines + 1)}`,
    ]) {
      refusal(logged(second, { ...entry2, proof: { ...proof, checkpoint } }));
    }
  });

  it("names the key by its own id, where the trust root gives one (v0.2)", () => {
    const root = rootWith({ version: "v0.2" });
    assert.equal(prove(sigstore, second, { root }).logs.length, 1);
    const keyId = Buffer.of(9, 9, 9, 9);
    const listed = { of: sigstore.log2, with: { checkpointKeyId: { keyId: keyId.toString("base64") } } };
    assert.match(refusal(second, { root: rootWith({ logs: [listed] }) }), /\+09090909/);
    const by = recorded({ checkpointKeyId: keyId }, sigstore.log2, second);
    assert.equal(prove(sigstore, by, { root: rootWith({ logs: [listed] }) }).logs.length, 1);
  });

  it("may call a log by its host and port", () => {
    const local = new FakeLog({ generation: 2, name: "localhost:7302", baseUrl: "http://localhost:7302" });
    const by = logged(second, local.record(loggedFrom(second)));
    assert.equal(prove(sigstore, by, { root: rootWith({ logs: [local] }) }).logs[0]?.log, "localhost");
  });
});

describe("enough logs", () => {
  const both = logged(second, entry2, sigstore.log.record(loggedFrom(second)));

  it("are counted by distinct operators", () => {
    assert.equal(prove(sigstore, both, { demands: { logs: 2 } }).logs.length, 2);
    const { found, wanted } = unproven(sigstore, both, "log-entry-missing", {
      demands: { logs: 2 },
      root: rootWith({ version: "v0.2" }),
    });
    assert.deepEqual([found, wanted], ["example.com", "2 logs of the trust root"]);
  });

  it("are not two entries of one (CVE-2026-49834)", () => {
    const twice = logged(signed, entry, sigstore.log.record(loggedFrom(signed), { at: NOW - 1000 }));
    unproven(sigstore, twice, "malformed-signature", { demands: { logs: 2 } });
    const kinds = logged(signed, entry, sigstore.log.record(loggedFrom(signed), { kind: "intoto" }));
    assert.equal(prove(sigstore, kinds).logs.length, 2);
    unproven(sigstore, kinds, "log-entry-missing", { demands: { logs: 2 } });
  });

  it("are not one entry twice, with whatever index", () => {
    for (const copy of [entry, { ...entry, logIndex: 1n }]) {
      unproven(sigstore, logged(signed, entry, copy), "malformed-signature");
    }
    unproven(sigstore, logged(signed, entry, { ...entry, body: FILE }), "malformed-signature");
  });

  it("are none where none is asked for; the time is another matter", () => {
    const timestamps = [sigstore.timestampAuthority.timestamp(signed.signature)];
    const unlogged = { ...logged(signed), timestamps };
    unproven(sigstore, unlogged, "log-entry-missing");
    assert.deepEqual(prove(sigstore, unlogged, { demands: { logs: 0 } }).logs, []);
  });

  it("even unasked must be right where the trust root knows them", () => {
    const wrong = { ...recorded({ checkpointKey: fakeKey() }) };
    unproven(sigstore, wrong, "log-entry-invalid", { demands: { logs: 0 } });
  });

  it("are not ten thousand entries (CVE-2024-45395)", () => {
    const many = Array.from({ length: 10_000 }, (_, at) => ({ ...entry, logIndex: BigInt(at) }));
    unproven(sigstore, logged(signed, ...many), "limit-reached");
    unproven(sigstore, { ...untrusted(signed), timestamps: Array(10_000).fill(FILE) }, "limit-reached");
    unproven(sigstore, { ...untrusted(signed), certificates: Array(10_000).fill(FILE) }, "limit-reached");
  });
});

function idOf(log: FakeLog): { readonly keyId: string } {
  return { keyId: log.logId.toString("base64") };
}
