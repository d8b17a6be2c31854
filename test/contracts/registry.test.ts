import type { TestContext } from "node:test";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { ContentStore } from "../../src/core/ports.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { type RegistryOptions, startRegistry } from "../../src/testbed/registry.ts";
import { temporaryFolder } from "../support/temp.ts";
import { type Place, storeContract } from "./store-contract.ts";

/** A repository in a registry of its own. Each client has its own connections, as another process would. */
async function registryPlace(t: TestContext, options: RegistryOptions): Promise<Place> {
  const registry = await startRegistry(options);
  const folder = await temporaryFolder(t);
  const opened: ContentStore[] = [];
  t.after(async () => {
    for (const store of opened) await store.close();
    await registry.close();
  });
  return {
    async open() {
      const reference = parseReference(`${registry.address}/acme/app`);
      const store = openRegistry(reference, { env: {}, homeDirectory: folder, cacheDirectory: folder, tries: 1 });
      opened.push(store);
      return store;
    },
    async tamper({ descriptor, bytes }) {
      const changed = Buffer.from(bytes);
      const last = changed.byteLength - 1;
      changed.writeUInt8(changed.readUInt8(last) ^ 1, last);
      registry.control.replaceBytes(descriptor.digest, changed);
    },
  };
}

storeContract({
  name: "A registry with the referrers API",
  via: "referrers-api",
  makePlace: (t) => registryPlace(t, { referrersApi: true }),
});

storeContract({
  name: "A registry without the referrers API",
  via: "referrers-tag",
  makePlace: (t) => registryPlace(t, { referrersApi: false }),
});

storeContract({
  name: "A registry on a folder",
  via: "referrers-api",
  makePlace: async (t) => registryPlace(t, { root: await temporaryFolder(t) }),
});
