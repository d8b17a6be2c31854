// Preloaded into a process that must not speak to anyone: the first attempt ends it with 99.
import dgram from "node:dgram";
import dns from "node:dns";
import { writeSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

function forbid(owner, name, what) {
  owner[name] = () => {
    writeSync(2, `no-connections: ${what}\n`);
    process.exit(99);
  };
}

forbid(net.Socket.prototype, "connect", "a connection");
forbid(net.Server.prototype, "listen", "a server");
forbid(dgram, "createSocket", "a datagram");
for (const owner of [dns, dns.promises]) {
  for (const name of ["lookup", "resolve", "resolve4", "resolve6", "resolveAny", "resolveTxt"])
    forbid(owner, name, "a name");
}
syncBuiltinESMExports();
