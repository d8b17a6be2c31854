import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { RFC3161Timestamp } from "@sigstore/core";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type TimestampClient, timestampAuthority } from "../../../../src/io/sigstore/tsa.ts";
import { rejectedBy } from "../../../support/codes.ts";
import type { Fault } from "../../../support/sigstore/faults.ts";
import { useSigstore } from "../../../support/sigstore-clients.ts";

describe("a timestamp (RFC 3161)", () => {
  const scene = useSigstore();
  const data = randomBytes(71);
  const client = (): TimestampClient => timestampAuthority(scene.ask, scene.base("tsa"));
  const queries = () => scene.sigstore.server("tsa").requests.map(({ body }) => body);

  it("is asked for in DER, over SHA-256 of the data, with a nonce of its own and for certificates", async () => {
    const [first, second] = [await client().timestamp(data), await client().timestamp(data)];
    assert.notDeepEqual(first, second);
    const [one, other] = queries().slice(-2);
    assert.equal(one?.length, 69);
    assert.notDeepEqual(one, other, "another nonce");
    const request = scene.sigstore.server("tsa").requests.at(-1);
    assert.equal(request?.headers["content-type"], "application/timestamp-query");
    assert.equal(request?.headers.accept, "application/timestamp-reply");
    assert.deepEqual(one?.subarray(-3), Buffer.of(1, 1, 0xff), "certReq");
  });

  it("is kept as the whole response, over the data alone", async () => {
    const response = RFC3161Timestamp.parse(Buffer.from(await client().timestamp(data)));
    assert.equal(response.status, 0n);
    response.tstInfo.verify(data);
    assert.throws(() => response.tstInfo.verify(Buffer.from("other data")));
  });

  it("is asked for again where the authority is out of order for a moment", async () => {
    scene.sigstore.fail("tsa", { status: 503 }, 2);
    await client().timestamp(data);
    scene.sigstore.fail("tsa", { status: 429, headers: { "retry-after": "1" } }, 1);
    await client().timestamp(data);
    scene.sigstore.fail("tsa", "reset", 1);
    await client().timestamp(data);
  });

  const refusals: readonly (readonly [string, Fault, Parameters<typeof rejectedBy>[1], RegExp])[] = [
    ["with another nonce", "other-nonce", "timestamp-invalid", /nonce 01/],
    ["without a nonce", "no-nonce", "timestamp-invalid", /no nonce/],
    ["over something else", "other-imprint", "timestamp-invalid", /SHA-256 [0-9a-f]{64}/],
    ["that is a rejection", "rejected", "protocol-error", /status 2/],
    ["that is no DER", "garbage", "protocol-error", /application\/json/],
    ["that is endless", "huge", "limit-reached", /./],
    ["that is forbidden", { status: 403 }, "denied", /403/],
    ["that is refused", { status: 400, body: "a bad query" }, "protocol-error", /400 \(a bad query\)/],
    ["where there is no such service", { status: 404 }, "not-found", /404/],
    ["that never comes", { status: 500 }, "server-error", /500 .*6 tries/],
  ];
  for (const [title, fault, code, found] of refusals) {
    it(`is refused ${title}`, async () => {
      scene.sigstore.fail("tsa", fault);
      const error = await rejectedBy(() => client().timestamp(data), code);
      assert.match(error.found ?? "", found);
    });
  }

  const reply = "application/timestamp-reply";
  const bodies: readonly (readonly [string, string, string | undefined])[] = [
    ["with another content type", "", "application/octet-stream"],
    ["that is empty", "", reply],
    ["that is cut", "0\u0003", reply],
    ["that is an empty sequence", "0\u0000", reply],
    ["that is granted and holds no token", "0\u00050\u0003\u0002\u0001\u0000", reply],
  ];
  for (const [title, body, type] of bodies) {
    it(`is refused ${title}`, async () => {
      scene.sigstore.fail("tsa", { status: 200, body, headers: { "content-type": type ?? "" } });
      await rejectedBy(() => client().timestamp(data), "protocol-error");
    });
  }

  it("tells what the authority said of its rejection, without what would move the cursor", async () => {
    // PKIStatusInfo: rejection, with a PKIFreeText of one UTF8String.
    const text = Buffer.from("not\u001b[2J today");
    const free = Buffer.concat([Buffer.of(0x30, text.length + 2, 0x0c, text.length), text]);
    const info = Buffer.concat([Buffer.of(0x30, 3 + free.length, 2, 1, 2), free]);
    const body = Buffer.concat([Buffer.of(0x30, info.length), info]).toString("latin1");
    scene.sigstore.fail("tsa", { status: 200, body, headers: { "content-type": reply } });
    const error = await rejectedBy(() => client().timestamp(data), "protocol-error");
    assert.equal(error.found, "status 2 (not [2J today)");
  });

  it("is not waited for without end", async () => {
    scene.sigstore.fail("tsa", "hang");
    const ask = scene.asking({ idleMs: 150, tries: 1 });
    const error = await rejectedBy(() => timestampAuthority(ask, scene.base("tsa")).timestamp(data), "timeout");
    assert.ok(LIMITS.idleMs >= LIMITS.integrationMs, error.message);
  });

  it("is not asked for in plain HTTP elsewhere than on this machine", async () => {
    const url = new URL("http://timestamp.example.com/api/v1/timestamp");
    await rejectedBy(() => timestampAuthority(scene.ask, url).timestamp(data), "configuration-invalid");
  });
});
