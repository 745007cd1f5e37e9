/** A change of a dataset never breaks a job, nor gives its words another meaning, without saying so. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, withScopes } from '../../../test/support/control.ts';
import type { Answered, TestControl } from '../../../test/support/control.ts';
import { allDatasets } from './catalog.ts';

let server: TestControl;
before(async () => {
  server = await startControl();
  await withScopes(server);
});
after(() => server.close());

const FIELDS = [
  { name: 'at', type: 'timestamp' },
  { name: 'code', type: 'int' },
  { name: 'text', type: 'string' },
];

const put = (id: string, fields: readonly object[]): Promise<Answered> =>
  server.call('PUT', `/v1/datasets/${id}`, { body: { scope: 'zone', fields } });

async function job(dataset: string, body: object): Promise<number> {
  const made = await server.call('POST', '/client/v4/zones/z1/logpush/jobs', {
    body: { destination_conf: S3, dataset, ...body },
  });
  assert.equal(made.status, 201, made.text);
  return Number(made.body.result.id);
}

function refused(answer: Answered, pattern: RegExp): void {
  assert.equal(answer.status, 409, answer.text);
  assert.match(answer.body.error.message, pattern);
}

const without = (name: string) => FIELDS.filter((field) => field.name !== name);
const retyped = (name: string, type: string) =>
  FIELDS.map((field) => (field.name === name ? { name, type } : field));

test('a field that jobs use cannot be taken away, and the refusal names every such job', async () => {
  await put('used', FIELDS);
  const filter = '{"where":{"key":"code","operator":"geq","value":500}}';
  const jobs = [
    await job('used', { filter }),
    await job('used', { output_options: { field_names: ['code'] } }),
    await job('used', { logpull_options: 'fields=code', enabled: true }),
  ];
  await job('used', { output_options: { field_names: ['at'] } });
  refused(await put('used', without('code')), new RegExp(`Jobs ${jobs.join(', ')} could not`));
  assert.equal((await put('used', without('text'))).status, 200);
});

test('a field’s type cannot change under a filter that would compare in another way', async () => {
  await put('compared', FIELDS);
  const id = await job('compared', {
    filter: '{"where":{"key":"code","operator":"eq","value":5}}',
  });
  refused(await put('compared', retyped('code', 'string')), new RegExp(`Job ${id} `));
  assert.equal((await put('compared', retyped('text', 'int'))).status, 200);
});

test('what counts as a time cannot change under a job that says how times are written', async () => {
  await put('timed', FIELDS);
  const id = await job('timed', { output_options: { timestamp_format: 'rfc3339' } });
  refused(await put('timed', retyped('at', 'int')), new RegExp(`Job ${id} .*at would no longer`));
  refused(await put('timed', retyped('code', 'timestamp')), /code would become a time/);
  await server.call('PUT', `/client/v4/zones/z1/logpush/jobs/${id}`, {
    body: { output_options: { field_names: ['text'], timestamp_format: 'rfc3339' } },
  });
  assert.equal((await put('timed', retyped('at', 'int'))).status, 200);
});

test('a built-in dataset that was redefined comes back only when its jobs can go on with it', async () => {
  await put('dns_logs', [...FIELDS, { name: 'QueryName', type: 'string' }]);
  const id = await job('dns_logs', { output_options: { field_names: ['code'] } });
  const remove = () => server.call('DELETE', '/v1/datasets/dns_logs?scope=zone');
  refused(await remove(), new RegExp(`Job ${id} `));
  await server.call('DELETE', `/client/v4/zones/z1/logpush/jobs/${id}`);
  assert.equal((await remove()).status, 200);
});

/** Every dataset of Logpush by the scopes that it has. */
const ZONE =
  'http_requests firewall_events dns_logs nel_reports spectrum_events page_shield_events zaraz_events account_abuse_protection_events websocket_analytics';
const ACCOUNT =
  'access_requests audit_logs audit_logs_v2 biso_user_actions casb_findings device_posture_results dex_application_tests dex_device_state_events dlp_forensic_copies dns_firewall_logs email_security_alerts email_security_post_delivery_events firewall_events gateway_dns gateway_http gateway_network ipsec_logs magic_bgp_logs magic_ids_detections mcp_portal_logs mnm_flow_logs network_analytics_logs sinkhole_http_logs ssh_logs turnstile_events warp_config_changes warp_toggle_changes websocket_analytics workers_trace_events zero_trust_network_sessions';

test('Logpush’s catalogue is there, each dataset once for its scope, each field once', () => {
  const all = allDatasets(new Map());
  const names = (scope: string) => all.filter((one) => one.scope === scope).map(({ id }) => id);
  assert.deepEqual(names('zone').toSorted(), ZONE.split(' ').toSorted());
  assert.deepEqual(names('account').toSorted(), ACCOUNT.split(' ').toSorted());
  for (const { id, description, fields } of all) {
    assert.ok(description.length > 10, id);
    const listed = fields.map(({ name }) => name);
    assert.equal(new Set(listed).size, listed.length, id);
    for (const field of fields) assert.ok(field.description.length > 5, `${id}.${field.name}`);
  }
});

test('default fields are those of Logpull where they are known, all others elsewhere', async () => {
  const path = '/client/v4/zones/z1/logpush/datasets';
  const defaults = await server.call('GET', `${path}/http_requests/fields/default`);
  assert.equal(
    Object.keys(defaults.body.result).toSorted().join(),
    'ClientIP,ClientRequestHost,ClientRequestMethod,ClientRequestURI,EdgeEndTimestamp,EdgeResponseBytes,EdgeResponseStatus,EdgeStartTimestamp,RayID',
  );
  const all = await server.call('GET', `${path}/dns_logs/fields`);
  const same = await server.call('GET', `${path}/dns_logs/fields/default`);
  assert.deepEqual(same.body, all.body);
  const open = await server.call('GET', `${path}/nel_reports/fields`);
  assert.deepEqual(open.body.result, {});
});
