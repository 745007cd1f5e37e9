import type { FieldTable } from './fields.ts';

export const workersTraceEvents: FieldTable = [
  ['CPUTimeMs', 'int', 'Processor time in milliseconds.'],
  ['DispatchNamespace', 'string', 'Namespace from which the program was dispatched.'],
  ['Entrypoint', 'string', 'Name of the entry point that ran.'],
  ['Event', 'object', 'What set the program off.'],
  [
    'EventTimestampMs',
    'int',
    'When it began, in milliseconds; `timestamp_format` leaves it as it is.',
  ],
  ['EventType', 'string', 'Kind of what set the program off.'],
  ['Exceptions', 'array[object]', 'Exceptions that were not caught.'],
  ['Logs', 'array[object]', 'What the program wrote to its console.'],
  ['Outcome', 'string', 'How the run ended.'],
  ['ScriptName', 'string', 'Name of the program.'],
  ['ScriptTags', 'array[string]', 'Tags of the program.'],
  ['ScriptVersion', 'object', 'Version of the program.'],
  ['WallTimeMs', 'int', 'Elapsed time in milliseconds.'],
];
