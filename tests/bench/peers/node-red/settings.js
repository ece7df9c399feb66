// Node-RED as the bench runs it: no editor, no metrics.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.BENCH_PEER_PORT),
  httpAdminRoot: false,
  disableEditor: true,
  apiMaxLength: "5mb",
  telemetry: { enabled: false },
  logging: { console: { level: "info", metrics: false, audit: false } },
};
