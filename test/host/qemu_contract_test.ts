import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createVmm } from "../../src/adapters/vmm/vmm.ts";
import { type VmmConduct, type VmmFixture, vmmContract } from "../contract/vmm_contract.ts";
import { connectOnceServed, monitorCommand, openConsole, qemuGuest } from "./qemu_guest.ts";
import { describeWhere, GCC, QEMU } from "./requires.ts";
import { waitFor } from "./wait.ts";

describeWhere([QEMU, GCC], "real QEMU guests", () => {
  vmmContract({
    name: "a QEMU stopped by SIGSTOP when it hangs",
    open: () => open(async (pid) => void process.kill(pid, "SIGSTOP")),
    cannot: ["not_started", "busy", "drips", "closes", "garbage", "error", "floods"],
  });

  vmmContract({
    name: "a QEMU whose monitor another client holds when it hangs",
    open: () => open(async (_pid, socketPath) => connectOnceServed(socketPath)),
    cannot: [
      "running",
      "not_started",
      "paused",
      "shut_down",
      "busy",
      "drips",
      "closes",
      "garbage",
      "error",
      "floods",
      "killed",
      "removed",
    ],
  });
});

/** @param hang makes QEMU mute; what it returns is closed to end that */
async function open(
  hang: (pid: number, socketPath: string) => Promise<{ destroy(): void } | undefined>,
): Promise<VmmFixture> {
  const directory = mkdtempSync(join(tmpdir(), "qemu-"));
  const guest = await qemuGuest(directory, "contract", { extra: ["-no-shutdown"] });
  const [program, ...args] = guest.argv;
  const qemu = spawn(program, args, { stdio: "ignore" });
  const exited = once(qemu, "exit");
  const { pid } = qemu;
  if (pid === undefined) throw new Error("Cannot start QEMU as it has no pid");
  const guestConsole = await openConsole(guest).catch(async (error: unknown) => {
    qemu.kill("SIGKILL");
    await exited;
    rmSync(directory, { recursive: true, force: true });
    throw error;
  });
  guestConsole.send("i");
  await guestConsole.hears("IGNORING");
  let held: { destroy(): void } | undefined;
  let shutdowns = 0;

  const behave = async (conduct: VmmConduct): Promise<void> => {
    switch (conduct.kind) {
      case "says":
        held?.destroy();
        process.kill(pid, "SIGCONT");
        if (conduct.guest === "paused") await monitorCommand(guest, "stop");
        if (conduct.guest === "shut_down") {
          guestConsole.send("o");
          await guestConsole.hears("POWER OFF");
        }
        return;
      case "hangs":
        held = await hang(pid, guest.socketPath);
        return;
      case "killed":
      case "removed":
        qemu.kill("SIGKILL");
        await exited;
        if (conduct.kind === "removed") rmSync(guest.socketPath);
        return;
      default:
        throw new Error(`Cannot make a real QEMU do so: current value is ${conduct.kind}`);
    }
  };
  const vmm = createVmm();

  return {
    vmm: {
      ...vmm,
      shutdown: (target, timeoutMs) => {
        shutdowns++;
        return vmm.shutdown(target, timeoutMs);
      },
    },
    target: { id: guest.id, vmm: "qemu", socket: guest.socketPath },
    behave,
    settle: (promise) => promise,
    // The guest sees its button at its next tick.
    wasAskedToShutDown: () =>
      shutdowns === 0
        ? Promise.resolve(false)
        : waitFor("the guest sees its power button pressed", () => guestConsole.text().includes("POWER BUTTON")),
    end: async () => {
      held?.destroy();
      guestConsole.close();
      qemu.kill("SIGKILL");
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
