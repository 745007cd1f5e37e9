import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { readConfig, redactConfig } from '../../model/config.ts';
import type { ConfigSources } from '../../model/config.ts';
import { NAMED_SETTINGS } from '../../model/settings.ts';
import type { Config, Setting } from '../../model/settings.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import type { CliContext } from '../context.ts';

/** Runs the server until it is told to stop; resolves to the exit code. */
export type Serve = (config: Config) => Promise<number>;

const placeholder: Readonly<Record<Setting['kind'], string>> = {
  text: '<text>',
  whole: '<n>',
  share: '<0..1>',
  switch: '<true|false>',
  choice: '<choice>',
  list: '<a,b,…>',
};

export function addServe(
  program: Command,
  context: CliContext,
  serve: Serve,
  setExit: (code: number) => void,
): void {
  const command = program
    .command('serve')
    .description('run a server: take lines in, keep them, deliver them')
    .option('-c, --config <file>', 'settings in YAML (WAYBILL_CONFIG)')
    .option('--print-config', 'print the effective settings and end')
    .addHelpText(
      'after',
      '\nEvery setting is also a key of the file (`ingest: { port: 4510 }`) and an environment variable (`WAYBILL_INGEST_PORT`).\n' +
        '\nExamples:\n  $ waybill serve\n  $ waybill serve --data-dir /var/lib/waybill --ingest-host 0.0.0.0\n  $ waybill serve -c waybill.yaml --print-config',
    );
  for (const { flag, setting } of NAMED_SETTINGS) {
    const shown = Array.isArray(setting.default)
      ? setting.default.join(',')
      : String(setting.default);
    command.option(
      `${flag} ${placeholder[setting.kind]}`,
      `${setting.help}${shown === '' ? '' : ` [${shown}]`}`,
    );
  }
  command.action(async (options: Record<string, string | boolean | undefined>) => {
    const config = await effectiveConfig(context, options);
    if (options['printConfig']) {
      const { stringify } = await import('yaml');
      context.output.out(stringify(redactConfig(config)));
      return;
    }
    setExit(await serve(config));
  });
}

async function effectiveConfig(
  context: CliContext,
  options: Record<string, string | boolean | undefined>,
): Promise<Config> {
  const path = (options['config'] as string | undefined) ?? context.environment['WAYBILL_CONFIG'];
  const flags: Record<string, string | boolean | undefined> = {};
  for (const { flag } of NAMED_SETTINGS) {
    const name = flag.slice(2);
    flags[name] = options[name.replace(/-(.)/g, (_match, letter: string) => letter.toUpperCase())];
  }
  const sources: ConfigSources = {
    environment: context.environment,
    flags,
    ...(path === undefined ? {} : { file: await readYaml(path) }),
  };
  const config = readConfig(sources);
  if (!Array.isArray(config)) return config as Config;
  const problems = config as readonly { where: string; message: string }[];
  throw new CallFailed(
    `the settings are not right:\n${problems.map(({ where, message }) => `  ${where} ${message}`).join('\n')}`,
    EXIT.misuse,
  );
}

async function readYaml(path: string): Promise<{ path: string; document: unknown }> {
  // Most servers have no such file.
  const { parse } = await import('yaml');
  try {
    return { path, document: parse(readFileSync(path, 'utf8')) };
  } catch (error) {
    throw new CallFailed(
      `the settings file cannot be read: ${(error as Error).message}`,
      EXIT.misuse,
    );
  }
}
