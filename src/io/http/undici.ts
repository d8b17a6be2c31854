/// <reference path="./undici-parts.d.ts" />
import type * as undici from "undici";
import request from "undici/lib/api/api-request.js";
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
export const Pool: typeof undici.Pool = PoolPart;

/** Few need a proxy: what it takes is loaded when one is used, `connect` for its tunnels included. */
export async function openProxyAgent(options: undici.ProxyAgent.Options): Promise<Dispatcher> {
  const { default: connect } = await import("undici/lib/api/api-connect.js");
  Object.assign(DispatcherPart.prototype, { connect });
  const { default: Agent } = await import("undici/lib/dispatcher/proxy-agent.js");
  return new Agent(options);
}
