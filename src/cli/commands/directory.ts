/** `accounts`, `zones`, `datasets`: who there is, and what kinds of lines. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { table } from '../output.ts';
import type { Column } from '../output.ts';

interface Account {
  readonly id: string;
  readonly name: string;
}
interface Zone {
  readonly id: string;
  readonly account: string;
  readonly name: string;
}
interface Dataset {
  readonly id: string;
  readonly scope: string;
  readonly description: string;
  readonly open: boolean;
  readonly strict: boolean;
  readonly builtIn: boolean;
}

export function addDirectory(program: Command, context: CliContext): void {
  addAccounts(program, context);
  addZones(program, context);
  addDatasets(program, context);
}

/** Adds a `list` that prints what a path answers. */
function addList<Row>(
  group: Command,
  context: CliContext,
  what: string,
  path: (options: Record<string, string>) => string,
  columns: readonly Column<Row>[],
): Command {
  return withConnection(group.command('list').description(`list ${what}`)).action(
    async (options: Record<string, string>) => {
      const rows = await clientOf(context, options).list<Row>(path(options), what);
      if (options['json']) printJson(context, rows);
      else
        context.output.out(
          rows.length === 0 ? `No ${what} yet.\n` : `${table(context.output, columns, rows)}\n`,
        );
    },
  );
}

/** Adds a `delete <id>`. */
function addDelete(
  group: Command,
  context: CliContext,
  what: string,
  path: (id: string) => string,
): void {
  withConnection(group.command('delete <id>').description(`delete ${what}`)).action(
    async (id: string, options: Record<string, string>) => {
      await clientOf(context, options).send('DELETE', path(id));
      if (options['json']) printJson(context, { id });
      else context.output.out(`Deleted ${id}.\n`);
    },
  );
}

function addAccounts(program: Command, context: CliContext): void {
  const group = program.command('accounts').description('customers');
  addList<Account>(group, context, 'accounts', () => '/v1/accounts', [
    { title: 'ID', value: (account) => account.id },
    { title: 'NAME', value: (account) => account.name },
  ]);
  withConnection(
    group
      .command('create <id>')
      .description('make an account')
      .option('--name <name>', 'name for people')
      .option('--ambient-credentials', "its jobs may use this machine's own cloud credentials"),
  )
    .addHelpText('after', '\nExample:\n  $ waybill accounts create acme --name "Acme Inc."')
    .action(async (id: string, options: Record<string, string | boolean>) => {
      const account = await clientOf(context, options).send<Account>(
        'PUT',
        `/v1/accounts/${encodeURIComponent(id)}`,
        {
          name: options['name'] ?? id,
          ...(options['ambientCredentials'] ? { ambient_credentials: true } : {}),
        },
      );
      if (options['json']) printJson(context, account);
      else context.output.out(`Account ${id} stands.\n`);
    });
  addDelete(
    group,
    context,
    'an account without zones and jobs',
    (id) => `/v1/accounts/${encodeURIComponent(id)}`,
  );
}

function addZones(program: Command, context: CliContext): void {
  const group = program.command('zones').description("customers' sites");
  addList<Zone>(
    group,
    context,
    'zones',
    (options) =>
      options['account']
        ? `/v1/accounts/${encodeURIComponent(options['account'])}/zones`
        : '/v1/zones',
    [
      { title: 'ID', value: (zone) => zone.id },
      { title: 'ACCOUNT', value: (zone) => zone.account },
      { title: 'NAME', value: (zone) => zone.name },
    ],
  ).option('--account <id>', 'only those of this account');
  withConnection(
    group
      .command('create <id>')
      .description('make a zone')
      .requiredOption('--account <id>', 'the account that it belongs to')
      .option('--name <name>', 'its host name; `?by=` finds zones by it'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ waybill zones create shop --account acme --name shop.example',
    )
    .action(async (id: string, options: Record<string, string>) => {
      const zone = await clientOf(context, options).send<Zone>(
        'PUT',
        `/v1/zones/${encodeURIComponent(id)}`,
        {
          account: options['account'],
          name: options['name'] ?? id,
        },
      );
      if (options['json']) printJson(context, zone);
      else context.output.out(`Zone ${id} stands.\n`);
    });
  addDelete(group, context, 'a zone without jobs', (id) => `/v1/zones/${encodeURIComponent(id)}`);
}

function addDatasets(program: Command, context: CliContext): void {
  const group = program.command('datasets').description('kinds of lines and their fields');
  addList<Dataset>(group, context, 'datasets', () => '/v1/datasets', [
    { title: 'ID', value: (dataset) => dataset.id },
    { title: 'SCOPE', value: (dataset) => dataset.scope },
    { title: 'FIELDS', value: (dataset) => (dataset.open ? 'any' : 'listed') },
    { title: 'STRICT', value: (dataset) => (dataset.strict ? 'yes' : 'no') },
    { title: 'FROM', value: (dataset) => (dataset.builtIn ? 'built in' : 'operator') },
    { title: 'WHAT', value: (dataset) => dataset.description },
  ]);
  withConnection(
    group
      .command('create <id>')
      .description('define a dataset')
      .requiredOption('--scope <account|zone>', 'whose lines these are')
      .option(
        '--fields <file>',
        'JSON: [{"name", "type", "description"}]; without it the dataset is open',
      )
      .option('--strict', 'check every line as whole JSON on arrival'),
  )
    .addHelpText('after', '\nExample:\n  $ waybill datasets create app_logs --scope zone')
    .action(async (id: string, options: Record<string, string | boolean>) => {
      const dataset = await clientOf(context, options).send<Dataset>(
        'PUT',
        `/v1/datasets/${encodeURIComponent(id)}`,
        {
          scope: options['scope'],
          fields: options['fields'] === undefined ? [] : readJson(String(options['fields'])),
          strict: options['strict'] === true,
        },
      );
      if (options['json']) printJson(context, dataset);
      else context.output.out(`Dataset ${id} stands.\n`);
    });
  addDelete(
    group,
    context,
    'a dataset that no job uses',
    (id) => `/v1/datasets/${encodeURIComponent(id)}`,
  );
}

/** Reads a JSON file that a flag names. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CallFailed(
      `${path} cannot be read as JSON: ${(error as Error).message}`,
      EXIT.misuse,
    );
  }
}
