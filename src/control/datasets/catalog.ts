/**
 * The datasets that every server knows: Logpush's, by name, scope and (for the common ones) fields. An operator's own
 * definition of the same name and scope stands in front of these.
 */
import type { DatasetRecord } from '../store/records.ts';
import { datasetKey } from '../store/records.ts';
import { auditLogs } from './audit-logs.ts';
import { dnsLogs } from './dns-logs.ts';
import type { FieldTable } from './fields.ts';
import { firewallEvents } from './firewall-events.ts';
import { httpRequests } from './http-requests.ts';
import { workersTraceEvents } from './workers-trace-events.ts';

type ScopeKind = 'account' | 'zone';

/** Datasets whose fields are not listed are open: any field is taken as it comes. */
const OPEN: FieldTable = [];

const BUILT_IN: readonly (readonly [
  id: string,
  scope: ScopeKind,
  description: string,
  fields: FieldTable,
])[] = [
  ['http_requests', 'zone', 'Requests that visitors made to a site.', httpRequests],
  ['firewall_events', 'zone', 'Requests that a security rule acted on.', firewallEvents],
  [
    'firewall_events',
    'account',
    'Requests that a security rule acted on, of all zones.',
    firewallEvents,
  ],
  ['dns_logs', 'zone', 'Questions that the authoritative name servers answered.', dnsLogs],
  ['nel_reports', 'zone', 'Network errors that browsers reported.', OPEN],
  ['spectrum_events', 'zone', 'Connections through the TCP and UDP proxy.', OPEN],
  ['page_shield_events', 'zone', "Reports about scripts on a site's pages.", OPEN],
  ['zaraz_events', 'zone', 'Events of third-party tools that the edge runs.', OPEN],
  ['account_abuse_protection_events', 'zone', 'Sign-ups and log-ins judged for abuse.', OPEN],
  ['websocket_analytics', 'zone', 'WebSocket connections of a site.', OPEN],
  ['websocket_analytics', 'account', 'WebSocket connections of all zones.', OPEN],
  ['access_requests', 'account', 'Requests to sign in to protected applications.', OPEN],
  ['audit_logs', 'account', 'Changes that people and programs made to the account.', auditLogs],
  ['audit_logs_v2', 'account', 'Changes to the account, in the newer form.', OPEN],
  ['biso_user_actions', 'account', 'What people did in an isolated browser.', OPEN],
  ['casb_findings', 'account', 'Findings in connected cloud applications.', OPEN],
  ['device_posture_results', 'account', 'Checks of the state of devices.', OPEN],
  ['dex_application_tests', 'account', 'Synthetic tests of applications from devices.', OPEN],
  ['dex_device_state_events', 'account', 'Changes of the state of devices.', OPEN],
  ['dlp_forensic_copies', 'account', 'Copies of requests that a data loss rule matched.', OPEN],
  ['dns_firewall_logs', 'account', 'Questions that the DNS firewall answered.', OPEN],
  ['email_security_alerts', 'account', 'Mails that were judged dangerous.', OPEN],
  ['email_security_post_delivery_events', 'account', 'Mails that were moved after delivery.', OPEN],
  ['gateway_dns', 'account', 'DNS questions of the gateway.', OPEN],
  ['gateway_http', 'account', 'HTTP requests through the gateway.', OPEN],
  ['gateway_network', 'account', 'Connections through the gateway.', OPEN],
  ['ipsec_logs', 'account', 'Messages of IPsec tunnels.', OPEN],
  ['magic_bgp_logs', 'account', 'BGP sessions and routes.', OPEN],
  ['magic_ids_detections', 'account', 'Intrusions that were detected in packets.', OPEN],
  ['mcp_portal_logs', 'account', 'Calls of tools through the portal for agents.', OPEN],
  ['mnm_flow_logs', 'account', 'Network flows as routers reported them.', OPEN],
  ['network_analytics_logs', 'account', 'Packets sampled at the network edge.', OPEN],
  ['sinkhole_http_logs', 'account', 'HTTP requests that reached a sinkhole.', OPEN],
  ['ssh_logs', 'account', 'Commands in proxied SSH sessions.', OPEN],
  ['turnstile_events', 'account', 'Challenges shown and solved.', OPEN],
  ['warp_config_changes', 'account', "Changes of the device client's settings.", OPEN],
  ['warp_toggle_changes', 'account', 'The device client switched on or off.', OPEN],
  [
    'workers_trace_events',
    'account',
    'Runs of programs at the edge, with what they logged.',
    workersTraceEvents,
  ],
  ['zero_trust_network_sessions', 'account', 'Network sessions through the gateway.', OPEN],
];

/** Built-in datasets by store id. */
export const BUILT_IN_DATASETS: ReadonlyMap<string, DatasetRecord> = new Map(
  BUILT_IN.map(([id, scope, description, fields]) => [
    datasetKey(scope, id),
    {
      id,
      scope,
      description,
      strict: false,
      fields: fields.map(([name, type, text]) => ({ name, type, description: text })),
    },
  ]),
);

/** The dataset in force: the operator's own, else the built-in one. */
export function datasetOf(
  defined: ReadonlyMap<string, DatasetRecord>,
  scope: ScopeKind,
  id: string,
): DatasetRecord | undefined {
  const key = datasetKey(scope, id);
  return defined.get(key) ?? BUILT_IN_DATASETS.get(key);
}

/** What Logpush gives of a dataset's fields when none are named, as far as it is known. */
const DEFAULT_FIELDS: Readonly<Record<string, readonly string[]>> = {
  http_requests: [
    'ClientIP',
    'ClientRequestHost',
    'ClientRequestMethod',
    'ClientRequestURI',
    'EdgeEndTimestamp',
    'EdgeResponseBytes',
    'EdgeResponseStatus',
    'EdgeStartTimestamp',
    'RayID',
  ],
};

/** A dataset's default fields: those known, else all. */
export function defaultFields({ id, fields }: DatasetRecord): DatasetRecord['fields'] {
  const names = DEFAULT_FIELDS[id];
  return names === undefined ? fields : fields.filter(({ name }) => names.includes(name));
}

/** All datasets in force, sorted by scope and name. */
export function allDatasets(defined: ReadonlyMap<string, DatasetRecord>): readonly DatasetRecord[] {
  const all = new Map([...BUILT_IN_DATASETS, ...defined]);
  return [...all.keys()].sort().map((key) => all.get(key)!);
}
