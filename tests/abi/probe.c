/* A connector that looks at what it is given, built with this version of the header, an older one and a newer
 * one: what the structs have in common is in its place, and what only one side knows is not there. */
#include <stdlib.h>
#include <string.h>

#include "sluice/plugin.h"

static sluice_str str(const char* text) {
  sluice_str out;
  out.ptr = text;
  out.len = strlen(text);
  return out;
}

static int is(sluice_str value, const char* text) {
  return value.len == strlen(text) && memcmp(value.ptr, text, value.len) == 0;
}

struct sluice_instance {
  const sluice_host* host;
};

static sluice_status create(const sluice_host* host, const sluice_open* open, sluice_call* call,
                            sluice_instance** out) {
  if (!is(open->config, "{}") || !is(open->name, "probe"))
    return call->fail(call, SLUICE_INVALID, str("open"));
#ifdef PROBE_NEWER
  if (SLUICE_HAS(open, appended) || SLUICE_OFFERS(host, appended) || SLUICE_OFFERS(call, appended))
    return call->fail(call, SLUICE_INVALID, str("this host offers what it does not know"));
  if (host->abi_minor >= SLUICE_ABI_MINOR) return call->fail(call, SLUICE_INVALID, str("the host's minor"));
#endif
  *out = (sluice_instance*)malloc(sizeof **out);
  if (*out == NULL) return SLUICE_INTERNAL;
  (*out)->host = host;
  return SLUICE_OK;
}

static void destroy(sluice_instance* instance) {
  free(instance);
}

static sluice_status plan(sluice_instance* instance, const sluice_plan* args, sluice_call* call) {
  const sluice_batch* const batch = args->batch;
  uint32_t i;
  (void)instance;
  for (i = 0; i < batch->count; ++i) {
    static const char* const ids[] = {"first", "second", "third"};
    const sluice_record* const record = sluice_at(batch, i);
    sluice_request request;
    if (i >= 3 || !is(record->id, ids[i]) || !is(record->payload, "{\"a\":1}") ||
        !is(record->remote_id, "there") || !is(record->audience_id, "a-1") || args->part != 2 ||
        !is(args->snapshot, "s-1"))
      return call->fail(call, SLUICE_INVALID, str("a record is not where the stride leads"));
#ifdef PROBE_NEWER
    if (SLUICE_HAS(record, appended) || SLUICE_HAS(args, appended))
      return call->fail(call, SLUICE_INVALID, str("a record has what this host does not know"));
#endif
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.method = str("POST");
    request.url = str("/probe");
    request.records = &i;
    request.record_count = 1;
    request.state = str("kept");
#ifdef PROBE_NEWER
    request.appended = str("nobody reads it");
#endif
    if (call->request(call, &request) != SLUICE_OK) return SLUICE_INTERNAL;
  }
  return SLUICE_OK;
}

static sluice_status interpret(sluice_instance* instance, const sluice_interpret* args, sluice_call* call) {
  struct {
    sluice_outcome outcome;
    sluice_str behind; /* what a host would read that goes by its own idea of the size */
  } given;
  (void)instance;
  memset(&given, 0, sizeof given);
  given.outcome.size = sizeof given.outcome;
  given.outcome.retry_after_ms = -1;
  given.outcome.reason = str(is(args->response->state, "kept") ? "probed" : "state_lost");
#ifndef PROBE_OLDER
  given.outcome.remote_id = str("here");
#endif
#ifdef PROBE_NEWER
  given.outcome.appended = str("nobody reads it");
#endif
  given.behind = str("not a part of it");
  return call->outcome(call, args->response->records[0], &given.outcome);
}

static const char manifest[] __attribute__((section(".sluice_manifest"), used)) =
    "{\"plugin\": \"probe\", \"version\": \"1.0.0\", \"connectors\": [{\"id\": \"probe\", \"kind\": "
    "\"destination\","
    "\"base_url\": \"https://probe.example\", \"hosts\": [\"probe.example\"]}]}";

/* What lies behind a shorter table is no part of it. */
static const struct {
  sluice_connector connector;
  const char* behind[4];
} table = {{.size = sizeof(sluice_connector),
            .kind = SLUICE_DESTINATION,
            .id = "probe",
            .create = create,
            .destroy = destroy,
            .plan = plan,
            .interpret = interpret},
           {manifest, manifest, manifest, manifest}};
static const sluice_connector* const connectors[] = {&table.connector};

const sluice_plugin sluice_plugin_v1 = {.size = sizeof(sluice_plugin),
                                        .abi_minor = SLUICE_ABI_MINOR,
                                        .needs_minor = 0,
                                        .connector_count = 1,
                                        .connectors = connectors,
                                        .manifest = manifest};
