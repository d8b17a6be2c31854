/** A process that takes the lock at a path, says so, and then lives on, exits (at once, or when its input ends), or is killed: `lock-holder.ts PATH THEN`. */
import { acquireLock } from "../../../../src/io/disk/lock.ts";

const [, , path = "", then] = process.argv;
await acquireLock(path);
console.log("held");
if (then === "exit") process.exit(3);
if (then === "exit-later") process.stdin.on("end", () => process.exit(3)).resume();
if (then === "be-killed") process.kill(process.pid, "SIGKILL");
setInterval(() => undefined, 1000);
