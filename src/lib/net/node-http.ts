/**
 * `node:http`, without the ES module that Node makes of it. That module reads every export, WebSocket among them, and so loads
 * Node's whole fetch: 70 ms of CPU in each thread that imports it, for something that we do not use.
 */
export const { Agent, STATUS_CODES, createServer, request } = process.getBuiltinModule('node:http');
