/** `webhooks`: who is told of alerts. The operator's are told of everything, an account's of what is its own. */
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../control-client.ts';
import { table } from '../output.ts';

interface WebhookView {
  readonly id: number;
  readonly form: string;
  readonly url: string;
  readonly signed: boolean;
  readonly sent: number;
  readonly givenUp: number;
  readonly queued: number;
  readonly last: { readonly outcome: string; readonly error: string | null } | null;
}

type Options = Record<string, string | boolean | undefined>;

const pathOf = ({ account }: Options): string =>
  typeof account === 'string'
    ? `/v1/accounts/${encodeURIComponent(account)}/webhooks`
    : '/v1/webhooks';

export function addWebhooks(
  program: Command,
  context: CliContext,
  setExit: (code: number) => void,
): void {
  const group = program.command('webhooks').description('who is told of alerts');
  const command = (name: string, description: string) =>
    withConnection(group.command(name).description(description)).option(
      '--account <id>',
      "an account's own, told of what is its own (else the operator's)",
    );
  command('list', 'list webhooks with how they do').action(async (options: Options) => {
    const { webhooks } = await clientOf(context, options).get<{ webhooks: readonly WebhookView[] }>(
      pathOf(options),
    );
    if (options['json']) return printJson(context, webhooks);
    const columns = [
      { title: 'ID', value: (hook: WebhookView) => hook.id },
      { title: 'FORM', value: (hook: WebhookView) => hook.form },
      { title: 'URL', value: (hook: WebhookView) => hook.url },
      { title: 'SIGNED', value: (hook: WebhookView) => (hook.signed ? 'yes' : 'no') },
      { title: 'SENT', value: (hook: WebhookView) => hook.sent },
      { title: 'WAITING', value: (hook: WebhookView) => hook.queued },
      { title: 'GIVEN UP', value: (hook: WebhookView) => hook.givenUp },
      { title: 'LAST', value: ({ last }: WebhookView) => last?.error ?? last?.outcome },
    ];
    context.output.out(`${table(context.output, columns, webhooks)}\n`);
  });
  command('add <url>', 'tell somebody of alerts; the URL is a secret and shown masked')
    .option('--form <form>', 'json or slack', 'json')
    .option('--secret <secret>', 'sign messages (Standard Webhooks): whsec_ and base64')
    .action(async (url: string, options: Options) => {
      const { form, secret } = options;
      const body = { url, form, ...(secret === undefined ? {} : { secret }) };
      const added = await clientOf(context, options).send<WebhookView>(
        'POST',
        pathOf(options),
        body,
      );
      if (options['json']) return printJson(context, added);
      context.output.out(`Webhook ${added.id} added: ${added.url}\n`);
    });
  command('remove <id>', 'tell it no more').action(async (id: string, options: Options) => {
    const path = `${pathOf(options)}/${encodeURIComponent(id)}`;
    await clientOf(context, options).send('DELETE', path);
    if (options['json']) printJson(context, { id: Number(id) });
    else context.output.out(`Webhook ${id} removed.\n`);
  });
  command('test <id>', 'send a test message now').action(async (id: string, options: Options) => {
    const path = `${pathOf(options)}/${encodeURIComponent(id)}/test`;
    const outcome = await clientOf(context, options).send<{ delivered: boolean; detail: string }>(
      'POST',
      path,
    );
    if (!outcome.delivered) setExit(EXIT.problem);
    if (options['json']) return printJson(context, outcome);
    context.output.out(
      `${outcome.delivered ? 'Delivered' : 'Not delivered'}: ${outcome.detail}.\n`,
    );
  });
}
