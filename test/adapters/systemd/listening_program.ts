/**
 * Listens at the path of its argument, which it unlinks before as QEMU does, and says `ready`.
 * @module
 */

import { rmSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";

const [path = ""] = process.argv.slice(2);
rmSync(path, { force: true });
createServer().listen(path, () => process.stdout.write("ready\n"));
