import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { isAlive } from "../processes.ts";
import { describeWhere } from "../requires.ts";
import { waitFor } from "../wait.ts";
import { ROOT_MADE } from "./bare_root.ts";
import { withBox } from "./box.ts";
import { MMDEBSTRAP, NAMESPACED_HOST } from "./permitted.ts";

const HOLDING_PROGRAM = fileURLToPath(new URL("box_holder.ts", import.meta.url));

describeWhere([NAMESPACED_HOST], "a throw-away host", () => {
  it("has systemd as PID 1, a journal, and what one reboot leaves: the disk, another boot id", async () => {
    await withBox("host", async (box) => {
      assert.equal(await box.output(["cat", "/proc/1/comm"]), "systemd");
      await box.write("/root/kept", "on the disk");
      await box.shell("echo gone >/run/gone; systemd-run --quiet --unit=said echo 'said before the reboot'");
      await waitFor("the journal has it", async () => (await box.journal("-u", "said")).includes("said before"));
      const bootId = await box.output(["cat", "/proc/sys/kernel/random/boot_id"]);
      await box.reboot();
      assert.equal(await box.output(["cat", "/root/kept"]), "on the disk");
      assert.equal((await box.run(["test", "-e", "/run/gone"])).code, 1);
      assert.notEqual(await box.output(["cat", "/proc/sys/kernel/random/boot_id"]), bootId);
      assert.match(await box.journal("-b", "-1"), /said before the reboot/);
      assert.doesNotMatch(await box.journal("-b"), /said before the reboot/);
    });
  });

  it("can lose its power, and keeps its disk", async () => {
    await withBox("host", async (box) => {
      await box.write("/root/kept", "on the disk");
      await box.cutPower();
      await box.start();
      assert.equal(await box.output(["cat", "/root/kept"]), "on the disk");
    });
  });

  it("passes input, output and exit code of what is run in it, and ends what takes too long", async () => {
    await withBox("host", async (box) => {
      const echoed = await box.run(["sh", "-c", "cat; echo two >&2; exit 3"], { input: "one" });
      assert.deepEqual(echoed, { code: 3, stdout: "one", stderr: "two\n" });
      assert.equal((await box.run(["sleep", "86400"], { timeoutMs: 100 })).code, 124);
    });
  });

  it("takes a directory with its modes, and a file that appears whole", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-box-"));
    try {
      writeFileSync(join(directory, "program"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
      await withBox("host", async (box) => {
        await box.put(directory, "/opt/given");
        assert.equal(await box.output(["/opt/given/program"]), "ran");
        await box.write("/opt/given/more/secret", "text", "600");
        assert.equal(await box.output(["stat", "-c", "%a %s", "/opt/given/more/secret"]), "600 4");
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("cannot reach the machine: no network, no sysctl, no file of the machine changes", async () => {
    const name = `/metald-box-${process.pid}`;
    await withBox("host", async (box) => {
      assert.equal(await box.shell("cd /sys/class/net && echo *"), "lo");
      assert.notEqual((await box.run(["sh", "-c", "echo 1 >/proc/sys/kernel/sysrq"])).code, 0);
      await box.write(name, "");
      assert.ok(!existsSync(name));
    });
  });

  it("leaves nothing behind, not even what ignores every signal that it may ignore", async () => {
    let cgroup = "";
    let initPid = 0;
    await withBox("host", async (box) => {
      ({ cgroup, initPid } = box);
      await box.shell("setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' >/dev/null 2>&1 &");
    });
    assertGone(cgroup, initPid);
  });

  it("ends with a test that is killed", async () => {
    const { program, cgroup, initPid, holderPid } = await holdHost();
    program.kill("SIGKILL");
    await waitFor("the holder has done its work", () => !isAlive(holderPid));
    assertGone(cgroup, initPid);
  });

  it("is cleared away by the next one where its holder was killed too", async () => {
    const { program, cgroup, initPid, holderPid } = await holdHost();
    process.kill(holderPid, "SIGKILL");
    program.kill("SIGKILL");
    await waitFor("the holder has gone", () => !isAlive(holderPid));
    assert.ok(existsSync(cgroup));
    await withBox("host", async () => undefined);
    assertGone(cgroup, initPid);
  });
});

describeWhere([NAMESPACED_HOST, MMDEBSTRAP], "a throw-away host with a bare root", () => {
  it(
    "boots, and has neither a message bus nor a tool that its administrator would have to install",
    ROOT_MADE,
    async () => {
      await withBox("bare", async (box) => {
        for (const program of ["dbus-daemon", "ps", "ip", "curl", "openssl", "python3", "node", "qemu-system-x86_64"]) {
          assert.equal((await box.run(["sh", "-c", `command -v ${program}`])).code, 127, program);
        }
        await box.shell("systemd-run --quiet --unit=said echo 'in the journal'");
        await waitFor("the journal has it", async () => (await box.journal("-u", "said")).includes("in the journal"));
      });
    },
  );
});

interface HeldHost {
  readonly program: ChildProcess;
  readonly cgroup: string;
  readonly initPid: number;
  readonly holderPid: number;
}

async function holdHost(): Promise<HeldHost> {
  const run = "Deno" in globalThis ? ["run", "-A"] : [];
  const program = spawn(process.execPath, [...run, HOLDING_PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const line = await waitFor("the program has a host", () => /^\{.*\}$/m.exec(said)?.[0]);
  return { program, ...JSON.parse(line) };
}

function assertGone(cgroup: string, initPid: number): void {
  assert.ok(initPid > 0 && !isAlive(initPid));
  assert.ok(!existsSync(cgroup));
  const name = cgroup.replace(/.*metald-test-host-/, "");
  assert.ok(!readdirSync("/run/metald-test-hosts").includes(name));
  assert.ok(!readFileSync("/proc/self/mounts", "utf8").includes(name));
}
