// What every client sends: a visitor who identifies himself and then orders, N events in all. Node's also send an alias.
export function args() {
  const [url, writeKey, ...rest] = process.argv.slice(2);
  if (!url || !writeKey) {
    console.error(`usage: node ${process.argv[1].split('/').pop()} URL WRITE_KEY [events=N] [user=ID] [pace=MS]`);
    process.exit(2);
  }
  const named = Object.fromEntries(rest.map((text) => text.split('=')));
  return { url: url.replace(/\/$/, ''), writeKey, events: Number(named.events ?? 20), user: named.user ?? 'user-1', pace: Number(named.pace ?? 0), named };
}

// Calls send(type, message) for each of the n events, one every `pace` milliseconds; the i-th carries properties or
// traits { n: i }, where its kind has any.
export async function story(n, user, send, pace = 0) {
  for (let i = 0; i < n; ++i) {
    if (pace > 0) await new Promise((resolve) => setTimeout(resolve, pace));
    if (i === 0) await send('identify', { userId: user, anonymousId: `anon-${user}`, traits: { n: i, name: 'Jörg ü€' } });
    else if (i === 1) await send('page', { userId: user, name: 'Shop', properties: { n: i } });
    else if (i === 2) await send('group', { userId: user, groupId: 'company-1', traits: { n: i } });
    else if (i === 3) await send('alias', { userId: user, previousId: `old-${user}` });
    else await send('track', { userId: user, event: 'Order Completed', properties: { n: i, total: 9.5, coupon: null, items: [[1], {}] } });
  }
}

// The one line that a test reads.
export function report(client, sent, delivered, errors) {
  console.log(JSON.stringify({ client, sent, delivered, failed: sent - delivered, firstError: errors[0] ?? null }));
  process.exit(delivered === sent ? 0 : 1);
}
