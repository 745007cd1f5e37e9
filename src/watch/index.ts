/**
 * watch: watchdogs that see what nobody saw on 14 November 2024, and tell it.
 *
 * A shard gives a sign of life each second (`observer.ts`), with some of its active streams in turn; the control thread's
 * watcher (`watcher.ts`) hands it, the books' losses and the log's alarms to the rules (`rules/`). Rules are pure over what
 * they are shown and a clock that is handed in, keep a bounded memory, and neither alarm from a first look nor flap. What they
 * find becomes alerts (`alert-book.ts`, on disk by `alert-store.ts`), listed by the API and sent to webhooks (`webhooks/`).
 */
export { openAlertStore } from './alert-store.ts';
export type { AlertStore } from './alert-store.ts';
export { Heartbeat } from './heartbeat.ts';
export { ALERT_KIND_NAMES } from './kinds.ts';
export { Observer } from './observer.ts';
export { messageStore, webhookStore } from './webhooks/store.ts';
export { Webhooks } from './webhooks/webhooks.ts';
export { Watcher } from './watcher.ts';
export type {
  Alert,
  AlertDesk,
  AuditedJob,
  Beat,
  NewWebhook,
  WebhookDesk,
  WebhookView,
} from './contract.ts';
