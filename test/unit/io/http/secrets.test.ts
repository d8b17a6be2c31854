import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { secretsIn, withoutParts, withSecrets } from "../../../../src/io/http/secrets.ts";
import { quietlyRejected } from "../../../support/identity.ts";

const SECRET = "eyJhbGciOiJSUzI1NiJ9.0123456789abcdef";

describe("words of a peer", () => {
  it("come without what they have in common with a secret", () => {
    for (const [text, clean] of [
      [`refused ${SECRET}!`, "refused …!"],
      [SECRET, "…"],
      [`${SECRET} and ${SECRET}`, "… and …"],
      [`cut: ${SECRET.slice(5, 25)}`, "cut: …"],
      [SECRET.slice(-8), "…"],
      ["nothing of it", "nothing of it"],
      [SECRET.slice(0, 7), SECRET.slice(0, 7)],
      ["", ""],
    ] as const) {
      assert.equal(withoutParts(text, [SECRET]), clean);
    }
  });

  it("are cleaned of each of several secrets, also where those overlap", () => {
    assert.equal(withoutParts("aaaabbbbccccdddd", ["aaaabbbb", "ccccdddd"]), "……".slice(0, 2));
    assert.equal(withoutParts("aaaabbbbcccc", ["aaaabbbb", "bbbbcccc"]), "…");
    assert.equal(
      withoutParts("a very short secret is found nowhere", ["is", ""]),
      "a very short secret is found nowhere",
    );
    assert.equal(
      withoutParts("a short one as a whole: hunter2, hunter", ["hunter2"]),
      "a short one as a whole: …, hunter",
    );
  });

  it("keep the words that a short secret is a part of, since what is left of them would tell it", () => {
    assert.equal(withoutParts("unknown tag latest of testing", ["test"]), "unknown tag latest of testing");
    assert.equal(withoutParts('no user:test, "test" or test', ["test"]), 'no user:…, "…" or …');
  });

  it("are cleaned in all of an error, and its causes are left behind", async () => {
    const cause = new Error(SECRET);
    const particulars = { found: SECRET, wanted: `not ${SECRET}`, next: SECRET, cause };
    const work = () =>
      withSecrets([SECRET], () => Promise.reject(new CountersignError("denied", `no ${SECRET}`, particulars)));
    const error = await quietlyRejected(work, "denied", [SECRET]);
    assert.deepEqual([error.message, error.found, error.wanted, error.next], ["no …", "…", "not …", "…"]);
    assert.equal(error.cause, undefined);
  });

  it("change no result and no defect", async () => {
    assert.equal(await withSecrets([SECRET], async () => SECRET), SECRET);
    await assert.rejects(
      withSecrets([SECRET], () => Promise.reject(new TypeError("a defect"))),
      TypeError,
    );
  });
});

function spoken(user: string, password: string, text: string): string {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  return withoutParts(text, secretsIn({ headers: { authorization } }));
}

describe("the secrets of a request", () => {
  it("are found as they are, in base64 as they were sent, and as a URL has them", () => {
    for (const text of ["u:p@ss/w0rd!", "u:p%40ss%2Fw0rd!", Buffer.from("u:p@ss/w0rd!").toString("base64url")]) {
      assert.match(spoken("u", "p@ss/w0rd!", text), /^(?:u:)?…$/);
    }
  });

  it("are the tokens of a form", () => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = Buffer.from("grant_type=refresh_token&refresh_token=abc%2Bdef%3D%3D");
    assert.equal(
      withoutParts(`bad: ${body.toString()}`, secretsIn({ headers, body })),
      "bad: grant_type=refresh_token&refresh_token=…",
    );
  });

  it("are of a key file the key: project and account are what a refusal is about", () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n".repeat(3)}-----END PRIVATE KEY-----\n`;
    const file = { type: "service_account", project_id: "acme-production", private_key: key };
    const json = JSON.stringify(file, null, 2);
    const refusal = "Permission denied on https://r.example/projects/acme-production";
    assert.equal(spoken("_json_key", json, refusal), refusal);
    for (const text of [json, key, encodeURIComponent(json)]) {
      assert.doesNotMatch(spoken("_json_key", json, text), /MIIEvQIB|ADANBgkq|FAASC/);
    }
    const other = JSON.stringify({ token: "0123456789" });
    assert.equal(spoken("u", other, "no 0123456789"), "no …");
  });
});
