// Runs a browser SDK in Chromium, on a page of another origin than the hub: settings, preflights and all.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

// The page loads `sdk` (a URL on disk; what it loads lies beside it) and then runs `script(input)`, which sends
// input.events events. Resolves to { delivered, errors } when all were answered 200, or after 30 s.
export async function run_in_browser(sdk, input, script) {
  const site = createServer(async (request, response) => {
    const name = request.url.match(/^\/sdk\/([\w.-]+)$/)?.[1];
    try {
      const body = name ? await readFile(new URL(name, sdk)) : '<!doctype html><title>Shop</title>';
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
  let delivered = 0;
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('requestfailed', (request) => errors.push(`${new URL(request.url()).pathname}: ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.request().method() !== 'POST' || !response.url().startsWith(input.url)) return;
    if (response.status() !== 200) return errors.push(`${new URL(response.url()).pathname}: ${response.status()}`);
    const body = JSON.parse(response.request().postData());
    delivered += body.batch ? body.batch.length : 1;
  });
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  await page.addScriptTag({ url: `/sdk/${sdk.pathname.split('/').pop()}` });
  await page.evaluate(script, input);
  const deadline = Date.now() + 30_000;
  while (delivered < input.events && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  await browser.close();
  site.close();
  return { delivered, errors };
}
