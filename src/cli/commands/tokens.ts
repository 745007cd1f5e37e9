/** `tokens`: who may do what. A token's text is shown once, when it is made. */
import type { Command } from 'commander';
import { clientOf, parseScope, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';
import { paint, table } from '../output.ts';

interface TokenView {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly scopes: 'all' | readonly { readonly kind: string; readonly id: string }[];
  readonly permissions?: readonly string[];
}

type Options = Record<string, string | boolean | undefined>;

export function addTokens(program: Command, context: CliContext): void {
  const group = program
    .command('tokens')
    .description('who may send lines, and who may change what');
  withConnection(group.command('list').description('list tokens (never their text)')).action(
    async (options: Options) => {
      const tokens = await clientOf(context, options).list<TokenView>('/v1/tokens', 'tokens');
      if (options['json']) return printJson(context, tokens);
      context.output.out(
        `${table(
          context.output,
          [
            { title: 'ID', value: (token) => token.id },
            { title: 'KIND', value: (token) => token.kind },
            { title: 'NAME', value: (token) => token.name },
            { title: 'SCOPES', value: scopesText },
            { title: 'MAY', value: (token) => token.permissions?.join(', ') },
          ],
          tokens,
        )}\n`,
      );
    },
  );
  withConnection(
    group
      .command('create <kind>')
      .description(
        'make a token: ingest (send lines), account (logs read and write), operator (everything)',
      )
      .option(
        '--scope <scopes>',
        'account:<id> or zone:<id>, several with commas; "all" for a central receiver',
      )
      .option('--read-only', 'for an account token: Logs Read without Logs Write')
      .option('--name <name>', 'what it is for'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ waybill tokens create ingest --scope zone:shop\n  $ waybill tokens create account --scope account:acme',
    )
    .action(async (kind: string, options: Options) => {
      if (!['ingest', 'account', 'operator'].includes(kind))
        throw new CallFailed(
          `${kind} is no kind of token; there are ingest, account and operator`,
          EXIT.misuse,
        );
      const scope = options['scope'] as string | undefined;
      if (kind !== 'operator' && scope === undefined)
        throw new CallFailed('say with --scope what it is for', EXIT.misuse);
      const made = await clientOf(context, options).send<TokenView & { token: string }>(
        'POST',
        '/v1/tokens',
        {
          kind,
          name: options['name'] ?? '',
          ...(kind === 'operator'
            ? {}
            : { scopes: scope === 'all' ? 'all' : scope!.split(',').map(parseScope) }),
          ...(kind === 'account'
            ? { permissions: options['readOnly'] ? ['logs_read'] : ['logs_read', 'logs_write'] }
            : {}),
        },
      );
      if (options['json']) return printJson(context, made);
      context.output.out(`${made.token}\n`);
      context.output.note(
        `${paint(context.output, 'gray', `Token ${made.id}. It is not shown again.`)}\n`,
      );
    });
  withConnection(group.command('revoke <id>').description('take a token back, at once')).action(
    async (id: string, options: Options) => {
      await clientOf(context, options).send('DELETE', `/v1/tokens/${encodeURIComponent(id)}`);
      if (options['json']) printJson(context, { id });
      else context.output.out(`Token ${id} revoked.\n`);
    },
  );
}

function scopesText(token: TokenView): string {
  if (token.kind === 'operator' || token.scopes === 'all') return 'all';
  return token.scopes.map(({ kind, id }) => `${kind}:${id}`).join(', ');
}
