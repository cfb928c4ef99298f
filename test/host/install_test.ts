import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { ROOT } from "../tool/root.ts";
import { ROOT_MADE } from "./box/bare_root.ts";
import { type Box, withBox } from "./box/box.ts";
import { withVariant } from "./box/compiled_metald.ts";
import { putDistribution } from "./box/distribution.ts";
import {
  agentProcesses,
  CONFIGURATION,
  install,
  mustInstall,
  RECORDS,
  runningVms,
  SLEEPING_VM,
  vmProcesses,
  waitForLog,
  withMetald,
  writeRecord,
} from "./box/metald_box.ts";
import { MMDEBSTRAP, NAMESPACED_HOST } from "./box/permitted.ts";
import { describeWhere, type Requirement } from "./requires.ts";
import { waitFor } from "./wait.ts";

const UNIT = "/etc/systemd/system/metald.service";
const PROGRAM = "/usr/local/bin/metald";

const SHELLCHECK: Requirement = {
  what: "shellcheck (Debian: shellcheck)",
  met: () => spawnSync("shellcheck", ["--version"]).status === 0,
};

describeWhere([SHELLCHECK], "install.sh and the scripts of the tests", () => {
  it("have nothing that shellcheck would mention", () => {
    const scripts = [
      "install.sh",
      ".ci/run",
      "test/tool/toolchain.sh",
      "test/host/box/holder.sh",
      "test/host/box/boot.sh",
    ];
    const { status, stdout } = spawnSync("shellcheck", scripts, { cwd: ROOT, encoding: "utf8" });
    assert.equal(`${status}${stdout}`, "0");
  });
});

it("install.sh --help tells of every option to anybody, and what makes no sense is refused", () => {
  const script = join(ROOT, "install.sh");
  const shells = ["sh", "dash", "bash --posix", "busybox sh"].map((each) => each.split(" "));
  const helps = shells.flatMap(([shell = "", ...args]) => {
    const help = spawnSync(shell, [...args, script, "--help"], { encoding: "utf8", cwd: "/", env: {} });
    return help.error === undefined ? [`${help.status}${help.stderr}${help.stdout}`] : [];
  });
  assert.ok(helps.length > 0);
  assert.equal(new Set(helps).size, 1, helps.join("\n"));

  const run = (...args: readonly string[]) => spawnSync("sh", [script, ...args], { encoding: "utf8", cwd: "/" });
  const help = run("--help");
  assert.equal(`${help.status}${help.stderr}`, "0");
  const options = [...readFileSync(script, "utf8").matchAll(/^ {4}(--[a-z-]+)[ )|=]/gm)].map(
    ([, option = ""]) => option,
  );
  assert.ok(options.length >= 5, `${options}`);
  for (const option of options) assert.match(help.stdout, new RegExp(`^  ${option}\\b`, "m"));
  assert.equal(run("-h").stdout, help.stdout);
  for (const args of [["--frobnicate"], ["metald"], ["--purge"], ["--root"], ["--root="], ["--no-start", "--purge"]]) {
    const { status, stdout, stderr } = run(...args);
    assert.equal(`${status}${stdout}`, "64", args.join(" "));
    assert.match(stderr, /^install\.sh: Cannot .*; --help shows what there is\n$/);
  }
});

describeWhere([NAMESPACED_HOST], "install.sh on a host", () => {
  it("installs, starts and removes metald, and the VMs run on", async () => {
    await withBox("host", installStartRemove);
  });

  it("says what it does, changes nothing when it has nothing to do, and keeps an edited configuration", async () => {
    await withBox("host", async (box) => {
      await putDistribution(box, "/opt/metald");
      assert.match(await mustInstall(box), /^metald \S+ is installed and running; put a record for each VM into /);
      const agent = agentProcesses(box);
      const defaults = await box.output([PROGRAM, "assets", "config"]);
      assert.equal(await box.output(["cat", CONFIGURATION]), defaults);
      assert.match(await mustInstall(box), /^metald \S+ is installed and running$/);
      assert.deepEqual(agentProcesses(box), agent);

      const edited = defaults.replace('"enabled": true', '"enabled": false');
      await box.write(CONFIGURATION, edited, "600");
      await mustInstall(box);
      assert.equal(await box.output(["cat", CONFIGURATION]), edited.trimEnd());
      await box.write(CONFIGURATION, '{ "health_check": { "interval": "often" } }', "600");
      const refused = await install(box);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /must be valid for it: .*health_check\.interval/);
      assert.deepEqual(agentProcesses(box), agent);
    });
  });

  it("puts the old version back when the new one does not become ready, and says so with exit status 1", async () => {
    await withVariant("crashing_metald", async (crashing) => {
      await withMetald("host", async (box) => {
        await writeRecord(box, "vm-1", SLEEPING_VM);
        const vms = await runningVms(box, 1);
        const everyFile = `sha256sum /usr/local/bin/*metald* ${UNIT}* /etc/metald/*`;
        const before = await box.shell(everyFile);
        await putDistribution(box, "/opt/crashing", crashing);
        // As on a terminal that is gone: nothing can be said, and the old version runs again all the same.
        assert.notEqual((await box.run(["/bin/sh", "-c", "/opt/crashing/install.sh >/dev/full 2>&1"])).code, 0);
        assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active");
        assert.equal(await box.shell(everyFile), before);

        const { code, stderr } = await install(box, [], "/opt/crashing");
        assert.equal(code, 1, stderr);
        assert.match(stderr, /Cannot upgrade to metald 99\.0\.0 .*: metald \S+ is back and running$/m);
        assert.match(stderr, /crashes at start, as it is meant to/);
        assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active");
        assert.equal(await box.shell(everyFile), before);
        assert.deepEqual(vmProcesses(box), vms);

        await mustInstall(box, ["--uninstall", "--purge"]);
        const fresh = await install(box, [], "/opt/crashing");
        assert.equal(fresh.code, 1);
        assert.match(fresh.stderr, /it did not, and only the configuration is left of it$/m);
        assert.equal((await box.run(["ls", PROGRAM, UNIT])).stdout, "");
        assert.equal(await box.property("metald", "LoadState"), "not-found");
      });
    });
  });

  it("puts the old version back when it is interrupted half-way", async () => {
    await withVariant("other_metald", async (other) => {
      await withMetald("host", async (box) => {
        await putDistribution(box, "/opt/other", other);
        const everyFile = `sha256sum /usr/local/bin/*metald* ${UNIT}* /etc/metald/*`;
        const before = await box.shell(everyFile);
        // Interrupts its caller once: at the first move, of the unit, or at the second, of the program.
        const interruption = '[ "$2" != "$AT" ] || [ -e /opt/done ] || { : >/opt/done; kill -TERM $PPID; exit 1; }';
        await box.write("/usr/local/sbin/mv", `#!/bin/sh\n${interruption}\nexec /bin/mv "$@"\n`, "755");
        for (const path of [UNIT, PROGRAM]) {
          const command = `rm -f /opt/done; AT=${path} exec /opt/other/install.sh`;
          const { code, stderr } = await box.run(["/bin/sh", "-c", command]);
          assert.equal(code, 1, stderr);
          assert.match(stderr, /is back and running$/m);
          assert.equal(await box.shell(everyFile), before);
          assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active");
        }
      });
    });
  });

  it("installs and enables without starting, or into another file system", async () => {
    await withBox("host", async (box) => {
      await putDistribution(box, "/opt/metald");
      assert.match(
        await mustInstall(box, ["--no-start"]),
        /is installed and enabled; systemctl start metald starts it$/,
      );
      assert.equal((await box.run(["systemctl", "is-enabled", "metald"])).stdout, "enabled\n");
      assert.equal(await box.property("metald", "ActiveState"), "inactive");

      await box.shell("mkdir /srv/image");
      await mustInstall(box, ["--root", "/srv/image"]);
      assert.equal(
        await box.shell("cd /srv/image && find . ! -type d -printf '%p %l\\n' | sort"),
        [
          "./etc/metald/config.jsonc ",
          "./etc/systemd/system/metald.service ",
          `./etc/systemd/system/multi-user.target.wants/metald.service ${UNIT}`,
          "./usr/local/bin/metald ",
        ].join("\n"),
      );
      await mustInstall(box, ["--uninstall", "--purge", "--root=/srv/image"]);
      assert.equal(await box.shell("cd /srv/image && find . ! -type d"), "");
      assert.equal(await box.output(["systemctl", "is-enabled", "metald"]), "enabled");

      // Below a directory with a name that is no plain word, from one where cd would go elsewhere.
      await box.shell("mkdir -p '/srv/an image/-' '/srv/elsewhere/an image'");
      const there = (root: string) =>
        `cd '/srv/an image'; CDPATH=/srv/elsewhere OLDPWD=/ exec /opt/metald/install.sh ${root}`;
      for (const root of ["'--root=../an image/'", "--root .", "--root -"]) {
        const said = await box.shell(there(root));
        const place = root.endsWith("-") ? "/srv/an image/-" : "/srv/an image";
        assert.match(said, new RegExp(`^metald \\S+ is installed below ${place} and will start when that boots$`));
      }
      assert.equal(
        await box.shell("find /srv/elsewhere ! -type d; ls -d '/srv/an image/-/usr'"),
        "/srv/an image/-/usr",
      );

      // Seen from here, such a link leads to this very host's.
      await box.shell("mkdir -p /srv/linked/usr /srv/mine; ln -s /srv/mine /srv/linked/usr/local");
      const refused = await install(box, ["--root", "/srv/linked"]);
      assert.equal(refused.code, 1);
      const sentence =
        /^install\.sh: Cannot install as \S+\/bin must lead to a directory below \/srv\/linked: .*mine\/bin\n$/;
      assert.match(refused.stderr, sentence);
      assert.equal(await box.shell("find /srv/linked /srv/mine ! -type d"), "/srv/linked/usr/local");
      await box.shell("mkdir -p /srv/linked/var/local; ln -sfn ../var/local /srv/linked/usr/local");
      await mustInstall(box, ["--root", "/srv/linked"]);
      assert.equal(await box.shell("ls /srv/linked/var/local/bin"), "metald");

      await mustInstall(box, ["--uninstall", "--purge"]);
      await box.shell("mv /usr/local/bin /srv/programs; ln -s /srv/programs /usr/local/bin");
      await mustInstall(box);
      assert.equal(
        await box.shell("ls -d /usr/local/bin/metald* /srv/programs/metald*"),
        `${"/srv/programs/metald"}\n${PROGRAM}`,
      );
      await mustInstall(box, ["--uninstall"]);
    });
  });

  it("refuses what it must not touch, with one sentence, and touches nothing", async () => {
    await withBox("host", async (box) => {
      await putDistribution(box, "/opt/metald");
      const sentence = async (expected: RegExp, ...argv: string[]): Promise<void> => {
        const { code, stdout, stderr } = await box.run(argv);
        assert.equal(`${code}${stdout}`, "1", `${argv.join(" ")}: ${stderr}`);
        assert.match(stderr, expected);
        assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
        assert.equal((await box.run(["ls", PROGRAM])).stdout, "");
      };
      const script = "/opt/metald/install.sh";
      await sentence(
        /as install\.sh must be run as root: current user is nobody$/m,
        "setpriv",
        "--reuid=65534",
        script,
      );
      const elsewhere = `umount -l /run; exec ${script}`;
      await sentence(/as PID 1 of this host must be systemd/, "unshare", "--mount", "sh", "-c", elsewhere);
      const uname = '#!/bin/sh\nif [ "$1" = -m ]; then echo riscv64; else echo Linux; fi\n';
      await box.write("/usr/local/sbin/uname", uname, "755");
      await sentence(/architecture must be x86-64 or arm64: current value is riscv64$/m, script);
      await box.shell("rm /usr/local/sbin/uname; mv /usr/bin/sha256sum /srv");
      await sentence(/as the program sha256sum must be on this host: it is not$/m, script);
      await box.shell("mv /srv/sha256sum /usr/bin");
      await sentence(/must be a directory: current value is \/nowhere$/m, script, "--root", "/nowhere");
      // From a variable that is not set: not this very host.
      for (const argv of [["--root", ""], ["--root="]]) {
        const { code, stderr } = await box.run([script, "--uninstall", "--purge", ...argv]);
        assert.equal(code, 64);
        assert.match(stderr, /a directory must follow it/);
      }

      for (const content of ["[Service]\nExecStart=/opt/other/metald\n", ""]) {
        await box.write(UNIT, content);
        await sentence(/metald\.service must be metald's own: somebody else wrote it$/m, script);
        await sentence(/must be metald's own: somebody else wrote it$/m, script, "--uninstall", "--purge");
        assert.equal(await box.output(["cat", UNIT]), content.trimEnd());
      }
      await box.shell(`ln -sf /dev/null ${UNIT}`);
      await sentence(/must not be masked: systemctl unmask metald ends that$/m, script);
      await box.shell(`ln -sf /etc/hostname ${UNIT}`);
      await sentence(/must be a file of metald's own: it is a link to \/etc\/hostname$/m, script);
      await box.shell(`rm ${UNIT}; mkdir -p /usr/lib/systemd/system; echo >/usr/lib/systemd/system/metald.service`);
      await sentence(/usr\/lib\/systemd\/system\/metald\.service must be metald's own/, script);
      await box.shell("rm /usr/lib/systemd/system/metald.service");

      await box.shell("for each in /opt/metald/metald-linux-*; do printf x >>$each; done");
      await sentence(/as its SHA-256 must be [0-9a-f]{64}: current value is [0-9a-f]{64}$/m, script);
      await box.shell(": >/opt/metald/SHA256SUMS");
      await sentence(/SHA256SUMS must name it$/m, script);
      await box.shell("for each in /opt/metald/metald-linux-*; do echo '#!/bin/sh' >$each; done");
      await sentence(/must be an executable for \w+: current value is none$/m, script);
      await box.shell(`echo other >${PROGRAM}.sh; ln ${PROGRAM}.sh ${PROGRAM}`);
      await putDistribution(box, "/opt/metald");
      const foreignProgram = await box.run([script]);
      assert.match(foreignProgram.stderr, /it is there without metald's unit, so move it away first$/m);
      assert.equal(await box.output(["cat", PROGRAM]), "other");
    });
  });
});

describeWhere([NAMESPACED_HOST, MMDEBSTRAP], "install.sh on a host that has systemd and nothing else", () => {
  it("installs, starts and removes metald, and the VMs run on", ROOT_MADE, async () => {
    await withBox("bare", installStartRemove);
  });
});

async function installStartRemove(box: Box): Promise<void> {
  await putDistribution(box, "/opt/metald");
  await mustInstall(box);
  assert.equal(await box.output(["systemctl", "is-active", "metald"]), "active");
  assert.equal(await box.output(["systemctl", "is-enabled", "metald"]), "enabled");
  await writeRecord(box, "vm-1", SLEEPING_VM);
  const vms = await runningVms(box, 1);
  await waitForLog(box, "vm started", "vm_id=vm-1");

  const said = await mustInstall(box, ["--uninstall"]);
  assert.match(said, /^metald is removed; records and state stay in \/var\/lib\/metald/);
  assert.match(said, /run on, .*: metald-vm-vm-1\.service/);
  assert.equal((await box.run(["ls", PROGRAM, UNIT])).stdout, "");
  assert.equal(await box.property("metald", "LoadState"), "not-found");
  assert.equal(await box.shell(`ls ${RECORDS}`), "vm-1.json");
  assert.match(await mustInstall(box, ["--uninstall"]), /^metald is not installed/);

  await mustInstall(box);
  await waitFor("the VM was adopted", async () =>
    /vm adopted.* vm_id=vm-1/.test(await box.journal("-u", "metald", "-o", "cat")),
  );
  await mustInstall(box, ["--uninstall", "--purge"]);
  assert.equal((await box.run(["ls", "-d", "/etc/metald", "/var/lib/metald", "/run/metald"])).stdout, "");
  assert.deepEqual(vmProcesses(box), vms);
}
