/**
 * The life of a host on which metald was installed: boots, restarts, versions that follow each other, and what a record may
 * ask of systemd.
 * @module
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Box } from "./box/box.ts";
import {
  dropIn,
  HOLDS,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere } from "./requires.ts";
import { waitFor } from "./wait.ts";

const LONG = { timeout: 120_000 };
const STATES = "/run/metald/vms";

describeWhere([NAMESPACED_HOST], "a host with metald installed", () => {
  it(
    "boots its VMs by priority and as many at once as permitted, but for a held one, without an alarm",
    LONG,
    async () => {
      const boots = async (box: Box): Promise<void> => {
        // Without a /proc of its own, in which the agent would not see that the host was booted again.
        await dropIn(box, "[Service]\nProtectProc=default\nProtectControlGroups=no\nProtectKernelTunables=no\n");
        await box.output(["systemctl", "restart", "metald"]);
        const priorities = [3, 1, 5, 2, 4, 6];
        for (const priority of priorities) {
          const id = `vm-${priority}`;
          // Long enough for another to begin meanwhile, if that were permitted.
          const hook = `echo +${priority} >>/srv/starts; sleep 0.3; echo -${priority} >>/srv/starts`;
          const launch = { ...SLEEPING_VM.launch, before_start: [["/bin/sh", "-c", hook]] };
          await writeRecord(box, id, { ...SLEEPING_VM, priority, launch });
        }
        await runningVms(box, priorities.length);
        await box.write(`${HOLDS}/vm-6.json`, JSON.stringify({ reason: "maintenance", actor: "test" }), "600");
        await waitForLog(box, "vm held", "vm_id=vm-6");
        await box.shell("rm /srv/starts");

        await box.reboot();
        await waitForLog(box, "vm started", "vm_id=vm-1");
        const running = await runningVms(box, priorities.length - 1);
        assert.ok(!running.some((line) => line.includes("vm-6")), running.join("\n"));
        const starts = (await box.output(["cat", "/srv/starts"])).split("\n").map(Number);
        const begun = starts.filter((start) => start > 0);
        // Two begin together, in any order; nobody overtakes by more.
        for (const [index, priority] of begun.entries()) assert.ok(Math.abs(5 - index - priority) <= 1, `${begun}`);
        const atOnce = starts.map(
          (_, index) => starts.slice(0, index + 1).filter((start) => start > 0).length * 2 - index - 1,
        );
        assert.equal(Math.max(...atOnce), 2, `${starts}`);
        assert.match((await box.run(["metald", "status"])).stdout, /vm-6 .*held: maintenance/);
        assert.doesNotMatch(await box.journal("-b", "-u", "metald", "-o", "cat"), /orphaned|recovery/);
      };
      await withMetald("host", boots, { max_concurrent_recoveries: 2 });
    },
  );

  it("runs a VM as its user with all groups, in a unit as its record says, on a device that a hook made", async () => {
    await withMetald("host", async (box) => {
      await box.shell(
        "groupadd --system disks; groupadd --system taps; useradd --system --no-create-home --groups disks,taps vms",
      );
      await writeRecord(box, "vm-123", {
        vmm: "process",
        launch: {
          argv: [
            "/bin/sh",
            "-c",
            "echo groups $(id -nG); echo owner $(cat /sys/class/net/tap0/owner); exec sleep 86400",
          ],
          user: "vms",
          properties: { MemoryMax: "64M", DeviceAllow: ["/dev/kvm rw", "/dev/net/tun rw"] },
          before_start: [["/usr/sbin/ip", "tuntap", "add", "dev", "tap0", "mode", "tap", "user", "vms"]],
          after_stop: [["/usr/sbin/ip", "link", "del", "tap0"]],
        },
      });
      await waitForLog(box, "vm started", "vm_id=vm-123");
      const unit = "metald-vm-vm-123";
      const console = await waitFor("the VM's console is in the journal", async () => {
        const text = await box.journal("-u", unit, "-o", "cat");
        return text.includes("owner ") ? text : undefined;
      });
      assert.match(console, /^groups vms .*\bdisks\b/m);
      assert.match(console, /^groups vms .*\btaps\b/m);
      assert.match(console, new RegExp(`^owner ${await box.output(["id", "-u", "vms"])}$`, "m"));
      assert.equal(await box.property(unit, "MemoryMax"), `${64 * 1024 * 1024}`);
      assert.equal(await box.property(unit, "DeviceAllow"), "/dev/net/tun rw\n/dev/kvm rw");

      const listing = await box.output(["systemd-cgls", "--no-pager", "--full"]);
      assert.match(listing, /metald-vms\.slice[\s\S]*metald-vm-vm-123\.service[\s\S]*sleep 86400/);
      const ofAgent = await box.output(["systemd-cgls", "--no-pager", "--full", "--unit", "metald.service"]);
      assert.match(ofAgent, /\d+ \/usr\/local\/bin\/metald run$/m);
      assert.doesNotMatch(ofAgent, /sleep/);

      await writeRecord(box, "vm-123", { vmm: "process", state: "stopped", launch: { argv: ["/bin/false"] } });
      await waitForLog(box, "vm stopped", "vm_id=vm-123");
    });
  });

  it("starts a VM again by how it ended, and one that is to run once not even after a reboot", LONG, async () => {
    await withMetald("host", async (box) => {
      const ends = {
        "ok-stays": ["on-failure", 0],
        "bad-returns": ["on-failure", 3],
        "bad-stays": ["never", 7],
      } as const;
      for (const [id, [restart, code]] of Object.entries(ends)) {
        const script = `echo started >>/srv/${id}; while [ ! -e /srv/end-${id} ]; do sleep 0.1; done; rm /srv/end-${id}; exit ${code}`;
        await writeRecord(box, id, { vmm: "process", restart, launch: { argv: ["/bin/sh", "-c", script] } });
      }
      const counts = async (): Promise<string> =>
        await box.shell("cd /srv; wc -l <ok-stays; wc -l <bad-returns; wc -l <bad-stays");
      for (const id of Object.keys(ends)) await waitForLog(box, "vm started", `vm_id=${id} `);
      for (const id of Object.keys(ends)) await box.shell(`: >/srv/end-${id}`);
      await waitForLog(box, "vm exited", "vm_id=ok-stays ", "exit_code=0");
      await waitForLog(box, "vm exited", "vm_id=bad-stays ", "exit_code=7");
      await waitForLog(box, "vm recovery successful", "vm_id=bad-returns ");
      assert.equal(await counts(), "1\n2\n1");
      await box.output(["systemctl", "restart", "metald"]);
      await waitForLog(box, "vm adopted", "vm_id=bad-returns ");
      await box.reboot();
      await waitForLog(box, "vm started", "vm_id=ok-stays ");
      await waitForLog(box, "vm started", "vm_id=bad-returns ");
      assert.equal(await counts(), "2\n3\n1");
    });
  });

  it("tries a VM that waits at once after a stop and a start, but not after the agent's death", LONG, async () => {
    const waits = async (box: Box): Promise<void> => {
      await dropIn(box, "[Service]\nRestartSec=100ms\n");
      await addWaitingVm(box, "vm-1");
      await box.output(["systemctl", "kill", "-s", "KILL", "metald"]);
      await waitFor("the agent is back", async () => {
        const { stdout } = await box.run(["metald", "status", "vm-1"]);
        return (await box.property("metald", "NRestarts")) === "1" && /backing_off .* in (5|1h)/.test(stdout);
      });
      assert.equal(vmProcesses(box).length, 0);
      await box.shell("systemctl stop metald; systemctl start metald");
      await waitForLog(box, "vm recovery successful", "vm_id=vm-1 ");
    };
    await withMetald("host", waits, { retry_interval: "1h", max_retry_interval: "1h" });
  });

  it("goes on with what an agent of another version left, and starts nothing twice", LONG, async () => {
    const follows = async (box: Box): Promise<void> => {
      await addWaitingVm(box, "waiting");
      await writeRecord(box, "vm-1", SLEEPING_VM);
      await writeRecord(box, "vm-2", SLEEPING_VM);
      await waitForLog(box, "vm started", "vm_id=vm-1 ");
      await waitForLog(box, "vm started", "vm_id=vm-2 ");
      const vms = vmProcesses(box);
      const newer =
        's/"version":1/"version":9,"mood":{"of":["the","day"]}/; s/"reason":"[a-z_]*"/"reason":"clock_stopped"/';
      const older = 's/,"runsWith":{[^}]*}//; s/,"failed":false//';
      for (const [written, change] of Object.entries({ newer, older })) {
        const before = await box.journal("-b", "-u", "metald", "-o", "cat");
        await box.shell(`
          systemctl stop metald
          sed -i '${change}' ${STATES}/*.json
          sed -i 's/"cleanStop":true/"cleanStop":false/; ${change}' /run/metald/host.json
          sed -i 's/"format":1/"format":9/' /run/metald/status.json
        `);
        const told = await box.run(["metald", "status"]);
        assert.equal(told.code, 4);
        assert.match(told.stderr, /must be of format 1$/m);
        await box.output(["systemctl", "start", "metald"]);
        const { stdout } = await waitFor("the agent tells how it is", async () => {
          const status = await box.run(["metald", "status"]);
          return status.stdout.includes("3 VMs, 1 backing_off, 2 healthy") && status;
        });
        assert.match(stdout, /waiting .* backing_off .* 1 +in (5|1h)/, written);
        assert.deepEqual(vmProcesses(box), vms, written);
        const since = (await box.journal("-b", "-u", "metald", "-o", "cat")).slice(before.length);
        assert.doesNotMatch(since, /starting vm|attempting|orphaned.* vm_id=vm-/, written);
      }
    };
    await withMetald("host", follows, { retry_interval: "1h", max_retry_interval: "1h" });
  });
});

/** A VM whose first attempt has failed; the next would succeed, in an hour. */
async function addWaitingVm(box: Box, id: string): Promise<void> {
  const script = "[ -e /srv/may-not-run ] && exit 1; exec sleep 86400";
  await writeRecord(box, id, { vmm: "process", launch: { argv: ["/bin/sh", "-c", script] } });
  await waitForLog(box, "vm started", `vm_id=${id} `);
  await box.shell(`: >/srv/may-not-run; systemctl kill -s KILL metald-vm-${id}`);
  await waitForLog(box, "vm recovery attempt failed", `vm_id=${id} `);
  await box.shell("rm /srv/may-not-run");
}
