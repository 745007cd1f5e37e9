// Loaded into a server by `--import`: a composition that only drills make, to see what would happen without bounds. It raises
// numbers of src/model/limits.ts while that file is loaded; the product has no switch for it.
import { registerHooks } from 'node:module';

const RAISED = {
  heldBytes: '64 * 1024 * MIB',
  heldBytesPerAccount: '64 * 1024 * MIB',
  connectionsPerAddress: '4_096',
  // A share of its time that no thread reaches: nobody is ever held to a part.
  fairFrom: '2',
};

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/src/model/limits.ts')) return loaded;
    let source = Buffer.from(loaded.source).toString('utf8');
    for (const [name, value] of Object.entries(RAISED)) {
      const before = source;
      // Only the first of its name: that of ingest.
      source = source.replace(new RegExp(`\\b${name}: [^,\n]+,`), `${name}: ${value},`);
      if (source === before) throw new Error(`there is no bound ${name} to raise`);
    }
    return { ...loaded, source };
  },
});
