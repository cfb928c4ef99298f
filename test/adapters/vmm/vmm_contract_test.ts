import { vmmContract } from "../../contract/vmm_contract.ts";
import { openFakeVmm } from "./fake_vmm_fixture.ts";

vmmContract({
  name: "Firecracker's API, by a fake VMM",
  open: () => openFakeVmm("firecracker"),
  cannot: ["shut_down"],
});

vmmContract({ name: "Cloud Hypervisor's API, by a fake VMM", open: () => openFakeVmm("cloud-hypervisor") });
