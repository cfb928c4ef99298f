/**
 * `metald help`.
 * @module
 */

import { DEFAULT_CONFIGURATION_PATH } from "../config/load.ts";

export const HELP = `metald keeps the virtual machines of one host alive.

Usage:
  metald run [--config FILE]            watch and recover the VMs, in the foreground
  metald status [VM] [--json]           show what the agent knows of the VMs
  metald config check [--config FILE]   name every error of the configuration
  metald config show [--config FILE] [--secrets]
                                        print the configuration in force; secrets of telemetry.otlp only when asked
  metald assets unit|config             print the service's unit, or a configuration file with every default
  metald assets alerts|dashboard        print alert rules for Prometheus, or a dashboard for Grafana
  metald version
  metald help

The configuration is FILE, or METALD_CONFIG, or ${DEFAULT_CONFIGURATION_PATH}.

Signals while it runs:
  SIGTERM, SIGINT   stop within 5 s; the VMs run on
  SIGHUP            read the configuration again
  SIGUSR2           log the state of every VM, believe the registry as it is, and sweep now

Exit codes:
  0 stopped, 64 wrong use, 70 a bug, 73 no lock to be had, 75 another agent has the registry, 78 wrong configuration
  of status: 0 all well, 1 a VM is not as it is wanted or the agent may hang, 3 the agent does not run,
  4 no such VM or no telling
`;
