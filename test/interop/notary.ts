import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { request as askHttps, createServer } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { startPeer, without } from "./peers.ts";
import { type Server, stopChild, whenReady } from "./servers.ts";
import type { Workplace } from "./workplace.ts";

/** A Notary as its operators run it: server and signer, TLS between all of them, by an authority of its own; in memory. */

export const NOTARY_PEERS = ["notary", "notary-server", "notary-signer", "openssl"] as const;
export const missingNotary = without(...NOTARY_PEERS);

export interface Notary extends Server {
  /** PEM file of the authority. */
  readonly ca: string;
  /** What stands between clients and the server: whoever controls the way to it. */
  readonly way: NotaryWay;
}

/** Answers of somebody in between, by path; a path is `GUN/_trust/tuf/NAME.json`. */
export interface NotaryWay {
  /** undefined: it is the server's own answer. */
  answer:
    | ((path: string) => Promise<Uint8Array | "nothing" | undefined> | Uint8Array | "nothing" | undefined)
    | undefined;
  /** What the server itself answers. */
  original(path: string): Promise<Uint8Array>;
}

export async function startNotary(work: Workplace): Promise<Notary> {
  const folder = work.makeFolder("notary");
  await makeCertificates(work, folder);
  const [signerPort, serverPort, wayPort] = [await freePort(), await freePort(), await freePort()];
  const signer = startPeer("notary-signer", ["-config", writeSignerConfig(work, signerPort)], { cwd: folder });
  // A server that asks its signer too early answers with 500.
  await whenReady(signer, `127.0.0.1:${signerPort}`, () => isListening(signerPort));
  const server = startPeer("notary-server", ["-config", writeServerConfig(work, serverPort, signerPort)], {
    cwd: folder,
  });
  const ca = readFileSync(join(folder, "ca.crt"), "utf8");
  const ask = (path: string) => fetchFrom(`https://127.0.0.1:${serverPort}${path}`, ca);
  const ready = await whenReady(server, `127.0.0.1:${wayPort}`, async () => {
    return (await ask("/v2/").catch(() => undefined))?.status === 200;
  });
  const way: NotaryWay = {
    answer: undefined,
    original: async (path) => (await ask(`/v2/${path}`)).body,
  };
  const front = createServer(
    { cert: pem(folder, "server.crt"), key: pem(folder, "server.key") },
    (incoming, response) => {
      void serve(way, incoming, response, `https://127.0.0.1:${serverPort}`, ca);
    },
  );
  await new Promise<void>((resolve) => front.listen(wayPort, "127.0.0.1", resolve));
  return {
    address: ready.address,
    ca: join(folder, "ca.crt"),
    way,
    stop: async () => {
      front.closeAllConnections();
      await new Promise((resolve) => front.close(resolve));
      await ready.stop();
      await stopChild(signer);
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(socket.end() !== undefined));
    socket.on("error", () => resolve(false));
  });
}

function pem(folder: string, name: string): Buffer {
  return readFileSync(join(folder, name));
}

async function makeCertificates(work: Workplace, folder: string): Promise<void> {
  const inFolder = { cwd: folder };
  const key = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"];
  await work.must("openssl", [...key, "ca.key"], inFolder);
  const authority = [
    "req",
    "-x509",
    "-new",
    "-key",
    "ca.key",
    "-subj",
    "/CN=interop notary",
    "-days",
    "2",
    "-out",
    "ca.crt",
  ];
  await work.must("openssl", authority, inFolder);
  const usage = ["extendedKeyUsage=serverAuth,clientAuth", "basicConstraints=CA:FALSE"];
  writeFileSync(join(folder, "ext"), ["subjectAltName=DNS:localhost,IP:127.0.0.1", ...usage].join("\n"));
  for (const name of ["server", "signer"]) {
    await work.must("openssl", [...key, `${name}.key`], inFolder);
    const wish = ["req", "-new", "-key", `${name}.key`, "-subj", "/CN=localhost", "-out", `${name}.csr`];
    await work.must("openssl", wish, inFolder);
    const signed = ["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    await work.must("openssl", [...signed, "-days", "2", "-extfile", "ext", "-out", `${name}.crt`], inFolder);
  }
}

function writeSignerConfig(work: Workplace, port: number): string {
  return work.write(
    "notary/signer.json",
    JSON.stringify({
      server: {
        grpc_addr: `127.0.0.1:${port}`,
        tls_cert_file: "signer.crt",
        tls_key_file: "signer.key",
        client_ca_file: "ca.crt",
      },
      logging: { level: "error" },
      storage: { backend: "memory" },
    }),
  );
}

function writeServerConfig(work: Workplace, port: number, signerPort: number): string {
  return work.write(
    "notary/server.json",
    JSON.stringify({
      server: { http_addr: `127.0.0.1:${port}`, tls_cert_file: "server.crt", tls_key_file: "server.key" },
      trust_service: {
        type: "remote",
        hostname: "127.0.0.1",
        port: String(signerPort),
        key_algorithm: "ecdsa",
        tls_ca_file: "ca.crt",
        tls_client_cert: "server.crt",
        tls_client_key: "server.key",
      },
      storage: { backend: "memory" },
      logging: { level: "error" },
    }),
  );
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

interface Question {
  readonly method?: string | undefined;
  readonly headers?: IncomingMessage["headers"];
  readonly body?: Buffer;
}

function fetchFrom(url: string, ca: string, { method = "GET", headers = {}, body }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = askHttps(url, { ca, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on("error", reject).end(body);
  });
}

async function serve(
  way: NotaryWay,
  incoming: IncomingMessage,
  response: ServerResponse,
  origin: string,
  ca: string,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { method, url = "/", headers } = incoming;
  const own = method === "GET" ? await way.answer?.(url.replace(/^\/v2\//, "")) : undefined;
  if (own === "nothing") {
    response.writeHead(404, { "content-type": "application/json" }).end('{"errors":[{"code":"METADATA_NOT_FOUND"}]}');
    return;
  }
  if (own !== undefined) {
    response.writeHead(200, { "content-type": "application/json", "content-length": own.byteLength }).end(own);
    return;
  }
  const answer = await fetchFrom(`${origin}${url}`, ca, { method, headers, body: Buffer.concat(chunks) });
  response.writeHead(answer.status, answer.headers).end(answer.body);
}
