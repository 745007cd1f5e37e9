/** Roles of customers: each account's own external id goes along, and no keys are had without it. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { testDialler } from '../../test/servers/dialler.ts';
import { startScriptedReceiver } from '../../test/servers/scripted-http.ts';
import type { Answer, ReceivedRequest } from '../../test/servers/scripted-http.ts';
import { testTools } from '../../test/servers/scripted-rig.ts';
import { sampleBatch } from './conformance.ts';
import type { DestinationTools } from './destination.ts';
import { hasProblems, openDestination, parseDestination } from './index.ts';

const ARN = 'arn:aws:iam::123456789012:role/logs';
const OWN = { accessKeyId: 'OPERATOR', secretAccessKey: 'operators-secret' };

/** Amazon as far as it matters: a role whose trust policy demands an external id, and a bucket for its keys alone. */
function amazon(trusted: string) {
  const error = (status: number, code: string): Answer => ({
    status,
    body: `<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`,
  });
  return ({ method, headers, body }: ReceivedRequest): Answer => {
    const auth = headers['authorization'] ?? '';
    if (method === 'PUT') {
      const isRole = auth.includes('Credential=ASIAROLE/');
      const isToken = headers['x-amz-security-token'] === 'session-token';
      return isRole && isToken ? { status: 200 } : error(403, 'AccessDenied');
    }
    const form = new URLSearchParams(body.toString());
    if (!auth.includes('Credential=OPERATOR/')) return error(403, 'InvalidClientTokenId');
    if (form.get('Action') !== 'AssumeRole' || form.get('RoleArn') !== ARN)
      return error(400, 'ValidationError');
    if (form.get('ExternalId') !== trusted) return error(403, 'AccessDenied');
    const keys = `<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>session-token</SessionToken><Expiration>2125-01-01T00:00:00Z</Expiration>`;
    return { status: 200, body: `<AssumeRoleResponse>${keys}</AssumeRoleResponse>` };
  };
}

const dialler = testDialler();
after(() => dialler.close());

async function send(
  trusted: string,
  tools: Partial<DestinationTools>,
  more = '',
): Promise<{ readonly said: string; readonly asked: number }> {
  const receiver = await startScriptedReceiver();
  const judge = amazon(trusted);
  let asked = 0;
  receiver.script({
    do: 'judge',
    verdict(request) {
      asked += request.method === 'POST' ? 1 : 0;
      return judge(request);
    },
  });
  const at = `http://127.0.0.1:${receiver.port}`;
  const conf = `s3://logs/a?region=us-east-1&endpoint=${at}&sts-endpoint=${at}&sts-assume-role-arn=${ARN}${more}`;
  const sender = await openDestination(conf, testTools({ ...tools, dialler }));
  const outcomes = [];
  for (const id of ['a', 'b'])
    outcomes.push(await sender.send(sampleBatch(500, id), new AbortController().signal));
  await sender.close();
  await receiver.close();
  return { said: JSON.stringify(outcomes), asked };
}

describe('an assumed role', () => {
  const one = { externalId: 'waybill-a1', roleKeys: OWN };

  test('is had with the account’s external id, and its keys serve several batches', async () => {
    const { said, asked } = await send('waybill-a1', one);
    assert.equal(said.match(/"accepted"/g)?.length, 2, said);
    assert.equal(asked, 1);
    assert.match((await send('waybill-a1', one, '&sts-external-id=waybill-a1')).said, /"accepted"/);
  });

  test('that trusts another account is of no use, whatever the conf says', async () => {
    const { said } = await send('waybill-a2', one);
    assert.match(said, /"retry".*trust policy must .* demand the external id/);
    const forged = await send('waybill-a2', one, '&sts-external-id=waybill-a2');
    assert.match(forged.said, /"retry".*the external id of this account is waybill-a1/);
    assert.equal(forged.asked, 0, 'Amazon is not even asked');
  });

  test('is not offered without the operator’s keys or an external id', async () => {
    for (const tools of [{}, { roleKeys: OWN }, { externalId: 'waybill-a1' }]) {
      const { said, asked } = await send('waybill-a1', tools);
      assert.match(said, /"retry".*roles cannot be assumed here/);
      assert.equal(asked, 0);
    }
  });

  test('tells nobody the operator’s secret', async () => {
    const { said } = await send('waybill-a2', one);
    assert.ok(!said.includes(OWN.secretAccessKey) && !said.includes(OWN.accessKeyId), said);
  });

  test('stands in place of keys and not beside them', () => {
    const conf = `s3://logs/a?region=us-east-1&sts-assume-role-arn=${ARN}&access-key-id=K&secret-access-key=S`;
    const parsed = parseDestination(conf, { allowHttp: false, fileRoots: [] });
    assert.ok(hasProblems(parsed));
  });
});
