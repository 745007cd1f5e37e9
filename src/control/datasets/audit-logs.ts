import type { FieldTable } from './fields.ts';

export const auditLogs: FieldTable = [
  ['ActionResult', 'bool', 'Whether the action succeeded.'],
  ['ActionType', 'string', 'Kind of action.'],
  ['ActorEmail', 'string', 'Mail address of who acted.'],
  ['ActorID', 'string', 'Id of who acted.'],
  ['ActorIP', 'string', 'Address from which was acted.'],
  ['ActorType', 'string', 'Kind of who acted: a person, a program, the system.'],
  ['ID', 'string', 'Id of this entry.'],
  ['Interface', 'string', 'Way by which was acted, such as API or dashboard.'],
  ['Metadata', 'object', 'More about the action.'],
  ['NewValue', 'object', 'Value after the action.'],
  ['OldValue', 'object', 'Value before the action.'],
  ['OwnerID', 'string', 'Id of the owner of what was acted on.'],
  ['ResourceID', 'string', 'Id of what was acted on.'],
  ['ResourceType', 'string', 'Kind of what was acted on.'],
  ['When', 'timestamp', 'When it happened.'],
];
