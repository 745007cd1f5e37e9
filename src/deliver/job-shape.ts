/** What follows from a job's settings and costs something to find out: its receiver and its compiled contents. */
import type { JobConfig } from '../model/snapshot.ts';
import type { Content, DeliveryDeps, ReceiverDescription } from './contract.ts';

/** Compiled contents kept per job: today's, and those of the few plans that are still open. */
const CONTENTS_KEPT = 4;

export class JobShape {
  readonly #deps: DeliveryDeps;
  readonly #contents = new Map<string, Content>();
  #receiver: { readonly conf: string; readonly description: ReceiverDescription } | undefined;

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  /** The receiver of the job's newest settings. */
  receiver(job: JobConfig): ReceiverDescription {
    const conf = job.destinationConf;
    if (this.#receiver?.conf !== conf) {
      this.#receiver = { conf, description: this.#deps.describe(job) };
    }
    return this.#receiver.description;
  }

  /** The content of given settings, for the epoch that the stream has now. */
  content(made: JobConfig): Content {
    const epoch = this.#deps.buffer.job(made.id)?.epoch ?? '';
    const key = `${made.contentVersion} ${epoch}`;
    let content = this.#contents.get(key);
    if (content === undefined) {
      content = this.#deps.compileContent(made, epoch);
      this.#contents.set(key, content);
      for (const old of this.#contents.keys()) {
        if (this.#contents.size > CONTENTS_KEPT) this.#contents.delete(old);
      }
    }
    return content;
  }
}
