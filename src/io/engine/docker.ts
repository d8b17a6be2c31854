import { type Dialect, Engine, type EngineOptions } from "./engine.ts";

/** Docker speaks plain HTTP to loopback registries by itself. */
const DOCKER: Dialect = { name: "docker", variable: "COUNTERSIGN_DOCKER", pullPlainHttp: [], save: [] };

/** Docker, through its command line; `DOCKER_HOST` leads to another daemon. */
export function docker(options: EngineOptions): Engine {
  return new Engine(DOCKER, options);
}
