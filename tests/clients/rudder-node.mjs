// @rudderstack/rudder-sdk-node: gzip unless gzip=false. Its queue costs the square of a burst: keep N below some 500.
import RudderAnalytics from '@rudderstack/rudder-sdk-node';
import { args, report, story } from './events.mjs';

const { url, writeKey, events, user, pace, named } = args();
const errors = [];
let delivered = 0;
let answered = 0;
const Client = RudderAnalytics.default ?? RudderAnalytics;
const client = new Client(writeKey, {
  dataPlaneUrl: url,
  flushAt: 20,
  flushInterval: 200,
  gzip: named.gzip !== 'false',
  retryCount: 8, // its own three tries end 1.4 s after the first: how long a hub is away depends on the machine
  logLevel: 'error',
  errorHandler: (error) => errors.push(String(error.message)),
});
const finished = new Promise((resolve) => {
  const done = (error) => {
    if (!error) ++delivered;
    if (++answered === events) resolve();
  };
  story(events, user, (type, message) => client[type](message, done), pace);
  setTimeout(resolve, 80_000).unref(); // below what the test waits
});
client.flush();
await finished;
report('rudder-node', events, delivered, errors);
