/// <reference path="./undici-parts.d.ts" />
import { setFlagsFromString } from "node:v8";
import type * as undici from "undici";
import request from "undici/lib/api/api-request.js";
import buildConnector from "undici/lib/core/connect.js";
import DispatcherPart from "undici/lib/dispatcher/dispatcher.js";
import PoolPart from "undici/lib/dispatcher/pool.js";

/**
 * The parts of undici that are used. Its front page loads all there is (fetch, WebSocket, caches, mocks), which takes
 * half as long again as all the rest of a start; and there its `request` is put on the dispatcher as is done here.
 * package.json pins undici's exact version, and every test of the client stands on these files.
 */
Object.assign(DispatcherPart.prototype, { request });

export type Dispatcher = undici.Dispatcher;
export type ResponseData = undici.Dispatcher.ResponseData;

/** Connections to one origin. */
export function openPool(
  origin: string,
  { connect, ...options }: undici.Pool.Options & { readonly connect: undici.buildConnector.BuildOptions },
): Dispatcher {
  return new PoolPart(origin, { ...options, connect: beforeTheParser(buildConnector({ allowH2: false, ...connect })) });
}

/** Few need a proxy: what it takes is loaded when one is used, `connect` for its tunnels included. */
export async function openProxyAgent(options: undici.ProxyAgent.Options): Promise<Dispatcher> {
  const { default: connect } = await import("undici/lib/api/api-connect.js");
  Object.assign(DispatcherPart.prototype, { connect });
  const { default: Agent } = await import("undici/lib/dispatcher/proxy-agent.js");
  return new Agent(options);
}

// --- the parser's code ------------------------------------------------------------------------------------------------------

/** A V8 flag, and its default in every Node up to this one. */
export const TIERING = { flag: "--wasm-tiering-budget", byDefault: 13_000_000, newestNode: 26 } as const;
const NEVER_USED_UP = 2 ** 31 - 1;

let isDone = Number.parseInt(process.versions.node, 10) > TIERING.newestNode;

/**
 * undici compiles its parser, WebAssembly with one function of 33 KiB, in the call that hands it its first connection.
 * After a few responses V8 optimises that function: 20 to 30 ms on another thread, for which the process waits when it
 * ends, longer than the rest of a short command takes. A budget that is never used up spares that; the parser sees little
 * but headers. It is set for that call only: V8 takes no code from caches that were made under other flags.
 */
function beforeTheParser(connector: undici.buildConnector.connector): undici.buildConnector.connector {
  return (options, callback) =>
    connector(options, (...result) => {
      if (isDone || result[0] !== null) return callback(...result);
      isDone = true;
      setFlagsFromString(`${TIERING.flag}=${NEVER_USED_UP}`);
      try {
        callback(...result);
      } finally {
        setFlagsFromString(`${TIERING.flag}=${TIERING.byDefault}`);
      }
    });
}
