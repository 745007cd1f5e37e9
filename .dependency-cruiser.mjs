// The architecture, as a table. test/layers.test.ts holds src/ to it, and holds this file to a known breach.

/** What each room may import besides itself. `app` puts the rooms together, so it may import every one. */
const mayImport = {
  lib: [],
  model: ['lib'],
  log: ['lib'],
  buffer: ['lib', 'model', 'log'],
  route: ['lib', 'model'],
  ingest: ['lib', 'model', 'route'],
  peers: ['lib'],
  live: ['lib', 'model'],
  pull: ['lib', 'model'],
  ledger: ['lib', 'model'],
  watch: ['lib', 'model'],
  loss: ['lib', 'model'],
  destinations: ['lib', 'model'],
  deliver: ['lib', 'model', 'destinations'],
  control: ['lib', 'model', 'destinations', 'ledger', 'route'],
  client: ['lib', 'model'],
  forward: [
    'lib',
    'model',
    'route',
    'log',
    'buffer',
    'ingest',
    'deliver',
    'destinations',
    'ledger',
    'client',
  ],
  check: ['lib', 'model'],
  cli: ['lib', 'model', 'client'],
};

/** Of these a room may import types, and nothing that exists when the program runs. */
const mayImportTypesOf = {
  deliver: ['buffer'],
  ingest: ['buffer', 'peers'],
  ledger: ['buffer'],
  peers: ['buffer'],
  pull: ['buffer'],
  watch: ['buffer', 'deliver'],
  control: ['live', 'pull', 'watch'],
};

/** Toolboxes: their files are imported directly. Every other room is entered by its index.ts alone. */
const openRooms = ['lib', 'model'];

/** Who may import a module that reaches outside, or belongs to one vendor. */
const fenced = [
  { what: 'the file system', module: '^(node:)?fs(/promises)?$', only: ['lib/fs', 'cli', 'app'] },
  {
    what: 'SQLite',
    module: '^(node:)?sqlite$',
    only: ['lib/sqlite', 'control/store', 'ledger', 'watch', 'loss'],
  },
  { what: 'WebSockets', module: '(^|/)node_modules/ws/|^ws$', only: ['control/api'] },
  {
    what: "Amazon's SDK",
    module: '(^|/)node_modules/@(aws-sdk|smithy|aws)/|^@(aws-sdk|smithy|aws)/',
    only: ['destinations/s3'],
  },
];

const rooms = [...Object.keys(mayImport), 'app'];
const oneOf = (names) => `(${names.join('|')})`;
const closedRooms = rooms.filter((room) => !openRooms.includes(room));
const unitTest = '\\.test\\.ts$';
const forTests = '(^|/)(testing(\\.ts$|/)|conformance\\.ts$)';

const layering = Object.entries(mayImport).map(([room, others]) => {
  const typesOnly = mayImportTypesOf[room] ?? [];
  return {
    name: `${room} may import only: ${[...others, ...typesOnly.map((other) => `types of ${other}`)].join(', ') || 'nothing'}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/${oneOf([room, ...others, ...typesOnly])}/` },
  };
});

const typesOnly = Object.entries(mayImportTypesOf).map(([room, others]) => ({
  name: `${room} may import only types of: ${others.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: `^src/${oneOf(others)}/`, dependencyTypesNot: ['type-only'] },
}));

const fences = fenced.map(({ what, module, only }) => ({
  name: `${what}: only in ${only.map((folder) => `src/${folder}`).join(', ')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: [`^src/${oneOf(only)}(/|\\.ts$)`, unitTest] },
  to: { path: module },
}));

export default {
  forbidden: [
    ...layering,
    ...typesOnly,
    ...fences,
    {
      name: 'main.ts may import only: app, cli',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(app|cli)/' },
    },
    {
      name: 'every folder of src/ is a room of the table',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${oneOf(rooms)}/|main\\.ts$)` },
      to: {},
    },
    {
      name: 'a room is entered by its index.ts',
      comment: 'Types count too. lib and model are toolboxes, entered file by file.',
      severity: 'error',
      from: { path: '^src/([^/]+)' },
      to: {
        path: `^src/${oneOf(closedRooms)}/`,
        pathNot: ['^src/[^/]+/index\\.ts$', '^src/$1/'],
      },
    },
    {
      name: 'one destination never imports another',
      severity: 'error',
      from: { path: '^src/destinations/([^/]+)/' },
      to: { path: '^src/destinations/[^/]+/', pathNot: '^src/destinations/$1/' },
    },
    {
      name: 'a destination is entered by its index.ts',
      severity: 'error',
      from: { path: '^src/destinations/[^/]+\\.ts$' },
      to: {
        path: '^src/destinations/[^/]+/',
        pathNot: '^src/destinations/[^/]+/index\\.ts$',
      },
    },
    {
      name: 'src/ imports nothing that is only for trying it out',
      severity: 'error',
      from: { path: '^src/', pathNot: [unitTest, forTests] },
      to: { path: ['^(test|bench|demo|scripts|drills)/', unitTest, forTests] },
    },
    {
      name: 'drills share no module with src/',
      severity: 'error',
      from: { path: '^drills/' },
      to: { path: '^src/' },
    },
    {
      name: 'no cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'no orphans',
      comment: 'Nothing imports it and it imports nothing: dead, or waiting for its first use.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: ['^src/main\\.ts$', '(^|[/.-])worker\\.ts$', forTests, unitTest, '\\.d\\.ts$'],
      },
      to: {},
    },
    {
      name: 'every import resolves',
      severity: 'error',
      from: { path: '^(src|drills)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no compiler API; with the default parser no module would be found, and nothing reported.
    parser: 'swc',
    tsPreCompilationDeps: 'specify',
    doNotFollow: { path: 'node_modules' },
    // Its parser does not know `await using`, which unit tests are glad of.
    exclude: { path: unitTest },
  },
};
