import type { FieldTable } from './fields.ts';

export const dnsLogs: FieldTable = [
  ['ColoCode', 'string', 'Airport code of the data centre that answered.'],
  ['EDNSSubnet', 'string', 'Client subnet that the resolver passed on.'],
  ['EDNSSubnetLength', 'int', 'Prefix length of that subnet.'],
  ['QueryName', 'string', 'Name that was asked for.'],
  ['QueryType', 'int', 'Number of the record type that was asked for.'],
  ['ResponseCached', 'bool', 'Whether the answer came from the cache.'],
  ['ResponseCode', 'int', 'DNS response code.'],
  ['SourceIP', 'string', 'Address of the resolver that asked.'],
  ['Timestamp', 'timestamp', 'When the question was answered.'],
];
