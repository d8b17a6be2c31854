import { type Dialect, Engine, type EngineOptions } from "./engine.ts";

const PODMAN: Dialect = {
  name: "podman",
  variable: "COUNTERSIGN_PODMAN",
  pullPlainHttp: ["--tls-verify=false"],
  save: ["--format", "docker-archive"],
};

/** Podman, through its command line. */
export function podman(options: EngineOptions): Engine {
  return new Engine(PODMAN, options);
}
