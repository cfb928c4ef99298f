/**
 * install.sh that is cut off, that meets another one, or an operator who has decided otherwise: nothing that worked is
 * lost.
 * @module
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Box } from "./box/box.ts";
import { withVariant } from "./box/compiled_metald.ts";
import { putDistribution } from "./box/distribution.ts";
import {
  agentProcesses,
  CONFIGURATION,
  dropIn,
  install,
  mustInstall,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere } from "./requires.ts";

const UNIT = "/etc/systemd/system/metald.service";
const PROGRAM = "/usr/local/bin/metald";
const EVERY_FILE = `sha256sum /usr/local/bin/*metald* ${UNIT}* /etc/metald/.[!.]* /etc/metald/* 2>/dev/null || true`;
const LONG = { timeout: 300_000 };
/** Programs by which install.sh changes something. */
const CHANGING = ["cp", "ln", "mv", "rm", "systemctl"];
/** Far more than it calls. */
const CALLS_MAX = 100;
/** To die at each of them takes minutes; these lie on both sides of every rename. */
const STRIDE = 3;

describeWhere([NAMESPACED_HOST], "install.sh", () => {
  it("loses no version that worked, wherever it is killed", LONG, async () => {
    await withVariant("crashing_metald", async (crashing) => {
      await withMetald("host", async (box) => {
        await writeRecord(box, "vm-1", SLEEPING_VM);
        const vms = await runningVms(box, 1);
        const before = await box.shell(EVERY_FILE);
        await putDistribution(box, "/opt/crashing", crashing);
        await putKillers(box);
        let call = 0;
        for (; call < CALLS_MAX; call += STRIDE) {
          if ((await installKilledAt(box, call)) !== "killed") break;
          const left = await box.shell(EVERY_FILE);
          // Where nothing was begun there is nothing to put back.
          if (left === before) continue;
          const { code, stderr } = await install(box, [], "/opt/crashing");
          assert.equal(code, 1, stderr);
          assert.match(stderr, /metald \S+ is back and running$/m, `killed at ${call}`);
          assert.equal(await box.shell(EVERY_FILE), before, `killed at ${call}`);
          assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active");
        }
        assert.ok(call > 10 && call < CALLS_MAX, `${call} calls`);
        assert.deepEqual(vmProcesses(box), vms);
      });
    });
  });

  it("finishes a first installation that was cut off", LONG, async () => {
    await withMetald("host", async (box) => {
      await putKillers(box);
      let call = 0;
      for (; call < CALLS_MAX; call += STRIDE) {
        await mustInstall(box, ["--uninstall"]);
        const outcome = await installKilledAt(box, call, "/opt/metald");
        if (outcome !== "killed") break;
        await mustInstall(box);
        assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active", `killed at ${call}`);
        assert.equal(await box.output(["systemctl", "is-enabled", "metald"]), "enabled", `killed at ${call}`);
        const left = `find ${UNIT}* ${PROGRAM}* /etc/metald -name "*.old*" -o -name "*.part" -o -name .installing`;
        assert.equal(await box.shell(left), "", `killed at ${call}`);
      }
      assert.ok(call > 10 && call < CALLS_MAX, `${call} calls`);
      // What a removal leaves that was cut off.
      await box.shell(`systemctl disable --now metald; rm ${PROGRAM}`);
      assert.match(await mustInstall(box), /is installed and running; /);
      assert.equal(await box.output(["systemctl", "is-enabled", "metald"]), "enabled");
    });
  });

  it("waits for nobody: of two, one says that the other is at work", async () => {
    await withMetald("host", async (box) => {
      const before = await box.shell(EVERY_FILE);
      const agent = agentProcesses(box);
      for (const args of [[], ["--uninstall", "--purge"]]) {
        const command = `flock /run/metald-install.lock /opt/metald/install.sh ${args.join(" ")}`;
        const { code, stdout, stderr } = await box.run(["/bin/sh", "-c", command]);
        assert.equal(`${code}${stdout}`, "1");
        assert.match(stderr, /^install\.sh: Cannot \w+ as another install\.sh must end first: .*\n$/);
      }
      assert.equal(await box.shell(EVERY_FILE), before);
      assert.deepEqual(agentProcesses(box), agent);
      assert.equal((await box.run(["setpriv", "--reuid=65534", "flock", "/run/metald-install.lock", "true"])).code, 66);
    });
  });

  it("leaves enabled or disabled, running or stopped, as the operator wants it", LONG, async () => {
    await withVariant("other_metald", async (other) => {
      await withMetald("host", async (box) => {
        await putDistribution(box, "/opt/other", other);
        const states = async () => (await box.run(["systemctl", "is-enabled", "metald"])).stdout.trim();
        await box.output(["systemctl", "disable", "metald"]);
        await mustInstall(box, [], "/opt/other");
        assert.equal(await states(), "disabled");
        assert.equal(await box.property("metald", "ActiveState"), "active");
        await box.output(["systemctl", "stop", "metald"]);
        assert.match(await mustInstall(box), /, and stopped as before; systemctl start metald starts it$/);
        assert.equal(await states(), "disabled");
        assert.equal(await box.property("metald", "ActiveState"), "inactive");
        // One that ends again and again is to run, and an upgrade may be what makes it.
        await box.shell(
          "mv /etc/metald/config.jsonc /srv; echo x >/etc/metald/config.jsonc; systemctl start metald || true",
        );
        await box.shell("mv /srv/config.jsonc /etc/metald/");
        assert.equal(await box.property("metald", "ActiveState"), "failed");
        await dropIn(box, "[Service]\nExecStartPre=/bin/sleep 6\n");
        const said = await mustInstall(box, [], "/opt/other");
        assert.match(said, /^waiting until it is ready, for 5 s of at most 2min$/m);
        assert.equal(await box.property("metald", "ActiveState"), "active");
      });
    });
  });

  it("puts back what was there when a step fails that starts nothing, and falls for nothing planted", async () => {
    await withVariant("other_metald", async (other) => {
      await withMetald("host", async (box) => {
        await putDistribution(box, "/opt/other", other);
        const before = await box.shell(EVERY_FILE);
        const agent = agentProcesses(box);
        const stub = "/usr/local/sbin/mv";
        await box.write(stub, `#!/bin/sh\n[ "$1" != ${PROGRAM}.new ] || exit 1\nexec /bin/mv "$@"\n`, "755");
        for (const args of [["--no-start"], ["--no-start", "--root", "/"]]) {
          const { code, stderr } = await install(box, args, "/opt/other");
          assert.equal(code, 1);
          assert.match(stderr, /as each step must succeed: one did not, and what was there before is back$/m);
          assert.equal(await box.shell(EVERY_FILE), before);
        }
        assert.deepEqual(agentProcesses(box), agent);
        await box.output(["rm", stub]);

        // Of the directories that the caller goes through, none is root's to trust.
        await box.write("/srv/planted/od", "#!/bin/sh\n: >/srv/planted/ran\n", "755");
        await box.output(["/bin/sh", "-c", "PATH=/srv/planted:$PATH exec /opt/other/install.sh --no-start"]);
        assert.equal(await box.output(["ls", "/srv/planted"]), "od");
        await mustInstall(box);

        const staged = [`${PROGRAM}.new`, `${UNIT}.new`, `${CONFIGURATION}.part`, `${PROGRAM}.old.part`].join(" ");
        await box.shell(`echo mine >/srv/mine; for each in ${staged}; do ln -s /srv/mine $each; done`);
        await mustInstall(box, [], "/opt/other");
        assert.equal(await box.output(["cat", "/srv/mine"]), "mine");
      });
    });
  });

  it("purges what is metald's, and leaves and names what is not", async () => {
    await withMetald("host", async (box) => {
      await box.shell("echo >/var/lib/metald/mine; mkdir -p /etc/metald/mine; echo A=b >/etc/metald/environment");
      const said = await mustInstall(box, ["--uninstall", "--purge"]);
      assert.match(said, /^left \/etc\/metald, which holds what is not metald's$/m);
      assert.match(said, /^left \/var\/lib\/metald, which holds what is not metald's$/m);
      assert.equal(
        await box.shell("cd / && find etc/metald var/lib/metald run/metald* | sort"),
        "etc/metald\netc/metald/mine\nrun/metald-install.lock\nvar/lib/metald\nvar/lib/metald/mine",
      );
    });
  });
});

/** Stands before the programs by which install.sh changes things, and kills it instead of the call number AT. */
async function putKillers(box: Box): Promise<void> {
  const killer = [
    "#!/bin/sh",
    '[ -n "$AT" ] || exec "/usr/bin/$(basename "$0")" "$@"',
    "read -r calls </opt/calls",
    'echo "$((calls + 1))" >/opt/calls',
    "read -r installer </opt/installer",
    '[ "$calls" != "$AT" ] || { kill -KILL "$installer"; exit 1; }',
    'exec "/usr/bin/$(basename "$0")" "$@"',
  ];
  for (const name of CHANGING) await box.write(`/usr/local/sbin/${name}`, `${killer.join("\n")}\n`, "755");
}

async function installKilledAt(box: Box, call: number, from = "/opt/crashing"): Promise<"killed" | "ended"> {
  const installer = `echo $$ >/opt/installer; exec ${from}/install.sh`;
  const command = `echo 0 >/opt/calls; AT=${call} sh -c '${installer}' || exit $?`;
  const { code } = await box.run(["/bin/sh", "-c", command]);
  return code === 137 ? "killed" : "ended";
}
