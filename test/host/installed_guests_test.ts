/**
 * Real guests on a host where metald was installed, and the journal as its operator reads it.
 * @module
 */

import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { ROOT_MADE } from "./box/bare_root.ts";
import type { Box } from "./box/box.ts";
import {
  agentProcesses,
  dropIn,
  HOLDS,
  mustInstall,
  RECORDS,
  runningVms,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { MMDEBSTRAP, NAMESPACED_HOST } from "./box/permitted.ts";
import { putQemu } from "./box/qemu_files.ts";
import { buildGuest } from "./guest/build.ts";
import { qemuGuest } from "./qemu_guest.ts";
import { describeWhere, GCC, QEMU } from "./requires.ts";
import { waitFor } from "./wait.ts";

const LONG = { timeout: 180_000 };

describeWhere([NAMESPACED_HOST, QEMU, GCC], "guests on a host with metald installed", () => {
  it("are recovered, and everything about it is found in the journal by the commands of the README", LONG, async () => {
    await withMetald("host", async (box) => {
      await addGuest(box, "vm-123");
      await addFailingVm(box, "customer-vm");
      await runningVms(box, 2);
      await waitForLog(box, "vm started", "vm_id=vm-123");
      await waitForLog(box, "vm started", "vm_id=customer-vm");

      // Its user's directory holds the sockets that it leaves behind.
      killVm(box, "vm-123", "SIGKILL");
      await waitForLog(box, "vm recovery successful", "vm_id=vm-123");
      killVm(box, "vm-123", "SIGSTOP");
      await waitForLog(box, "vm recovery blocked", "vm_id=vm-123");
      killVm(box, "vm-123", "SIGCONT");
      await waitForLog(box, "vm health restored", "vm_id=vm-123");

      await box.shell("rm /srv/may-run");
      killVm(box, "customer-vm", "SIGKILL");
      await waitForLog(box, "vm recovery failed completely", "vm_id=customer-vm");
      await box.shell("echo >/srv/may-run");
      const followed = box.shell('timeout 30 journalctl -u metald -n 0 -f | grep -m 1 -E "(orphaned|recovery)"');
      await box.output(["systemctl", "restart", "metald"]);
      await waitForLog(box, "vm recovery successful", "vm_id=customer-vm");
      assert.match(await followed, /recovery/);

      const finds = async (command: string, expected: RegExp): Promise<void> => {
        await box.output(["journalctl", "--sync"]);
        assert.match(await box.shell(command), expected, command);
      };
      await finds('journalctl -u metald --since "10 minutes ago" | grep "orphaned vm detected"', /vm_id=vm-123 /);
      await finds('journalctl -u metald | grep "vm_id=vm-123" | grep recovery', /vm recovery successful/);
      await finds('journalctl -u metald | grep "vm_id=customer-vm" | grep health', /started vm health monitoring/);
      await finds('journalctl -u metald | grep "vm health check failed" | tail -10', /vm_id=vm-123 .*failure_count=/);
      await finds("journalctl -u metald-vm-vm-123", /HEARTBEAT/);
      const errors = (await box.journal("-u", "metald", "-p", "err", "-o", "cat")).trim().split("\n");
      assert.ok(errors.some((line) => line.includes("orphaned vm detected")));
      assert.deepEqual(
        errors.filter((line) => !line.includes("level=ERROR")),
        [],
      );
      assert.equal(agentProcesses(box).length, 1);
    });
  });

  it("come back after a reboot without an alarm, but for one that is held, which waits", LONG, async () => {
    await withMetald("host", async (box) => {
      // Without a /proc of its own, in which the agent would not see that the host was booted again.
      await dropIn(box, "[Service]\nProtectProc=default\nProtectControlGroups=no\nProtectKernelTunables=no\n");
      await box.output(["systemctl", "restart", "metald"]);
      const ids = ["vm-1", "vm-2", "vm-3", "vm-4", "vm-5"];
      for (const id of ids) await addGuest(box, id);
      await runningVms(box, ids.length);
      for (const id of ids) await waitForLog(box, "vm started", `vm_id=${id}`);
      await box.write(`${HOLDS}/vm-5.json`, JSON.stringify({ reason: "maintenance", actor: "test" }), "600");
      await waitForLog(box, "vm held", "vm_id=vm-5");

      await box.reboot();
      const before = await box.journal("-b", "-1", "-o", "cat");
      const stopping = before.slice(before.lastIndexOf("Stopping metald.service"));
      for (const id of ids) assert.match(stopping, new RegExp(`the guest of ${id} has shut down after`));
      assert.doesNotMatch(stopping, /orphaned|starting vm|attempting vm recovery/);

      const running = await runningVms(box, ids.length - 1);
      for (const id of ids.slice(0, -1)) await waitForLog(box, "vm started", `vm_id=${id}`);
      assert.ok(!running.some((line) => line.includes("vm-5")), running.join("\n"));
      await box.shell(`rm ${HOLDS}/vm-5.json`);
      await runningVms(box, ids.length);
      const after = await box.journal("-b", "-u", "metald", "-o", "cat");
      assert.doesNotMatch(after, /orphaned vm detected/);

      await waitFor("all are well", async () => {
        const { code, stdout } = await box.run(["metald", "status"]);
        return code === 0 && stdout.includes("5 VMs, 5 healthy");
      });
      const vms = vmProcesses(box);
      await mustInstall(box, ["--uninstall"]);
      assert.deepEqual(vmProcesses(box), vms);
      assert.equal(await box.shell(`ls ${RECORDS} | wc -l`), "5");
    });
  });
});

describeWhere([NAMESPACED_HOST, QEMU, GCC, MMDEBSTRAP], "guests on a Debian with nothing else", () => {
  it(
    "run and are recovered where nothing is installed but metald, QEMU and what QEMU itself needs",
    ROOT_MADE,
    async () => {
      await withMetald("bare", async (box) => {
        await putQemu(box);
        await addGuest(box, "vm-123");
        await runningVms(box, 1);
        await waitForLog(box, "vm started", "vm_id=vm-123");
        killVm(box, "vm-123", "SIGKILL");
        await waitForLog(box, "vm recovery successful", "vm_id=vm-123");
        await waitFor("its console is in the journal", async () =>
          (await box.journal("-u", "metald-vm-vm-123")).includes("HEARTBEAT"),
        );
        await writeRecord(box, "vm-123", {
          vmm: "qemu",
          state: "stopped",
          socket: "/srv/vms/vm-123/vm-123.qmp",
          launch: { argv: ["/bin/false"] },
        });
        await waitForLog(box, "vm stopped", "vm_id=vm-123");
        assert.deepEqual(vmProcesses(box), []);
      });
    },
  );
});

/** A guest that runs as another user, with its sockets in a directory of that user, and its console in the journal. */
async function addGuest(box: Box, id: string): Promise<void> {
  const elf = buildGuest();
  await box.put(dirname(elf), "/srv/guest");
  const directory = `/srv/vms/${id}`;
  await box.shell(`mkdir -p /srv/vms; install -d -m 700 -o nobody ${directory}`);
  const { argv, socketPath, consolePath, monitorPath } = await qemuGuest(directory, id);
  const inBox = (argument: string): string => {
    // Another user may not have what this one may do with /dev/kvm.
    if (argument === "kvm") return "tcg,tb-size=1";
    if (argument === elf) return `/srv/guest/${basename(elf)}`;
    return argument.startsWith(`unix:${consolePath}`) ? "stdio" : argument;
  };
  const launch = { argv: argv.map(inBox), user: "nobody", cleanup: [monitorPath] };
  await writeRecord(box, id, { vmm: "qemu", socket: socketPath, launch });
}

/** A program that ends at once when it may not run. */
async function addFailingVm(box: Box, id: string): Promise<void> {
  await box.shell("echo >/srv/may-run");
  const script = "[ -e /srv/may-run ] && exec sleep 86400; exit 1";
  await writeRecord(box, id, { vmm: "process", launch: { argv: ["/bin/sh", "-c", script] } });
}

function killVm(box: Box, id: string, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
  const found = vmProcesses(box).find((line) => line.startsWith(`metald-vm-${id}.service `));
  const pid = Number(found?.split(" ")[1]?.split("-")[0]);
  assert.ok(pid > 1, `${id} runs`);
  process.kill(pid, signal);
}
