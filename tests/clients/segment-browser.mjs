// @segment/analytics-next: single calls, or with batching=true batches.
import { args, report } from './events.mjs';
import { run_in_browser } from './browser.mjs';

const { url, writeKey, events, user, named } = args();
const batching = named.batching === 'true';
const sdk = new URL('./node_modules/@segment/analytics-next/dist/umd/index.js', import.meta.url);
const { delivered, errors } = await run_in_browser(sdk, { url, writeKey, events, user, batching }, async (input) => {
  const strategy = { strategy: 'batching', config: { size: 10, timeout: 200 } };
  const integrations = input.batching ? { 'Segment.io': { deliveryStrategy: strategy } } : {};
  const analytics = window.AnalyticsNext.AnalyticsBrowser.load(
    { writeKey: input.writeKey, cdnURL: input.url },
    { integrations },
  );
  await analytics.ready();
  for (let i = 0; i < input.events; ++i) {
    if (i === 0) await analytics.page('Shop', { n: i });
    else if (i === 1) await analytics.identify(input.user, { n: i, name: 'Jörg ü€' });
    else if (i === 2) await analytics.group('company-1', { n: i });
    else await analytics.track('Order Completed', { n: i, total: 9.5, coupon: null });
  }
});
report(batching ? 'segment-browser-batching' : 'segment-browser', events, delivered, errors);
