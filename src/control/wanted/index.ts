/** The wanted set: which streams somebody wants, published to forwarders and producers. */
export { WantedDesk } from './desk.ts';
