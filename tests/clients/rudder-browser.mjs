// @rudderstack/analytics-js: asks the hub for /sourceConfig, then makes single calls.
import { args, report } from './events.mjs';
import { run_in_browser } from './browser.mjs';

const { url, writeKey, events, user } = args();
const sdk = new URL('./node_modules/@rudderstack/analytics-js/dist/npm/legacy/bundled/umd/index.js', import.meta.url);
const { delivered, errors } = await run_in_browser(sdk, { url, writeKey, events, user }, async (input) => {
  const analytics = new window.rudderanalytics.RudderAnalytics();
  analytics.load(input.writeKey, input.url, { configUrl: input.url, logLevel: 'ERROR' });
  await new Promise((resolve) => analytics.ready(resolve));
  for (let i = 0; i < input.events; ++i) {
    if (i === 0) analytics.page('Shop', 'Home', { n: i });
    else if (i === 1) analytics.identify(input.user, { n: i, name: 'Jörg ü€' });
    else if (i === 2) analytics.group('company-1', { n: i });
    else analytics.track('Order Completed', { n: i, total: 9.5, coupon: null });
  }
});
report('rudder-browser', events, delivered, errors);
