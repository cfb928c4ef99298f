/**
 * `metald.service` as installed, under a real systemd: what it may do, what it survives, what its VMs notice of it.
 * @module
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { it } from "node:test";
import { withVariant } from "./box/compiled_metald.ts";
import { putDistribution } from "./box/distribution.ts";
import {
  agentPid,
  agentProcesses,
  dropIn,
  mustInstall,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { runProgram } from "./box/run_program.ts";
import { listeningSockets } from "./listening_sockets.ts";
import { describeWhere } from "./requires.ts";
import { waitFor } from "./wait.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const LONG = { timeout: 180_000 };
const EXPOSURE_MAX = 4;
const OWN_DIRECTORIES = ["/run/metald", "/run/metald-lock", "/var/lib/metald", "/var/lib/metald/state"];
const OTHER_DIRECTORIES = [
  ...["/", "/boot", "/etc", "/etc/metald", "/home", "/opt", "/root", "/srv", "/usr/bin", "/usr/local/bin"],
  ...["/dev", "/dev/shm", "/run", "/run/systemd", "/run/vms", "/tmp", "/var/lib", "/var/log", "/var/tmp"],
  ...["/sys/fs/cgroup", "/sys/kernel", "/proc/sys/kernel"],
];
const MANY_VMS = Array.from({ length: 20 }, (_, index) => `vm-${index}`);

describeWhere([NAMESPACED_HOST], "metald.service", () => {
  it("has a unit without a mistake, and an exposure of at most 4.0", async () => {
    await withMetald("host", async (box) => {
      const { code, stdout, stderr } = await box.run(["systemd-analyze", "verify", "metald.service"]);
      assert.equal(`${code}${stdout}${stderr}`, "0");
      const rating = await box.output(["systemd-analyze", "security", "metald.service"]);
      const exposure = Number(/exposure level for metald\.service: ([0-9.]+)/.exec(rating)?.[1]);
      assert.ok(exposure <= EXPOSURE_MAX, rating);
      assert.ok(README.replaceAll(/\s+/g, " ").includes(`rates its exposure ${exposure} of 10`));
      assert.equal(await box.property("metald", "Type"), "notify");
      assert.match(await box.property("metald", "StatusText"), /0 of 0 VMs/);
    });
  });

  it("can write in its own directories only, has four capabilities, and listens on nothing", async () => {
    await withMetald("host", async (box) => {
      await box.shell("mkdir /run/vms");
      await writeRecord(box, "vm-1", SLEEPING_VM);
      await runningVms(box, 1);
      const pid = agentPid(box);
      // With all the power of root in the very mounts that the agent sees, so that nothing but these is in the way.
      const attempt = 'for each; do if (: >"$each/.written") 2>/dev/null; then echo "$each"; fi; done';
      const directories = [...OTHER_DIRECTORIES, ...OWN_DIRECTORIES];
      const argv = ["nsenter", "-t", `${pid}`, "-m", "/bin/sh", "-c", attempt, "attempt", ...directories];
      const written = (await runProgram(argv)).stdout.trim().split("\n");
      assert.deepEqual(written, OWN_DIRECTORIES);

      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SYS_PTRACE
      const capabilities = (1n << 1n) | (1n << 2n) | (1n << 5n) | (1n << 19n);
      for (const set of ["CapPrm", "CapEff", "CapBnd"]) {
        const found = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
        assert.equal(BigInt(`0x${found}`), capabilities, set);
      }
      assert.match(status, /^NoNewPrivs:\s*1$/m);
      assert.match(status, /^Seccomp:\s*2$/m);
      assert.deepEqual(listeningSockets(pid), []);
    });
  });

  it("sees, adopts and stops a VM of another user that somebody else started, in spite of its limits", async () => {
    await withMetald("host", async (box) => {
      await box.shell("METALD_VM_ID=vm-1 setsid setpriv --reuid=nobody --clear-groups sleep 86400 >/dev/null 2>&1 &");
      const record = { vmm: "process", launch: { argv: ["/bin/sleep", "86400"], user: "nobody" } };
      await writeRecord(box, "vm-1", record);
      await waitForLog(box, "vm adopted", "vm_id=vm-1");
      await writeRecord(box, "vm-1", { ...record, state: "stopped" });
      await waitForLog(box, "vm stopped", "vm_id=vm-1");
      assert.equal((await box.run(["sh", "-c", "cat /proc/[0-9]*/environ | grep -z ^METALD_VM_ID="])).stdout, "");
    });
  });

  it("is restarted, killed, upgraded and removed, and 20 VMs notice none of it", LONG, async () => {
    await withMetald("host", async (box) => {
      // The default of 2 s between two starts is for hosts, not for twenty tries.
      await dropIn(box, "[Service]\nRestartSec=100ms\n");
      for (const id of MANY_VMS) await writeRecord(box, id, SLEEPING_VM);
      const vms = await runningVms(box, MANY_VMS.length);
      for (let round = 0; round < 100; round++) {
        await box.output(["systemctl", "restart", "metald"]);
        assert.deepEqual(vmProcesses(box), vms, `restart ${round}`);
      }
      for (let round = 0; round < 20; round++) {
        const [before] = agentProcesses(box);
        await box.output(["systemctl", "kill", "-s", "KILL", "metald"]);
        await waitFor("the agent is back", async () => {
          const [now] = agentProcesses(box);
          return now !== undefined && now !== before && (await box.property("metald", "ActiveState")) === "active";
        });
        assert.deepEqual(vmProcesses(box), vms, `kill ${round}`);
      }
      assert.equal(agentProcesses(box).length, 1);
      await withVariant("other_metald", async (other) => await putDistribution(box, "/opt/other", other));
      for (const version of ["/opt/other", "/opt/metald"]) {
        const [before] = agentProcesses(box);
        assert.match(await mustInstall(box, [], version), /installed again and running$/);
        assert.notEqual(agentProcesses(box)[0], before);
        assert.deepEqual(vmProcesses(box), vms, `installation of ${version}`);
      }
      await mustInstall(box, ["--uninstall"]);
      assert.deepEqual(vmProcesses(box), vms);
      assert.doesNotMatch(await box.journal("-u", "metald", "-o", "cat"), /orphaned vm detected/);
    });
  });

  it("ends without its lock, and goes on with one that was made anew", LONG, async () => {
    await withMetald("host", async (box) => {
      await dropIn(box, "[Service]\nRestartSec=100ms\n");
      await box.output(["systemctl", "restart", "metald"]);
      for (const id of ["vm-1", "vm-2"]) await writeRecord(box, id, SLEEPING_VM);
      const vms = await runningVms(box, 2);
      await waitForLog(box, "vm started", "vm_id=vm-2");
      const [before] = agentProcesses(box);
      await box.shell("rm -rf /run/metald-lock /run/metald");
      await waitFor("another agent is active", async () => {
        const [now] = agentProcesses(box);
        return now !== undefined && now !== before && (await box.property("metald", "ActiveState")) === "active";
      });
      assert.match(await box.journal("-u", "metald", "-o", "cat"), /the lock must stay in place: somebody removed it/);
      await waitForLog(box, "vm adopted", "vm_id=vm-1");
      assert.deepEqual(vmProcesses(box), vms);
      await box.output(["systemctl", "reload", "metald"]);
      await box.output(["systemctl", "kill", "-s", "KILL", "metald-vm-vm-1"]);
      await waitForLog(box, "vm recovery successful", "vm_id=vm-1");
    });
  });

  it("is started again by the watchdog when it hangs, and nothing happens to the VMs", async () => {
    await withMetald("host", async (box) => {
      await dropIn(box, "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n");
      await box.output(["systemctl", "restart", "metald"]);
      await writeRecord(box, "vm-1", SLEEPING_VM);
      const vms = await runningVms(box, 1);
      const [before] = agentProcesses(box);
      process.kill(agentPid(box), "SIGSTOP");
      await waitFor("another agent is active", async () => {
        const [now] = agentProcesses(box);
        return now !== undefined && now !== before && (await box.property("metald", "ActiveState")) === "active";
      });
      assert.match(await box.journal("-u", "metald", "-o", "cat"), /metald\.service: Watchdog timeout/);
      await waitForLog(box, "vm adopted", "vm_id=vm-1");
      assert.deepEqual(vmProcesses(box), vms);
    });
  });
});
