import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createVmm } from "../../../src/adapters/vmm/vmm.ts";
import { startFakeVmm } from "../../fake_vmm/fake_vmm.ts";

const PROGRAM = fileURLToPath(new URL("./starved_program.ts", import.meta.url));
const RUN = "Deno" in globalThis ? ["run", "-A", "--no-check"] : ["run"];
const noPython = spawnSync("python3", ["--version"]).status === 0 ? false : "python3 is not installed";

describe("createVmm and createGuestProbe at the limits of the host", () => {
  it("know nothing of a VM while the process has no descriptor left, though the runtime says refused", async () => {
    const fake = await startFakeVmm("firecracker");
    try {
      const script = 'ulimit -n 200 && exec "$@"';
      const argv = ["-c", script, "sh", process.execPath, ...RUN, PROGRAM, fake.socketPath];
      const { stdout } = await promisify(execFile)("sh", argv);
      assert.deepEqual(JSON.parse(stdout), {
        fed: ["state", "accepts", "failure"],
        starved: ["unknown", "unknown", "unknown"],
      });
    } finally {
      await fake.end();
    }
  });

  it("call a VMM silent whose backlog is full, as it answers nobody", { skip: noPython }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "backlog-"));
    const socket = join(directory, "s");
    const script = [
      "import socket, sys",
      "server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(0)",
      "full = socket.socket(socket.AF_UNIX); full.connect(sys.argv[1])",
      "print('full', flush=True)",
      "sys.stdin.read()",
    ].join("\n");
    const vmm = spawn("python3", ["-c", script, socket], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await once(vmm.stdout, "data");
      const answer = await createVmm().query({ id: "vm-1", vmm: "firecracker", socket }, 10_000);
      assert.equal(answer.kind, "silent", JSON.stringify(answer));
      assert.equal(await createVmm().socketState(socket, 10_000), "refuses");
    } finally {
      vmm.kill("SIGKILL");
      await once(vmm, "exit");
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
