import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCertificate } from "../../../../src/core/crypto/certificate.ts";
import { type Anchor, type ChainQuestion, PURPOSES, proveChain } from "../../../../src/core/crypto/chain.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { type AuthorityOptions, FakeAuthority, type IssueOptions } from "../../../support/sigstore/authority.ts";
import {
  basicConstraints,
  certificate,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  USAGES,
} from "../../../support/sigstore/certificates.ts";
import { octets, sequence } from "../../../support/sigstore/der.ts";
import { type FakeKey, fakeKey } from "../../../support/sigstore/keys.ts";
import { DAY, FROM, MINUTE, NOW, UNTIL } from "../../../support/sigstore/times.ts";

const key = fakeKey();

const parse = (der: Uint8Array) => parseCertificate(der, "a certificate", "certificate-untrusted");

function anchor(authority: Pick<FakeAuthority, "chain">, window: Partial<Anchor> = {}): Anchor {
  return { name: "ca.example.com", chain: authority.chain.map(parse), from: FROM, until: undefined, ...window };
}

interface Options extends Partial<Omit<ChainQuestion<Anchor>, "leaf">> {
  readonly issue?: Partial<IssueOptions>;
}

function question(authority: FakeAuthority, { issue, ...options }: Options = {}): ChainQuestion<Anchor> {
  const { leaf } = authority.issue({ publicKey: key.publicKey, notBefore: NOW - MINUTE, ...issue });
  return {
    leaf: parse(leaf),
    intermediates: [],
    anchors: [anchor(authority)],
    purpose: PURPOSES.codeSigning,
    times: [NOW],
    code: "certificate-untrusted",
    what: "the signing certificate",
    ...options,
  };
}

/** What is found where there is no way. */
function refusal(asked: ChainQuestion<Anchor>): string {
  const { found = "", wanted = "" } = thrownBy(() => proveChain(asked), "certificate-untrusted");
  return `${found} / ${wanted}`;
}

const plain = new FakeAuthority();

describe("a chain of certificates", () => {
  it("leads from a leaf over what issued it to the root", () => {
    const { path, issuer, anchor: reached } = proveChain(question(plain));
    assert.equal(path.length, 3);
    assert.deepEqual(issuer.der, plain.intermediate);
    assert.equal(reached.name, "ca.example.com");
  });

  it("leads to a root that issues by itself", () => {
    const root = new FakeAuthority({ withoutIntermediate: true });
    assert.equal(proveChain(question(root)).path.length, 2);
  });

  it("ends at an intermediate where that is all that the trust root has (sigstore_trustroot.proto)", () => {
    const { intermediate = new Uint8Array() } = plain;
    const asked = question(plain, { anchors: [anchor({ chain: [intermediate] })] });
    assert.equal(proveChain(asked).path.length, 2);
  });

  it("takes an intermediate from beside the signature where the trust root has the root alone", () => {
    const { intermediate = new Uint8Array() } = plain;
    const anchors = [anchor({ chain: [plain.root] })];
    assert.match(refusal(question(plain, { anchors })), /intermediate/);
    const intermediates = [parse(plain.root), parse(intermediate)];
    assert.equal(proveChain(question(plain, { anchors, intermediates })).path.length, 3);
  });

  it("never believes a root from beside the signature", () => {
    const stranger = new FakeAuthority();
    const intermediates = stranger.chain.map(parse);
    const { leaf } = stranger.issue({ publicKey: key.publicKey, notBefore: NOW - MINUTE });
    assert.match(refusal({ ...question(plain), leaf: parse(leaf), intermediates }), /ca\.example\.com/);
  });

  it("never lets what lies beside a signature take the place of a listed authority, and so its window", () => {
    const root = new Made();
    const given = root.below("given up");
    const next = root.below("next");
    const leaf = given.leaf();
    const listed = anchor({ chain: [next.der, root.der] });
    const asked = { ...question(plain), leaf: parse(leaf), anchors: [listed] };
    assert.match(refusal({ ...asked, intermediates: [parse(given.der)] }), /CN=given up/);
    const both = [anchor({ chain: [given.der, root.der] }, { until: instant(NOW - DAY) }), listed];
    assert.match(refusal({ ...asked, anchors: both, intermediates: [parse(given.der)] }), /believed from/);
  });

  it("refuses a certificate in the authority's name that another key signed", () => {
    assert.match(refusal(question(plain, { issue: { signer: fakeKey("p384") } })), /CN=intermediate/);
  });

  it("refuses where the trust root has no authority", () => {
    assert.match(refusal(question(plain, { anchors: [] })), /a trust root with one/);
  });

  it("bounds how many signatures it checks (CVE-2024-45395)", () => {
    const root = new Made();
    const many = Array.from({ length: LIMITS.chainSignatures + 1 }, () => parse(root.below("one of many").der));
    const leaf = parse(root.below("one of many").leaf());
    const asked = { ...question(plain), leaf, intermediates: many };
    thrownBy(() => proveChain(asked), "limit-reached");
  });
});

describe("times of a chain", () => {
  it("hold at all of the times, ends included", () => {
    const issue = { notBefore: NOW, notAfter: NOW + MINUTE };
    proveChain(question(plain, { issue, times: [NOW, instant(NOW + MINUTE)] }));
    assert.match(refusal(question(plain, { issue, times: [NOW, instant(NOW + MINUTE + 1)] })), /2026-06-01T12:01:00Z/);
    assert.match(refusal(question(plain, { issue, times: [instant(NOW - 1)] })), /valid from/);
  });

  it("refuse a leaf whose issuing authority had expired (CVE-2026-24122)", () => {
    const expired = new FakeAuthority({ intermediate: { notAfter: NOW - DAY } });
    assert.match(refusal(question(expired)), /CN=intermediate.*, valid from .* to 2026-05-31/);
  });

  it("refuse a leaf whose root had expired, or was not yet valid", () => {
    const live = { notBefore: FROM, notAfter: UNTIL };
    assert.match(refusal(question(new FakeAuthority({ notAfter: NOW - DAY, intermediate: live }))), /CN=root/);
    assert.match(refusal(question(new FakeAuthority({ notBefore: NOW + DAY, intermediate: live }))), /CN=root/);
  });

  it("keep to the trust root's window of the authority, ends included (CVE-2026-54787)", () => {
    const within = [anchor(plain, { from: NOW, until: NOW })];
    proveChain(question(plain, { anchors: within }));
    for (const window of [{ until: instant(NOW - 1) }, { from: instant(NOW + 1) }]) {
      assert.match(refusal(question(plain, { anchors: [anchor(plain, window)] })), /ca\.example\.com, believed from/);
    }
  });

  it("find the authority whose window fits among several with one name and key", () => {
    const past = anchor(plain, { name: "past", until: instant(NOW - DAY) });
    const asked = question(plain, { anchors: [past, anchor(plain, { name: "present" })] });
    assert.equal(proveChain(asked).anchor.name, "present");
  });
});

describe("kinds of certificates in a chain", () => {
  const issued = (issue: Partial<IssueOptions>) => refusal(question(plain, { issue }));
  const under = (intermediate: AuthorityOptions["intermediate"] & {}) =>
    refusal(question(new FakeAuthority({ intermediate })));

  it("want code signing of the leaf, said in so many words (RFC 5280 §4.2.1.12)", () => {
    assert.match(issued({ extendedKeyUsage: [] }), /code signing \(1\.3\.6\.1\.5\.5\.7\.3\.3\)/);
    assert.match(issued({ extendedKeyUsage: [USAGES.serverAuth] }), /code signing/);
    assert.match(issued({ extendedKeyUsage: [USAGES.any] }), /code signing/);
    assert.match(issued({ extendedKeyUsage: [USAGES.timeStamping] }), /code signing/);
    proveChain(question(plain, { issue: { extendedKeyUsage: [USAGES.codeSigning, USAGES.serverAuth] } }));
  });

  it("refuse a leaf that is an authority itself", () => {
    assert.match(issued({ isCa: true }), /an authority's certificate/);
    proveChain(question(plain, { issue: { isCa: false } }));
  });

  it("refuse a leaf whose key may not sign", () => {
    const root = new Made();
    const leaf = root.leaf(keyUsage("certificates"), extendedKeyUsage([USAGES.codeSigning]));
    assert.match(
      refusal({ ...question(plain), leaf: parse(leaf), anchors: [anchor({ chain: [root.der] })] }),
      /may not/,
    );
  });

  it("refuse an issuer that is no authority, or may not sign certificates", () => {
    assert.match(under({ isCa: false }), /CN=intermediate.*no authority/);
    const root = new Made([basicConstraints(true), keyUsage("digitalSignature")]);
    const asked = { ...question(plain), leaf: parse(root.leaf()), anchors: [anchor({ chain: [root.der] })] };
    assert.match(refusal(asked), /no authority/);
  });

  it("refuse an issuer that does not vouch for this purpose", () => {
    assert.match(under({ extendedKeyUsage: [USAGES.serverAuth] }), /does not vouch for code signing/);
    proveChain(question(new FakeAuthority({ intermediate: { extendedKeyUsage: [USAGES.any] } })));
  });

  it("keep to the length of the path (RFC 5280 §4.2.1.9)", () => {
    const root = new Made();
    const upper = root.below("upper", basicConstraints(true, 0));
    const lower = upper.below("lower");
    const anchors = [anchor({ chain: [root.der] })];
    const intermediates = [parse(lower.der), parse(upper.der)];
    const tooDeep = { ...question(plain), leaf: parse(lower.leaf()), anchors, intermediates };
    assert.match(refusal(tooDeep), /1 authorities below CN=upper/);
    const wide = root.below("wide", basicConstraints(true, 1));
    const below = wide.below("below");
    const deep = { ...tooDeep, leaf: parse(below.leaf()), intermediates: [parse(below.der), parse(wide.der)] };
    assert.equal(proveChain(deep).path.length, 4);
  });

  const unknown: Extension = { id: "1.2.3.4", critical: true, value: octets(Buffer.from("?")) };

  it("refuse a critical extension that is not understood, in leaf and issuer (RFC 5280 §4.2)", () => {
    assert.match(issued({ extensions: [unknown] }), /critical extension 1\.2\.3\.4/);
    assert.match(under({ extensions: [unknown] }), /critical extension 1\.2\.3\.4/);
    proveChain(question(plain, { issue: { extensions: [{ ...unknown, critical: false }] } }));
  });

  it("refuse a certificate for certificate logs only (RFC 6962 §3.1, the poison)", () => {
    const poison = { id: "1.3.6.1.4.1.11129.2.4.3", critical: true, value: Buffer.of(5, 0) };
    assert.match(issued({ extensions: [poison] }), /critical extension/);
  });

  it("refuse constraints on names, critical or not, since they are not understood", () => {
    for (const critical of [true, false]) {
      const constraints = { id: "2.5.29.30", critical, value: sequence() };
      assert.match(under({ extensions: [constraints] }), /constraints on names/);
    }
  });
});

/** An authority under an authority, in any depth: the instance has a root and one intermediate. */
class Made {
  readonly der: Uint8Array;
  readonly #name: string;
  readonly #key = fakeKey();

  constructor(extensions: readonly Extension[] = [basicConstraints(true)], name = "root", by?: Made) {
    this.#name = name;
    const issuer = by ?? this;
    this.der = issuer.#issue(name, this.#key, extensions);
  }

  below(name: string, ...extensions: readonly Extension[]): Made {
    return new Made(extensions.length > 0 ? extensions : undefined, name, this);
  }

  leaf(...extensions: readonly Extension[]): Uint8Array {
    return this.#issue("leaf", key, extensions.length > 0 ? extensions : [extendedKeyUsage([USAGES.codeSigning])]);
  }

  #issue(commonName: string, { spki }: FakeKey, extensions: readonly Extension[]): Uint8Array {
    return certificate({
      serial: 1n,
      subject: { commonName },
      issuer: { commonName: this.#name },
      notBefore: FROM,
      notAfter: UNTIL,
      spki,
      signer: this.#key,
      extensions,
    });
  }
}
