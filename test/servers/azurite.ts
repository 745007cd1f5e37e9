/** Azurite's settings, and shared access signatures as Azure's portal makes them. */
import { createHmac } from 'node:crypto';

export const AZURE_ACCOUNT = 'waybilltest';
const AZURE_KEY = Buffer.alloc(64, 7).toString('base64');

/** A shared access signature of a whole account. */
export function sharedAccess(permissions: string, expiry = '2125-01-01T00:00:00Z'): string {
  const [version, services, types, protocol] = ['2020-08-04', 'b', 'co', 'https,http'];
  const text = [AZURE_ACCOUNT, permissions, services, types, '', expiry, '', protocol, version, ''];
  const key = Buffer.from(AZURE_KEY, 'base64');
  const sig = createHmac('sha256', key).update(text.join('\n')).digest('base64');
  return new URLSearchParams({
    sv: version,
    ss: services,
    srt: types,
    sp: permissions,
    se: expiry,
    spr: protocol,
    sig,
  }).toString();
}

/** For `startInstalled`. */
export function azurite(port: number, folder: string): readonly string[] {
  process.env['AZURITE_ACCOUNTS'] = `${AZURE_ACCOUNT}:${AZURE_KEY}`;
  const at = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', folder];
  // Also where the host is a name, the account stands in the path.
  return [
    ...at,
    '--disableProductStyleUrl',
    '--silent',
    '--skipApiVersionCheck',
    '--disableTelemetry',
  ];
}
