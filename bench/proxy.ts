import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestUpstream,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { breakReply, type Fault, type FaultHook, type SeenRequest } from "../src/testbed/faults.ts";
import { closeServer, listen } from "../src/testbed/listener.ts";
import { type Reply, sendReply } from "../src/testbed/reply.ts";

/** What goes wrong with the requests whose `METHOD /path?query` matches. */
export type ProxyFault = { readonly pattern: RegExp } & ({ readonly fault: Fault } | { readonly status: number });

export type ProxyHook = (request: SeenRequest) => ReturnType<FaultHook> | Promise<ReturnType<FaultHook>>;

export interface ProxyOptions {
  /** `host:port` of a registry that speaks plain HTTP. */
  readonly target: string;
  /** Added to every request before it is passed on, in milliseconds. */
  readonly delayMs?: number;
  readonly faults?: readonly ProxyFault[];
  /** Chooses by more than the address, or holds a request back; asked before `faults`. Not for a proxy in a process of its own. */
  readonly hook?: ProxyHook;
}

/** Bytes of content, headers left out, from the client's point of view. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** A forwarder on loopback that counts and delays what passes. */
export interface Proxy {
  /** `127.0.0.1:PORT`, to be used in the place of the target's. */
  readonly address: string;
  /** `METHOD /path?query` of every request since the start or the last `reset`, in the order of arrival. */
  requests(): string[];
  /** How many were opened since then. */
  connections(): number;
  /** How long those that were answered were under way, together, in milliseconds. */
  waited(): number;
  bytes(): Traffic;
  reset(): void;
  close(): Promise<void>;
}

/** The same in a process of its own, so that it shares no event loop with what is measured. */
export interface RemoteProxy {
  readonly address: string;
  requests(): Promise<string[]>;
  connections(): Promise<number>;
  waited(): Promise<number>;
  bytes(): Promise<Traffic>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const seen: string[] = [];
  let connections = 0;
  let waited = 0;
  const traffic = { sent: 0, received: 0 };
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, response) => {
    const request = seenRequest(incoming, seen.push(`${incoming.method} ${incoming.url}`));
    const arrived = performance.now();
    response.once("finish", () => (waited += performance.now() - arrived));
    pass({ ...options, traffic }, agent, request, incoming, response).catch(() => response.destroy());
  });
  server.on("connection", () => {
    connections++;
  });
  const address = await listen(server, "127.0.0.1", 0);
  return {
    address,
    requests: () => [...seen],
    connections: () => connections,
    waited: () => waited,
    bytes: () => ({ ...traffic }),
    reset() {
      seen.length = 0;
      connections = 0;
      waited = 0;
      Object.assign(traffic, { sent: 0, received: 0 });
    },
    async close() {
      await closeServer(server);
      agent.destroy();
    },
  };
}

/** What a request is for, in a word: how many of which kind is what a bench prints. */
export function kindOf(request: string): string {
  const [method = "", url = ""] = request.split(" ");
  const [path = ""] = url.split("?");
  if (path === "/v2" || path === "/v2/") return `${method} ping`;
  const [, kind] = /\/(blobs\/uploads|blobs|manifests|referrers|tags)\//.exec(path) ?? [];
  return `${method} ${kind === "blobs/uploads" ? "uploads" : (kind ?? path)}`;
}

/** How many requests there were of each kind. */
export function countKinds(requests: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const request of requests) counts.set(kindOf(request), (counts.get(kindOf(request)) ?? 0) + 1);
  return counts;
}

function seenRequest(incoming: IncomingMessage, index: number): SeenRequest {
  const url = incoming.url ?? "";
  return { index, method: incoming.method ?? "", url, path: url.split("?", 1)[0] ?? "" };
}

async function pass(
  options: ProxyOptions & { readonly traffic: Counts },
  agent: Agent,
  request: SeenRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (options.delayMs !== undefined && options.delayMs > 0) await sleep(options.delayMs);
  const answer = () => forward(options, agent, incoming, response);
  const fault = (await options.hook?.(request)) ?? faultFor(options.faults ?? [], request);
  const outcome = await breakReply(fault, request, answer);
  if (outcome === "reset") incoming.socket.resetAndDestroy();
  else if (outcome !== "stall") await sendReply(counted(outcome, options.traffic), request.method, response);
}

type Counts = { -readonly [Way in keyof Traffic]: number };

function counted(reply: Reply, traffic: Counts): Reply {
  const { content } = reply;
  if (content === undefined) return reply;
  return { ...reply, content: { size: content.size, read: () => count(content.read(), traffic, "received") } };
}

async function* count(chunks: AsyncIterable<Uint8Array>, traffic: Counts, way: keyof Traffic) {
  for await (const chunk of chunks) {
    traffic[way] += chunk.byteLength;
    yield chunk;
  }
}

function faultFor(faults: readonly ProxyFault[], { method, url }: SeenRequest): Fault | undefined {
  const found = faults.find(({ pattern }) => pattern.test(`${method} ${url}`));
  if (found === undefined) return undefined;
  return "fault" in found ? found.fault : { kind: "status", status: found.status };
}

/** The Host header is passed on as it is: the locations that a registry makes from it lead back through the proxy. */
async function forward(
  { target, traffic }: { readonly target: string; readonly traffic: Counts },
  agent: Agent,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<Reply> {
  const { method, headers } = incoming;
  const upstream = requestUpstream(`http://${target}`, {
    agent,
    method,
    headers: endToEnd(headers),
    path: incoming.url,
  });
  response.once("close", () => upstream.destroy());
  const [[answer]] = await Promise.all([
    once(upstream, "response") as Promise<[IncomingMessage]>,
    pipeline(incoming, (chunks: AsyncIterable<Uint8Array>) => count(chunks, traffic, "sent"), upstream),
  ]);
  const { "content-length": length, "transfer-encoding": _, ...rest } = endToEnd(answer.headers);
  const size = length === undefined ? undefined : Number(length);
  const hasContent = answer.statusCode !== 204 && answer.statusCode !== 304;
  return {
    status: answer.statusCode ?? 502,
    headers: Object.fromEntries(Object.entries(rest).flatMap(([name, value]) => (value ? [[name, value]] : []))),
    ...(hasContent ? { content: { size, read: () => answer } } : {}),
  };
}

/** RFC 9110, 7.6.1: what belongs to one connection is not passed on. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _, "keep-alive": __, ...rest } = headers;
  return rest;
}

// --- in a process of its own ----------------------------------------------------------------------------------------

type Order = { readonly start: ProxyOptions } | "requests" | "connections" | "waited" | "bytes" | "reset";

/** Starts the proxy in a process of its own; it ends with `close`, or with this process. */
export async function spawnProxy(options: ProxyOptions): Promise<RemoteProxy> {
  const child = fork(import.meta.filename, { serialization: "advanced" });
  const address = (await ask(child, { start: options })) as string;
  return {
    address,
    requests: async () => (await ask(child, "requests")) as string[],
    connections: async () => (await ask(child, "connections")) as number,
    waited: async () => (await ask(child, "waited")) as number,
    bytes: async () => (await ask(child, "bytes")) as Traffic,
    reset: async () => void (await ask(child, "reset")),
    async close() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

async function ask(child: ChildProcess, order: Order): Promise<unknown> {
  const answer = once(child, "message");
  child.send(order);
  const [value] = await answer;
  return value;
}

function serveOrders(send: (answer: unknown) => void): void {
  let proxy: Proxy | undefined;
  process.on("message", async (order: Order) => {
    if (order === "requests") return send(proxy?.requests());
    if (order === "connections") return send(proxy?.connections());
    if (order === "waited") return send(proxy?.waited());
    if (order === "bytes") return send(proxy?.bytes());
    if (order === "reset") return send(proxy?.reset() ?? null);
    proxy = await startProxy(order.start);
    return send(proxy.address);
  });
  process.once("disconnect", () => void proxy?.close());
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) serveOrders(process.send.bind(process));
