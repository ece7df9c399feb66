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
  logLevel: 'error',
  errorHandler: (error) => errors.push(String(error.message)),
});
const finished = new Promise((resolve) => {
  const done = (error) => {
    if (!error) ++delivered;
    if (++answered === events) resolve();
  };
  story(events, user, (type, message) => client[type](message, done), pace);
  setTimeout(resolve, 60_000).unref();
});
client.flush();
await finished;
report('rudder-node', events, delivered, errors);
