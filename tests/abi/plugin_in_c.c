/* A connector in C99, called through its table as a host would. */
#include <stdlib.h>
#include <string.h>

#include "sluice/plugin.h"

static sluice_str text(const char* s) {
  sluice_str out;
  out.ptr = s;
  out.len = strlen(s);
  return out;
}

static sluice_status create(const sluice_host* host, const sluice_open* open, sluice_call* call,
                            sluice_instance** out) {
  (void)host;
  if (open->config.len == 0) return call->fail(call, SLUICE_INVALID, text("no configuration"));
  *out = (sluice_instance*)malloc(1);
  return *out == NULL ? SLUICE_INTERNAL : SLUICE_OK;
}

static void destroy(sluice_instance* instance) {
  free(instance);
}

static sluice_status deliver(sluice_instance* instance, const sluice_plan* plan, sluice_call* call) {
  uint32_t i;
  (void)instance;
  for (i = 0; i < plan->batch->count; ++i) {
    sluice_outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.size = sizeof outcome;
    outcome.status = sluice_at(plan->batch, i)->op == SLUICE_EVENT ? SLUICE_OK : SLUICE_SKIPPED;
    outcome.retry_after_ms = -1;
    if (call->outcome(call, i, &outcome) != SLUICE_OK) return SLUICE_INTERNAL;
  }
  return SLUICE_OK;
}

static const sluice_connector connector = {sizeof(sluice_connector),
                                           SLUICE_DESTINATION,
                                           "c.destination",
                                           create,
                                           destroy,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL,
                                           deliver,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL,
                                           NULL};
static const sluice_connector* const connectors[] = {&connector};
const sluice_plugin sluice_plugin_v1 = {sizeof(sluice_plugin), SLUICE_ABI_MINOR, 0, 1, connectors, "{}"};

static int delivered, skipped;
static sluice_status count(sluice_call* call, uint32_t index, const sluice_outcome* outcome) {
  (void)call;
  (void)index;
  if (outcome->status == SLUICE_OK) ++delivered;
  if (outcome->status == SLUICE_SKIPPED) ++skipped;
  return SLUICE_OK;
}

/* A host of a later minor gives longer records: the stride leads through them. */
struct longer_record {
  sluice_record record;
  uint64_t appended;
};

int main(void) {
  const sluice_connector* c = sluice_plugin_v1.connectors[0];
  struct longer_record records[2];
  sluice_batch batch;
  sluice_plan plan;
  sluice_open open;
  sluice_call call;
  sluice_instance* instance = NULL;
  memset(records, 0, sizeof records);
  memset(&batch, 0, sizeof batch);
  memset(&plan, 0, sizeof plan);
  memset(&open, 0, sizeof open);
  memset(&call, 0, sizeof call);
  records[0].record.op = SLUICE_EVENT;
  records[1].record.op = SLUICE_DELETE;
  batch.size = sizeof batch;
  batch.stride = sizeof records[0];
  batch.count = 2;
  batch.records = records;
  plan.size = sizeof plan;
  plan.batch = &batch;
  open.size = sizeof open;
  open.config = text("{}");
  call.size = sizeof call;
  call.outcome = count;
  if (!SLUICE_OFFERS(c, deliver) || SLUICE_OFFERS(c, plan)) return 1;
  if (c->create(NULL, &open, &call, &instance) != SLUICE_OK) return 2;
  if (c->deliver(instance, &plan, &call) != SLUICE_OK) return 3;
  c->destroy(instance);
  return delivered == 1 && skipped == 1 ? 0 : 4;
}
