// @segment/analytics-next in Chromium, on a page of another origin than the hub: settings, preflights and all. Single calls,
// or with batching=true batches.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { args, report } from './events.mjs';

const { url, writeKey, events, user, named } = args();
const folder = new URL('./node_modules/@segment/analytics-next/dist/umd/', import.meta.url);
const page_html = '<!doctype html><title>Shop</title><script src="/sdk/index.js"></script>';
const site = createServer(async (request, response) => {
  const name = request.url.match(/^\/sdk\/([\w.-]+)$/)?.[1];
  try {
    const body = name ? await readFile(new URL(name, folder)) : page_html;
    response.writeHead(200, { 'content-type': name ? 'text/javascript' : 'text/html' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
const page = await browser.newPage();
const errors = [];
let answered = 0;
page.on('pageerror', (error) => errors.push(error.message));
page.on('requestfailed', (request) => errors.push(`${new URL(request.url()).pathname}: ${request.failure()?.errorText}`));
page.on('response', (response) => {
  if (response.request().method() !== 'POST' || !response.url().startsWith(url)) return;
  if (response.status() !== 200) return errors.push(`${response.url()}: ${response.status()}`);
  const body = JSON.parse(response.request().postData());
  answered += body.batch ? body.batch.length : 1;
});
await page.goto(`http://127.0.0.1:${site.address().port}/`);
await page.evaluate(
  async ({ url, writeKey, events, user, batching }) => {
    const { AnalyticsBrowser } = window.AnalyticsNext;
    const integrations = batching
      ? { 'Segment.io': { deliveryStrategy: { strategy: 'batching', config: { size: 10, timeout: 200 } } } }
      : {};
    const analytics = AnalyticsBrowser.load({ writeKey, cdnURL: url }, { integrations });
    await analytics.ready();
    for (let i = 0; i < events; ++i) {
      if (i === 0) await analytics.page('Shop', { n: i });
      else if (i === 1) await analytics.identify(user, { n: i, name: 'Jörg ü€' });
      else if (i === 2) await analytics.group('company-1', { n: i });
      else await analytics.track('Order Completed', { n: i, total: 9.5, coupon: null });
    }
  },
  { url, writeKey, events, user, batching: named.batching === 'true' },
);
const deadline = Date.now() + 30_000;
while (answered < events && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
await browser.close();
site.close();
report(named.batching === 'true' ? 'segment-browser-batching' : 'segment-browser', events, answered, errors);
