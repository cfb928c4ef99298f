/**
 * Boots a host, says where it is, and waits to be killed: what a test that ends without cleaning up leaves to others.
 * @module
 */

import { Box } from "./box.ts";

const box = await Box.boot({ root: "host" });
console.log(JSON.stringify({ cgroup: box.cgroup, holderPid: box.holderPid, initPid: box.initPid }));
setInterval(() => undefined, 60_000);
