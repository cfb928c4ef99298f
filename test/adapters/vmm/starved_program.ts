/**
 * Asks the VMM at a socket's path with no descriptor left, and prints the kinds of the answers. Run by a test under a
 * low limit of open files.
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { createGuestProbe } from "../../../src/adapters/vmm/guest_probe_tcp.ts";
import { createVmm } from "../../../src/adapters/vmm/vmm.ts";

const socket = process.argv[2] ?? "";
const vmm = createVmm();
const ask = async (): Promise<readonly string[]> => [
  (await vmm.query({ id: "vm-1", vmm: "firecracker", socket }, 10_000)).kind,
  await vmm.socketState(socket, 10_000),
  (await createGuestProbe().tcp({ host: "127.0.0.1", port: 1 }, 10_000)).kind,
];

// Once before, so that whatever the runtime opens for its own use is open.
const fed = await ask();
const descriptors: number[] = [];
try {
  for (;;) descriptors.push(openSync("/dev/null", "r"));
} catch {
  // EMFILE: that is what we wanted.
}
const starved = await ask();
for (const descriptor of descriptors) closeSync(descriptor);
console.log(JSON.stringify({ fed, starved }));
process.exit(0);
