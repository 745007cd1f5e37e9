/** IBM Cloud Logs: https://cloud.ibm.com/docs/cloud-logs?topic=cloud-logs-send-logs-api */
import { problem } from '../../conf.ts';
import { row } from '../../web-answer.ts';
import { tokenOf } from '../../token.ts';
import type { WebProfile } from '../../web-kind.ts';

/** https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey */
const IAM = 'https://iam.cloud.ibm.com/identity/token';

export const ibmCloudLogs: WebProfile = {
  describe: {
    schemes: ['ibmcl'],
    title: 'IBM Cloud Logs',
    form: 'ibmcl://<instance>.ingress.<region>.logs.cloud.ibm.com/logs/v1/singles?ibm_api_key=<key>[&application=<name>][&subsystem=<name>]',
    repeats: 'appends',
    // 2 MB and about 3,000 entries, plain, with the text around each line.
    batchBytes: 1_500_000,
    batchLines: 3_000,
  },
  settings: [
    {
      name: 'ibm_api_key',
      help: 'API key whose service ID has the role Sender.',
      required: true,
      secret: true,
    },
    {
      name: 'application',
      help: 'applicationName of the entries. Absent: waybill.',
      required: false,
      secret: false,
      example: 'cdn',
    },
    {
      name: 'subsystem',
      help: 'subsystemName of the entries. Absent: logs.',
      required: false,
      secret: false,
      example: 'http_requests',
    },
    {
      name: 'iam',
      help: 'Token service. Absent: https://iam.cloud.ibm.com/identity/token.',
      required: false,
      secret: false,
      example: 'https://private.iam.cloud.ibm.com/identity/token',
    },
  ],
  own: ['ibm_api_key', 'application', 'subsystem', 'iam'],
  shape(place) {
    const { own, pathname } = place;
    const problems = [];
    if (!own.get('ibm_api_key')) problems.push(problem('ibm_api_key', 'is needed'));
    if (pathname !== '/logs/v1/singles')
      problems.push(problem('destination_conf', 'the path must be /logs/v1/singles'));
    const iam = own.get('iam');
    if (iam !== undefined && !/^https?:\/\/[^/]+\/identity\/token$/.test(iam))
      problems.push(problem('iam', 'must be https://<host>/identity/token'));
    if (iam?.startsWith('http:') && place.secure)
      problems.push(problem('iam', 'must be https://<host>/identity/token'));
    if (problems.length > 0) return problems;
    const name = JSON.stringify(own.get('application') ?? 'waybill');
    const part = JSON.stringify(own.get('subsystem') ?? 'logs');
    return {
      framing: {
        contentType: 'application/json',
        prefix: '[',
        suffix: ']',
        before: [
          `{"applicationName":${name},"subsystemName":${part},"severity":3,"timestamp":`,
          { put: 'timeMs' },
          ',"text":',
        ],
        after: ['}'],
        delimiter: ',',
        line: 'as it is',
      },
    };
  },
  answers: [row(403, 'retry', 'the API key lacks the role Sender')],
  authorizer(place, tools) {
    const apikey = place.own.get('ibm_api_key')?.replaceAll(' ', '+') ?? '';
    const form = new URLSearchParams({
      grant_type: 'urn:ibm:params:oauth:grant-type:apikey',
      apikey,
    });
    return tokenOf(place.own.get('iam') ?? IAM, () => form.toString(), tools);
  },
};
