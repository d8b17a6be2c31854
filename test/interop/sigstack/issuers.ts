import { X509Certificate } from "node:crypto";
import type { JsonObject } from "../../../src/core/json.ts";
import { httpServer, reply, type SeenRequest, type TestServer } from "../../support/http-server.ts";
import { type Answer, answered, jsonBody, pathOf, plainError, Refusal } from "../../support/sigstore/answer.ts";
import type { FakeCertificateLog } from "../../support/sigstore/certificate-log.ts";
import { context, elementsIn, oid, sequence } from "../../support/sigstore/der.ts";
import { FakeIssuer, githubClaims } from "../../support/sigstore/oidc.ts";
import { oidc } from "../../support/sigstore/oidc-service.ts";

/** An identity provider that Fulcio asks for its keys; it gives a token for any claims to whoever asks. */
export class StackIssuer {
  readonly #server: TestServer;
  readonly #issuer: FakeIssuer;

  private constructor(server: TestServer, issuer: FakeIssuer) {
    this.#server = server;
    this.#issuer = issuer;
  }

  static async start(): Promise<StackIssuer> {
    let issuer: FakeIssuer | undefined;
    const server = await httpServer((request, response) => {
      const { status, body, headers } = issuer === undefined ? { status: 503, body: "" } : answer(issuer, request);
      reply(response, status, body, headers);
    });
    issuer = new FakeIssuer({ url: `http://${server.host}`, algorithm: "RS256", now: Date.now });
    return new StackIssuer(server, issuer);
  }

  get url(): string {
    return this.#issuer.url;
  }

  /** Of a person. */
  emailToken(email: string): string {
    return this.#issuer.token({ email });
  }

  /** Of a workflow, as GitHub says it. */
  workflowToken(claims: JsonObject): string {
    return this.#issuer.token({ email: null, claims: githubClaims(claims) });
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}

/** As GitHub's runner gives a job its token, and as OpenID providers answer. */
function answer(issuer: FakeIssuer, request: SeenRequest): Answer {
  if (request.method === "GET" && pathOf(request) === "/token") {
    const { audience = "sigstore", ...claims } = Object.fromEntries(new URL(request.target, issuer.url).searchParams);
    return { status: 200, body: { value: issuer.token({ email: null, audience, claims: githubClaims(claims) }) } };
  }
  return oidc({ issuer, identity: {}, deviceErrors: [], deviceInterval: 1, grants: new Map() }, request);
}

// --- certificate transparency -----------------------------------------------------------------------------------------

/** RFC 6962 §4.2, add-pre-chain: signs and keeps nothing. */
export async function startCertificateLog(log: FakeCertificateLog): Promise<TestServer> {
  return await httpServer((request, response) => {
    const { status, body, headers } = answered(() => addPreChain(log, request), plainError);
    reply(response, status, body, headers);
  });
}

function addPreChain(log: FakeCertificateLog, request: SeenRequest): Answer {
  if (pathOf(request) !== "/ct/v1/add-pre-chain") throw new Refusal(404, "not found");
  const { chain } = jsonBody({ ...request, headers: { ...request.headers, "content-type": "application/json" } });
  const [precertificate, issuer] = (Array.isArray(chain) ? chain : []).map((each) =>
    Buffer.from(String(each), "base64"),
  );
  if (precertificate === undefined || issuer === undefined) throw new Refusal(400, "no chain");
  const at = Date.now();
  const issuerSpki = new X509Certificate(issuer).publicKey.export({ type: "spki", format: "der" });
  const sct = log.vouch({ issuerSpki, tbs: withoutPoison(precertificate), at });
  // Version, id of 32 bytes, time of 8, two bytes for no extensions; then what is signed.
  const signature = sct.subarray(43).toString("base64");
  const id = log.logId.toString("base64");
  return { status: 200, body: { sct_version: 0, id, timestamp: at, extensions: "", signature } };
}

/** RFC 6962 §3.1: what makes a precertificate useless as a certificate. */
const POISON = oid("1.3.6.1.4.1.11129.2.4.3");

/** The certificate's TBSCertificate as it will be issued, but for its SCTs. */
function withoutPoison(precertificate: Uint8Array): Buffer {
  const [certificate] = elementsIn(precertificate);
  const [tbs] = elementsIn(certificate?.content ?? Buffer.of());
  const parts = elementsIn(tbs?.content ?? Buffer.of()).map(({ tag, whole, content }) => {
    if (tag !== 0xa3) return whole;
    const [list] = elementsIn(content);
    const kept = elementsIn(list?.content ?? Buffer.of()).filter((each) => !each.content.includes(POISON));
    return context(3, sequence(...kept.map((each) => each.whole)));
  });
  return sequence(...parts);
}
