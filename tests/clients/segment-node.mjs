// @segment/analytics-node, batching as it does by default.
import { Analytics } from '@segment/analytics-node';
import { args, report, story } from './events.mjs';

const { url, writeKey, events, user, pace } = args();
const errors = [];
let delivered = 0;
const analytics = new Analytics({ writeKey, host: url, flushAt: 15, flushInterval: 200, maxRetries: 10 });
analytics.on('error', (error) => errors.push(String(error.reason?.message ?? error.reason ?? error.code)));
await story(events, user, (type, message) => {
  analytics[type](message, (error) => {
    if (!error) ++delivered;
  });
}, pace);
await analytics.closeAndFlush({ timeout: 80_000 }); // its waits between tries double: one may be as long as the hub was away
report('segment-node', events, delivered, errors);
