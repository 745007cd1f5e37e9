/** A marker secret planted in a conf of every kind of destination, and the spellings in which it might come out again. */
import { generateKeyPairSync } from 'node:crypto';
import { CLIENT } from './certificates.ts';

export const MARK = 'mArKer/sEcret+123';
export const TOKEN = 'mArKersEcret123';
const SPELLINGS = [
  MARK,
  encodeURIComponent(MARK),
  TOKEN,
  Buffer.from(MARK).toString('base64'),
  Buffer.from(TOKEN).toString('base64'),
];

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
export const PEM_PART = PEM.slice(60, 100);
const CLIENT_KEY = Buffer.from(CLIENT.key).toString('base64');

/** By scheme, for a receiver at `at` (`host:port`). */
export function markedConfs(at: string, secure = false): Readonly<Record<string, string>> {
  const origin = `${secure ? 'https' : 'http'}://${at}`;
  const tls = `tls=${secure}`;
  const mark = encodeURIComponent(MARK);
  const key = {
    type: 'service_account',
    client_email: 'a@b',
    private_key: PEM,
    token_uri: `${origin}/token`,
  };
  const file = encodeURIComponent(`base64:${Buffer.from(JSON.stringify(key)).toString('base64')}`);
  const channel = '9d6c3e0a-94e8-4c2c-8d5b-2f3a1f0b7c11';
  // Client certificates are for TLS alone.
  const shown = `&client-certificate=${encodeURIComponent(Buffer.from(CLIENT.cert).toString('base64'))}&client-key=${encodeURIComponent(CLIENT_KEY)}`;
  const mutual = secure ? shown : '';
  const raw = `${at}/services/collector/raw?${tls}&header_Authorization=Splunk%20${mark}`;
  return {
    s3: `s3://logs/a?region=r&endpoint=${origin}&access-key-id=K&secret-access-key=${mark}`,
    r2: `r2://logs/a?account-id=${'0'.repeat(32)}&access-key-id=K&secret-access-key=${mark}`,
    gs: `gs://logs/a?endpoint=${origin}&credentials=${file}`,
    azure: `azure://${at}/logs/a?${tls}&sp=cw&sig=${mark}`,
    kinesis: `kinesis://logs?region=r&endpoint=${origin}&access-key-id=K&secret-access-key=${mark}`,
    kafka: `kafka://${at}/logs?${tls}&sasl-mechanism=PLAIN&username=u&password=${mark}${mutual}`,
    https: `https://${at}/?header_A=${mark}&api_key=${mark}`,
    http: `http://${at}/?header_A=${mark}&api_key=${mark}`,
    splunk: `splunk://${raw}&channel=${channel}`,
    datadog: `datadog://${at}/api/v2/logs?${tls}&header_DD-API-KEY=${mark}`,
    sentinelone: `sentinelone://${raw}`,
    newrelic: `newrelic://${at}/log/v1?${tls}&Api-Key=${mark}`,
    sumo: `sumo://${at}/receiver/v1/http/${TOKEN}?${tls}`,
    ibmcl: `ibmcl://${at}/logs/v1/singles?${tls}&ibm_api_key=${mark}&iam=${origin}/identity/token`,
    axiom: `axiom://${at}/v1/datasets/a/ingest?${tls}&header_Authorization=Bearer%20${mark}`,
    elasticsearch: `elasticsearch://${at}/logs?${tls}&header_Authorization=ApiKey%20${mark}`,
    opensearch: `opensearch://${at}/logs?${tls}&header_Authorization=ApiKey%20${mark}`,
    loki: `loki://${at}/loki/api/v1/push?${tls}&header_Authorization=Basic%20${mark}`,
    otlp: `otlp://${at}/v1/logs?${tls}&header_Authorization=Basic%20${mark}`,
    clickhouse: `clickhouse://${at}/?${tls}&table=t&password=${mark}`,
    syslog: `syslog://${at}?transport=${secure ? `tls${mutual}` : 'tcp'}`,
    waybill: `waybill://${at}?${tls}&token=${mark}`,
    file: 'file:///logs',
  };
}

/** The secret's spelling that a text holds; undefined: none. */
export function secretIn(text: string): string | undefined {
  return [...SPELLINGS, PEM_PART, CLIENT_KEY.slice(0, 60), CLIENT.key.slice(40, 90)].find(
    (secret) => text.includes(secret),
  );
}
