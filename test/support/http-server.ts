import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";

/** One request as a test's server saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface TestServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly requests: readonly SeenRequest[];
  /** How many were opened. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export type Handler = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

/** An HTTP server on loopback that does whatever a test wants, and remembers what it was asked. */
export async function httpServer(
  handler: Handler,
  tls?: { readonly cert: string; readonly key: string },
): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      return;
    }
    const { method = "", url = "", headers } = incoming;
    const request = { method, target: url, headers, body: Buffer.concat(chunks) };
    requests.push(request);
    await handler(request, response);
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  return { requests, ...(await listening(server)), close: () => closed(server, () => server.closeAllConnections()) };
}

/** A server below HTTP: it gets the socket once the first bytes of a request have arrived. */
export async function tcpServer(handler: (socket: Socket, request: string) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const requests: SeenRequest[] = [];
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      const text = data.toString("latin1");
      const [method = "", target = ""] = text.split(" ");
      requests.push({ method, target, headers: {}, body: Buffer.alloc(0) });
      handler(socket, text);
    });
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { requests, ...(await listening(server)), close: () => closed(server, cut) };
}

async function listening(server: Server): Promise<Pick<TestServer, "host" | "connections">> {
  let connections = 0;
  server.on("connection", () => {
    connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { host: `127.0.0.1:${address.port}`, connections: () => connections };
}

function closed(server: Server, cut: () => void): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    cut();
  });
}

/** Answers with JSON, or whatever type is given. */
export function reply(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array | object = "",
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): void {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const bytes = Buffer.from(isRaw ? body : JSON.stringify(body));
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": String(bytes.byteLength),
    ...headers,
  });
  response.end(bytes);
}
