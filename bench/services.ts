import { readFileSync } from "node:fs";
import type { Workplace } from "../test/interop/workplace.ts";
import { type RemoteProxy, spawnProxy } from "./proxy.ts";

/** Proxies before the services, and a signing configuration that leads to them. */
export interface CountedServices {
  readonly signingConfig: string;
  count(): Promise<number>;
  /** How long was waited for the log, in milliseconds. */
  waitedForLog(): Promise<number>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

type Services = Readonly<Record<"caUrls" | "rekorTlogUrls" | "tsaUrls", readonly { url: string }[]>>;

/** Checkpoints name the log by its host, which the proxies share: what is signed through them verifies. */
export async function countServices(work: Workplace, signingConfig: string): Promise<CountedServices> {
  const json = JSON.parse(readFileSync(signingConfig, "utf8")) as Services;
  const proxied = async (service: { url: string }): Promise<RemoteProxy> => {
    const { host } = new URL(service.url);
    const proxy = await spawnProxy({ target: host });
    service.url = service.url.replace(host, proxy.address);
    return proxy;
  };
  const logs = await Promise.all(json.rekorTlogUrls.map(proxied));
  const proxies = [...logs, ...(await Promise.all([...json.caUrls, ...json.tsaUrls].map(proxied)))];
  return {
    signingConfig: work.write("counted_signing_config.json", JSON.stringify(json)),
    count: async () => (await Promise.all(proxies.map((proxy) => proxy.requests()))).flat().length,
    waitedForLog: async () => (await Promise.all(logs.map((log) => log.waited()))).reduce((sum, ms) => sum + ms, 0),
    reset: async () => void (await Promise.all(proxies.map((proxy) => proxy.reset()))),
    close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
  };
}
