/**
 * VMs in units of systemd, on a throw-away host: the contracts of launcher and hooks, and what stopping and rebooting
 * do.
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Box, withBox } from "./box/box.ts";
import { qemuGuest } from "./qemu_guest.ts";
import { describeWhere, GCC, QEMU, type Requirement } from "./requires.ts";
import { waitFor } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = join(ROOT, "src/main.ts");
const SUITES = ["systemd_launcher_test.ts", "systemd_hooks_test.ts"].map((name) => `test/adapters/launcher/${name}`);

const LONG = { timeout: 180_000 };

const BOX: Requirement = {
  what: "root, for a throw-away host",
  met: () => process.getuid?.() === 0,
};

/** How this very runtime runs a script. */
const RUNTIME = "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath];
const TESTER = "Deno" in globalThis ? [process.execPath, "test", "-A", "--no-check"] : [process.execPath, "test"];

describeWhere([BOX], "adapters of systemd", () => {
  it("launcher and hooks keep their contracts on a host with systemd, and need no message bus", LONG, async () => {
    await withBox("host", async (box) => {
      await box.shell("systemctl stop dbus.socket dbus.service");
      const script = `cd ${ROOT} && exec "$@"`;
      const suite = await box.run(["/bin/sh", "-euc", script, "suite", ...TESTER, ...SUITES]);
      assert.equal(suite.code, 0, suite.stdout + suite.stderr);
      let left = "";
      await waitFor(
        "no unit left",
        async () => {
          // A unit that has ended is unloaded a moment later.
          left = await box.shell("systemctl list-units --all --plain --no-legend 'metald-*' | grep -v slice || true");
          return left === "";
        },
        () => left,
      );
    });
  });
});

/** Installs the agent from the sources, as a service, with the unit it ships. */
async function install(box: Box): Promise<void> {
  const program = [...RUNTIME, MAIN].map((word) => `'${word}'`).join(" ");
  await box.write("/usr/local/bin/metald", `#!/bin/sh\nexec ${program} "$@"\n`, "755");
  await box.shell(`
    metald assets unit >/etc/systemd/system/metald.service
    install -d -m 755 /etc/metald
    install -d -m 700 /var/lib/metald /var/lib/metald/vms /srv/vms
    systemctl daemon-reload
    systemctl enable --now metald.service
  `);
}

/** @param launch what its launch says beside the command line */
async function addGuest(box: Box, id: string, launch: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const { argv, socketPath, consolePath, monitorPath } = await qemuGuest("/srv/vms", id);
  const record = {
    ...{ id, state: "running", vmm: "qemu", socket: socketPath },
    launch: { argv, cleanup: [consolePath, monitorPath], ...launch },
    recovery: { shutdown_timeout: "20s" },
  };
  await box.write(`/var/lib/metald/vms/${id}.json`, JSON.stringify(record), "600");
}

async function allHealthy(box: Box, count: number): Promise<void> {
  let text = "";
  await waitFor(
    `${count} healthy VMs`,
    async () => {
      text = (await box.run(["metald", "status"])).stdout;
      return new RegExp(`: ${count} VMs?, ${count} healthy`).test(text);
    },
    () => text,
  );
}

/** Stops a VM's unit while no agent looks, and resolves with what its journal says from then on. */
async function stopUnit(box: Box, id: string): Promise<string> {
  const unit = `metald-vm-${id}.service`;
  await box.shell(`systemctl stop metald.service; systemctl stop ${unit}`);
  return await box.journal("-b", "-u", unit, "-o", "cat");
}

/** Leaves a file with the number of the user whose programs it is loaded into. */
const PRELOADED = `
  #include <fcntl.h>
  #include <stdio.h>
  #include <unistd.h>
  __attribute__((constructor)) static void loaded(void) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/preloaded-%d", (int)geteuid());
    close(open(path, O_CREAT | O_WRONLY, 0644));
  }
`;

const GUESTS = ["vm-a", "vm-b"];

describeWhere([BOX, QEMU, GCC], "guests of a host with systemd", () => {
  it(
    "are shut down by their own units after the agent when the host reboots, and come back without an alarm",
    LONG,
    async () => {
      await withBox("host", async (box) => {
        await install(box);
        // An agent that ends at once would be the first to end whatever the order.
        await box.write("/etc/systemd/system/metald.service.d/slow.conf", "[Service]\nExecStop=/bin/sleep 2\n");
        await box.shell("systemctl daemon-reload");
        for (const id of GUESTS) await addGuest(box, id);
        await allHealthy(box, GUESTS.length);
        assert.equal(await box.shell("cat /sys/fs/cgroup/system.slice/metald.service/cgroup.procs | wc -l"), "1");

        await box.reboot();
        const lines = (await box.journal("-b", "-1", "-o", "cat")).split("\n");
        const agentStopped = lines.findIndex((line) => line.startsWith("Stopped metald.service"));
        assert.ok(agentStopped > 0, lines.slice(-60).join("\n"));
        for (const id of GUESTS) {
          const asked = lines.indexOf(`asking the guest of ${id} to shut down`);
          assert.ok(
            asked > agentStopped,
            `${id} was asked at line ${asked}, the agent stopped at line ${agentStopped}`,
          );
          const down = lines.findIndex((line) => line.startsWith(`the guest of ${id} has shut down after`));
          assert.ok(down > asked, lines.slice(agentStopped).join("\n"));
        }
        const after = lines.slice(lines.findIndex((line) => line.startsWith("Stopping metald.service")));
        assert.deepEqual(
          after.filter((line) => /starting vm|orphaned|attempting/.test(line)),
          [],
        );

        await allHealthy(box, GUESTS.length);
        const now = await box.journal("-b", "-u", "metald", "-o", "cat");
        assert.doesNotMatch(now, /orphaned/);
        for (const id of GUESTS) assert.match(now, new RegExp(`msg="vm started" .*vm_id=${id} `));
      });
    },
  );

  it("are left alone by the stop of a unit whose socket somebody else has bound", LONG, async () => {
    await withBox("host", async (box) => {
      await install(box);
      await addGuest(box, "vm-a");
      await allHealthy(box, 1);
      const { argv, socketPath } = await qemuGuest("/srv/vms", "rival");
      const rivalArgv = argv.map((word) => word.replace(`unix:${socketPath},`, "unix:/srv/vms/vm-a.qmp,"));
      await box.output(["systemd-run", "--quiet", "--unit=rival", "--service-type=exec", "--", ...rivalArgv]);
      await waitFor("the rival has bound its sockets", async () => {
        const table = await box.shell("grep -c ' /srv/vms/vm-a.qmp$' /proc/net/unix || true");
        return table === "2";
      });
      const said = await stopUnit(box, "vm-a");
      assert.match(said, /the guest of vm-a is not asked to shut down: pid \d+, which is not of its unit, has bound/);
      assert.doesNotMatch(said, /asking the guest/);
      assert.equal(await box.property("rival.service", "ActiveState"), "active");
    });
  });

  it("are shut down by a command of root's that a record's variables do not reach", LONG, async () => {
    await withBox("host", async (box) => {
      await install(box);
      await box.shell("chown nobody /srv/vms");
      await box.write("/srv/preload.c", PRELOADED);
      await box.shell("gcc -shared -fPIC -o /srv/preload.so /srv/preload.c");
      await addGuest(box, "vm-a", { user: "nobody", env: { LD_PRELOAD: "/srv/preload.so" } });
      await allHealthy(box, 1);
      assert.match(await stopUnit(box, "vm-a"), /the guest of vm-a has shut down after \d+ ms/);
      assert.equal(await box.shell("ls /tmp/preloaded-*"), "/tmp/preloaded-65534");
    });
  });
});
