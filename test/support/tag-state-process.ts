/** One process that replaces what is kept of a repository's signed tags: `tag-state-process.ts FOLDER VERSION`. */
import { instant } from "../../src/core/time.ts";
import { ClientStore } from "../../src/io/tags/client-store.ts";
import { tagStateOf } from "./tag-state.ts";

const [folder = "", version = "1"] = process.argv.slice(2);
await new ClientStore("registry.example/app", folder).update(() => tagStateOf(Number(version), instant(0)), undefined);
