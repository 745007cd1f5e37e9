import manifest from '../../package.json' with { type: 'json' };

/** Waybill's version, as in package.json. */
export const VERSION: string = manifest.version;
