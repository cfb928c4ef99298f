/**
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { propertyRule } from "../../src/config/unit_properties.ts";

const ALLOWED = [
  ...["CPUWeight", "CPUQuota", "CPUAffinity", "AllowedCPUs", "StartupCPUWeight", "NUMAPolicy", "Nice", "IOWeight"],
  ...["IOReadBandwidthMax", "MemoryMax", "MemorySwapMax", "TasksMax", "LimitNOFILE", "LimitMEMLOCK", "OOMScoreAdjust"],
  ...["OOMPolicy", "ManagedOOMSwap", "DeviceAllow", "DevicePolicy", "IPAddressDeny", "SocketBindDeny"],
  ...["AmbientCapabilities", "CapabilityBoundingSet", "NoNewPrivileges", "PrivateTmp", "PrivateDevices"],
  ...["ProtectSystem", "ProtectHome", "ReadWritePaths", "BindPaths", "RestrictAddressFamilies", "SystemCallFilter"],
  ...["NetworkNamespacePath", "SupplementaryGroups", "UMask", "LoadCredential", "SyslogIdentifier"],
];

const REFUSED = [
  ...["FailureAction", "SuccessAction", "FailureActionExitStatus", "StartLimitAction", "StartLimitBurst"],
  ...["JobTimeoutAction", "JobTimeoutSec", "JobRunningTimeoutSec", "OnFailure", "OnSuccess", "OnFailureJobMode"],
  ...["RuntimeMaxSec", "RuntimeRandomizedExtraSec", "WatchdogSec", "WatchdogSignal", "TimeoutSec", "TimeoutStartSec"],
  ...["TimeoutAbortSec", "TimeoutStopFailureMode", "RestartSec", "RestartForceExitStatus", "RestartMode"],
  ...["Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "Conflicts", "Before", "StopWhenUnneeded"],
  ...["StopPropagatedFrom", "PropagatesStopTo", "JoinsNamespaceOf", "RequiresMountsFor", "DefaultDependencies"],
  ...["ConditionPathExists", "AssertPathExists", "RefuseManualStop", "IgnoreOnIsolate", "CollectMode"],
  ...["LogNamespace", "StandardOutput", "StandardError", "StandardInput", "TTYPath"],
  ...["Slice", "Delegate", "DelegateSubgroup", "Type", "PIDFile", "BusName", "NotifyAccess", "GuessMainPID"],
  ...["RemainAfterExit", "SuccessExitStatus", "ExitType", "ExecStart", "ExecStartPre", "ExecStop", "ExecSearchPath"],
  ...["ExecCondition", "KillMode", "KillSignal", "FinalKillSignal", "SendSIGKILL", "SendSIGHUP", "DynamicUser"],
  ...["EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "PAMName", "SetLoginEnvironment"],
  ...["RootDirectory", "RootImage", "ExtensionImages", "RuntimeDirectory", "StateDirectory", "RootDirectoryStartOnly"],
  ...["FileDescriptorStoreMax", "OpenFile", "Sockets", "Nonesuch", "SourcePath"],
];

test("a record may limit, schedule and confine its VM", () => {
  for (const name of ALLOWED) assert.equal(propertyRule(name, ["x"]), undefined, name);
});

test("a record may set nothing on which the agent's promises rest, nor what is not known to be harmless", () => {
  for (const name of REFUSED) assert.match(propertyRule(name, ["x"]) ?? "", new RegExp(`^${name} is metald's own`));
});

test("what a key of the record sets is set by that key", () => {
  for (const name of ["User", "Group", "WorkingDirectory", "Environment", "TimeoutStopSec", "Restart"]) {
    assert.match(propertyRule(name, ["x"]) ?? "", new RegExp(`^${name} is set by (launch|recovery|restart)`));
  }
});

test("a VM may come after what it uses, and not after the agent or what comes after the agent", () => {
  for (const after of ["virtiofsd@vm-1.service", "srv-vms.mount ovs-vswitchd.service", "dev-vg-lv.device", ""]) {
    assert.equal(propertyRule("After", [after]), undefined, after);
  }
  for (const after of [
    "metald.service",
    "metald-vm-x.service",
    "a.service multi-user.target",
    "shutdown.target",
    "x",
  ]) {
    assert.match(propertyRule("After", [after]) ?? "", /^it must name services/, after);
  }
});

test("a refusal says what a record may set", () => {
  assert.match(propertyRule("FailureAction", ["reboot"]) ?? "", /; a record may set After, AllowedCPUs\*, .*, UMask$/);
});
