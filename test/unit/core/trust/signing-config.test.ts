import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import {
  chooseServices,
  parseClientTrustConfig,
  parseSigningConfig,
} from "../../../../src/core/trust/signing-config.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  type ListedService,
  type SigningConfigParts,
  signingConfig,
} from "../../../support/sigstore/signing-config.ts";
import { DAY, NOW } from "../../../support/sigstore/times.ts";

function choose(parts: SigningConfigParts, now = NOW) {
  return chooseServices(parseSigningConfig(signingConfig(parts)), instant(now));
}

/** A log of some operator; days before NOW from which it is good. */
function log(name: string, more: Partial<ListedService> & { readonly since?: number } = {}): ListedService {
  const { since = 100, ...rest } = more;
  return {
    url: `https://${name}.example.com`,
    operator: `${name}.example.com`,
    validFor: { start: NOW - since * DAY },
    ...rest,
  };
}

const names = (services: readonly { readonly url: string }[]): readonly string[] =>
  services.map(({ url }) => new URL(url).hostname.split(".")[0] ?? "");

describe("a signing configuration (protobuf-specs, sigstore_trustroot.proto)", () => {
  it("is read with its services, selectors and windows", () => {
    const config = parseSigningConfig(
      signingConfig({
        authorities: [log("ca")],
        issuers: [log("idp")],
        logs: [log("rekor", { majorApiVersion: 2, validFor: { start: NOW, end: NOW + DAY } })],
        timestampAuthorities: [log("tsa", { url: "https://tsa.example.com/api/v1/timestamp" })],
        timestampSelection: { selector: "EXACT", count: 1 },
      }),
    );
    assert.deepEqual(names(config.certificateAuthorities), ["ca"]);
    assert.deepEqual(names(config.identityProviders), ["idp"]);
    assert.deepEqual(config.logs, [
      {
        url: "https://rekor.example.com",
        majorApiVersion: 2,
        operator: "rekor.example.com",
        validFor: { start: NOW, end: NOW + DAY },
      },
    ]);
    assert.deepEqual(config.logSelector, { kind: "any" });
    assert.deepEqual(config.timestampSelector, { kind: "exact", count: 1 });
    assert.equal(config.timestampAuthorities[0]?.url, "https://tsa.example.com/api/v1/timestamp");
  });

  it("is read as cosign writes one without services: empty selectors, and no lists at all", () => {
    const text =
      '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}';
    const none = { services: [], count: 0 };
    assert.deepEqual(chooseServices(parseSigningConfig(Buffer.from(text)), NOW), {
      certificateAuthority: undefined,
      identityProvider: undefined,
      logs: none,
      timestampAuthorities: none,
    });
  });

  it("reads fractions of seconds, which Go prints, to the millisecond", () => {
    const validFor = { start: "2026-01-01T00:00:00.123456789Z" };
    const config = parseSigningConfig(signingConfig({ with: { caUrls: [{ ...RAW, validFor }] } }));
    assert.equal(config.certificateAuthorities[0]?.validFor.start, Date.UTC(2026, 0, 1, 0, 0, 0, 123));
  });

  const RAW = { url: "https://ca.example.com", majorApiVersion: 1, validFor: { start: "2026-01-01T00:00:00Z" } };
  const service = (change: Record<string, unknown>) => ({ caUrls: [{ ...RAW, ...change }] });
  const refusals: readonly (readonly [string, Record<string, unknown>])[] = [
    ["another version", { mediaType: "application/vnd.dev.sigstore.signingconfig.v0.1+json" }],
    ["a version that only begins like it", { mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+jsonx" }],
    ["no media type", { mediaType: undefined }],
    ["a member that it does not know", { rekorUrls: [] }],
    ["a service with a member that it does not know", service({ note: "" })],
    ["a list that is none", { caUrls: {} }],
    ["a service that is none", { caUrls: ["https://ca.example.com"] }],
    ["an address that is none", service({ url: "ca.example.com" })],
    ["an address of another kind", service({ url: "file:///etc/passwd" })],
    ["an address with nothing in it", service({ url: "https://" })],
    ["no address", service({ url: undefined })],
    ["no version of the API", service({ majorApiVersion: undefined })],
    ["version 0 of the API", service({ majorApiVersion: 0 })],
    ["a version of the API in quotes", service({ majorApiVersion: "1" })],
    ["half a version of the API", service({ majorApiVersion: 1.5 })],
    ["a version of the API beyond 32 bits", service({ majorApiVersion: 2 ** 32 })],
    ["no window", service({ validFor: undefined })],
    ["a window without a start", service({ validFor: { end: "2027-01-01T00:00:00Z" } })],
    ["a start that is no time", service({ validFor: { start: "yesterday" } })],
    ["a start on no day of the calendar", service({ validFor: { start: "2026-13-01T00:00:00Z" } })],
    ["a start on the 31st of February", service({ validFor: { start: "2026-02-31T00:00:00Z" } })],
    ["a start in another zone", service({ validFor: { start: "2026-01-01T00:00:00+01:00" } })],
    ["an operator that is none", service({ operator: 7 })],
    ["a selector that it does not know", { tsaConfig: { selector: "MOST" } }],
    ["a selector by its number", { tsaConfig: { selector: 2 } }],
    ["EXACT without a count", { tsaConfig: { selector: "EXACT" } }],
    ["EXACT of zero", { tsaConfig: { selector: "EXACT", count: 0 } }],
    ["a selection that is none", { tsaConfig: "ANY" }],
  ];
  for (const [title, change] of refusals) {
    it(`is refused with ${title}`, () => {
      const document = { ...JSON.parse(Buffer.from(signingConfig({})).toString()), ...change };
      thrownBy(() => parseSigningConfig(Buffer.from(JSON.stringify(document))), "trust-invalid");
    });
  }

  it("is refused where it is not strict JSON", () => {
    const text = Buffer.from(signingConfig({})).toString();
    for (const broken of ["", "[]", `${text}x`, text.replace("{", '{"mediaType":"",')]) {
      thrownBy(() => parseSigningConfig(Buffer.from(broken)), "trust-invalid");
    }
  });

  it("is refused where it is larger, or lists more, than is read", () => {
    const many = Array.from({ length: LIMITS.services + 1 }, () => log("a"));
    thrownBy(() => parseSigningConfig(signingConfig({ logs: many })), "limit-reached");
    const large = Buffer.alloc(LIMITS.signingConfigBytes + 1, " ");
    thrownBy(() => parseSigningConfig(large), "limit-reached");
  });
});

describe("services are chosen", () => {
  it("only where they are valid now, both ends included", () => {
    const logs = [
      log("over", { validFor: { start: NOW - 2 * DAY, end: NOW - 1000 } }),
      log("coming", { validFor: { start: NOW + 1000 } }),
      log("ending", { validFor: { start: NOW - DAY, end: NOW } }),
      log("starting", { validFor: { start: NOW } }),
    ];
    assert.deepEqual(names(choose({ logs }).logs.services), ["starting", "ending"]);
  });

  it("of the highest version that there is a client for, and of no other", () => {
    const logs = [
      log("one", { since: 1 }),
      log("two", { majorApiVersion: 2, since: 300 }),
      log("three", { majorApiVersion: 3, since: 2 }),
    ];
    assert.deepEqual(names(choose({ logs }).logs.services), ["two"]);
    assert.deepEqual(names(choose({ logs: logs.filter(({ url }) => !url.includes("two")) }).logs.services), ["one"]);
  });

  it("of a lower version where the higher one is not valid yet", () => {
    const logs = [log("next", { majorApiVersion: 2, validFor: { start: NOW + DAY } }), log("now")];
    assert.deepEqual(names(choose({ logs }).logs.services), ["now"]);
  });

  it("newest start first, in the order of the list where they started together", () => {
    const logs = [
      log("old", { since: 300 }),
      log("b", { since: 10 }),
      log("a", { since: 10 }),
      log("new", { since: 1 }),
    ];
    assert.deepEqual(names(choose({ logs }).logs.services), ["new", "b", "a", "old"]);
  });

  it("one for each operator: the newest", () => {
    const operator = "one.example.com";
    const logs = [log("old", { operator, since: 30 }), log("new", { operator, since: 1 }), log("other", { since: 20 })];
    assert.deepEqual(names(choose({ logs }).logs.services), ["new", "other"]);
  });

  it("one of all those that name no operator", () => {
    const logs = [log("a", { operator: "", since: 2 }), log("b", { operator: "", since: 1 })];
    assert.deepEqual(names(choose({ logs }).logs.services), ["b"]);
  });

  it("as many as ANY, ALL and EXACT say; the others may stand in", () => {
    const logs = [log("a", { since: 1 }), log("b", { since: 2 }), log("c", { since: 3 })];
    const count = (logSelection: NonNullable<SigningConfigParts["logSelection"]>) =>
      choose({ logs, logSelection }).logs;
    assert.equal(count({ selector: "ANY" }).count, 1);
    assert.equal(count({ selector: "ALL" }).count, 3);
    assert.equal(count({ selector: "EXACT", count: 2 }).count, 2);
    assert.deepEqual(names(count({ selector: "ANY" }).services), ["a", "b", "c"]);
  });

  it("by the first certificate authority and the first identity provider", () => {
    const chosen = choose({
      authorities: [log("old", { since: 9 }), log("new", { since: 1 })],
      issuers: [log("idp")],
    });
    assert.equal(chosen.certificateAuthority?.operator, "new.example.com");
    assert.equal(chosen.identityProvider?.operator, "idp.example.com");
  });

  it("not at all where none is listed, whatever ANY or ALL would have", () => {
    for (const selector of ["ANY", "ALL", "SERVICE_SELECTOR_UNDEFINED"] as const) {
      const chosen = choose({ logSelection: { selector }, timestampSelection: { selector } });
      assert.deepEqual([chosen.logs.count, chosen.timestampAuthorities.count], [0, 0]);
    }
  });

  const refusals: readonly (readonly [string, SigningConfigParts])[] = [
    ["an undefined selector", { logs: [log("a")], logSelection: { selector: "SERVICE_SELECTOR_UNDEFINED" } }],
    ["no selector at all", { logs: [log("a")], with: { rekorTlogConfig: undefined } }],
    ["EXACT more than there are operators", { logs: [log("a")], logSelection: { selector: "EXACT", count: 2 } }],
    [
      "EXACT two, both of one operator",
      {
        logs: [log("a", { operator: "one" }), log("b", { operator: "one" })],
        logSelection: { selector: "EXACT", count: 2 },
      },
    ],
    ["EXACT of a kind of which none is listed", { timestampSelection: { selector: "EXACT", count: 1 } }],
    ["only logs that are over", { logs: [log("a", { validFor: { start: 0, end: NOW - DAY } })] }],
    ["only timestamp authorities of a later API", { timestampAuthorities: [log("a", { majorApiVersion: 2 })] }],
    ["only certificate authorities that are over", { authorities: [log("a", { validFor: { start: 0, end: 1 } })] }],
    ["only identity providers of a later API", { issuers: [log("a", { majorApiVersion: 9 })] }],
  ];
  for (const [title, parts] of refusals) {
    it(`never from ${title}: that is an error`, () => {
      thrownBy(() => choose(parts), "trust-invalid");
    });
  }
});

describe("a client trust configuration", () => {
  const mediaType = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";
  const config = JSON.parse(Buffer.from(signingConfig({ logs: [log("a")] })).toString());
  const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document));

  it("holds a signing configuration and, as bytes, a trust root", () => {
    const parsed = parseClientTrustConfig(bytesOf({ mediaType, trustedRoot: { tlogs: [] }, signingConfig: config }));
    assert.deepEqual(names(parsed.signingConfig.logs), ["a"]);
    assert.equal(Buffer.from(parsed.trustedRoot).toString(), '{"tlogs":[]}');
  });

  it("is refused without either, with more, or as another document", () => {
    for (const document of [
      { mediaType, signingConfig: config },
      { mediaType, trustedRoot: {} },
      { mediaType, trustedRoot: {}, signingConfig: config, more: 1 },
      { mediaType, trustedRoot: {}, signingConfig: { ...config, mediaType } },
      config,
    ]) {
      thrownBy(() => parseClientTrustConfig(bytesOf(document)), "trust-invalid");
    }
  });
});
