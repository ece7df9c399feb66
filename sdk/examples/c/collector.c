/* A destination in plain C: one request for each batch, a JSON object on each line. The collector answers 200
 * with the numbers of the lines that it refuses, one on each line of the answer; any other status holds for
 * the whole request. README.md says how it is built. */
#include <stdlib.h>
#include <string.h>

#include "sluice/plugin.h"

struct sluice_instance {
  const sluice_host* host; /* valid until destroy() has returned */
};

static sluice_str str(const char* text) {
  sluice_str out;
  out.ptr = text;
  out.len = strlen(text);
  return out;
}

/* ---- a text that grows
 * ------------------------------------------------------------------------------------------ */

struct text {
  char* bytes;
  size_t len, room;
  int failed; /* out of memory: what was appended after it is not there */
};

static void append(struct text* to, const char* bytes, size_t len) {
  if (to->failed) return;
  if (len > to->room - to->len) {
    const size_t room = (to->room + len) * 2;
    char* const grown = (char*)realloc(to->bytes, room);
    if (grown == NULL) {
      to->failed = 1;
      return;
    }
    to->bytes = grown;
    to->room = room;
  }
  memcpy(to->bytes + to->len, bytes, len);
  to->len += len;
}

static void append_word(struct text* to, const char* word) {
  append(to, word, strlen(word));
}

/* As a JSON text, RFC 8259 section 7. An absent one is "". */
static void append_json(struct text* to, sluice_str value) {
  static const char hex[] = "0123456789abcdef";
  size_t i;
  append(to, "\"", 1);
  for (i = 0; i < value.len; ++i) {
    const unsigned char c = (unsigned char)value.ptr[i];
    if (c == '"' || c == '\\') {
      append(to, "\\", 1);
      append(to, value.ptr + i, 1);
    } else if (c < 0x20) {
      char escaped[6] = {'\\', 'u', '0', '0', '0', '0'};
      escaped[4] = hex[c >> 4];
      escaped[5] = hex[c & 15];
      append(to, escaped, sizeof escaped);
    } else {
      append(to, value.ptr + i, 1);
    }
  }
  append(to, "\"", 1);
}

/* ---- the connector
 * ---------------------------------------------------------------------------------------------- */

static sluice_status create(const sluice_host* host, const sluice_open* open, sluice_call* call,
                            sluice_instance** out) {
  sluice_instance* const made = (sluice_instance*)malloc(sizeof *made);
  (void)open; /* the hub has checked the settings against the manifest and puts them where it says */
  if (made == NULL) return call->fail(call, SLUICE_INTERNAL, str("out of memory"));
  made->host = host;
  *out = made;
  return SLUICE_OK;
}

static void destroy(sluice_instance* instance) {
  free(instance);
}

static sluice_status check(sluice_instance* instance, sluice_call* call) {
  sluice_request request;
  (void)instance;
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  request.method = str("GET");
  request.url = str("/health");
  return call->request(call, &request);
}

static void append_line(struct text* body, const sluice_record* record) {
  append_word(body, "{\"id\":");
  append_json(body, record->id);
  append_word(body, ",\"name\":");
  append_json(body, record->name);
  append_word(body, ",\"data\":");
  append(body, record->payload.ptr, record->payload.len); /* it is JSON: spliced as it is */
  append_word(body, "}\n");
}

static sluice_status plan(sluice_instance* instance, const sluice_plan* args, sluice_call* call) {
  const sluice_batch* const batch = args->batch;
  struct text body = {NULL, 0, 0, 0};
  uint32_t* const indexes = (uint32_t*)calloc(batch->count, sizeof(uint32_t));
  sluice_header header;
  sluice_request request;
  sluice_status status = SLUICE_OK;
  uint32_t i;
  (void)instance;
  for (i = 0; i < batch->count && indexes != NULL; ++i) {
    append_line(&body, sluice_at(batch, i));
    indexes[i] = i;
  }
  header.name = str("content-type");
  header.value = str("application/x-ndjson");
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  request.method = str("POST");
  request.url = str("/collect");
  request.headers = &header;
  request.header_count = 1;
  request.records = indexes;
  request.record_count = batch->count;
  request.body.ptr = body.bytes;
  request.body.len = body.len;
  if (body.failed || (indexes == NULL && batch->count > 0)) {
    status = call->fail(call, SLUICE_INTERNAL, str("out of memory"));
  } else if (batch->count > 0) {
    status = call->request(call, &request); /* copied before it returns */
  }
  free(body.bytes);
  free(indexes);
  return status;
}

/* Whether the answer names line `number`. */
static int names_line(sluice_str answer, uint32_t number) {
  size_t at = 0;
  while (at < answer.len) {
    uint32_t line = 0;
    int is_number = 0;
    for (; at < answer.len && answer.ptr[at] != '\n'; ++at) {
      const char c = answer.ptr[at];
      if (c >= '0' && c <= '9') {
        line = line * 10 + (uint32_t)(c - '0');
        is_number = 1;
      }
    }
    if (is_number && line == number) return 1;
    ++at;
  }
  return 0;
}

/* The verdict of a status, for the whole request. */
static sluice_status verdict(int32_t status) {
  if (status >= 200 && status < 300) return SLUICE_OK;
  if (status == 401) return SLUICE_AUTH;
  if (status == 429) return SLUICE_THROTTLE;
  if (status == 0 || status == 408 || status == 425 || status >= 500) return SLUICE_RETRY;
  return SLUICE_INVALID;
}

static sluice_status interpret(sluice_instance* instance, const sluice_interpret* args, sluice_call* call) {
  const sluice_response* const response = args->response;
  const sluice_status whole = verdict(response->status);
  uint32_t i;
  if (response->status == 0) {
    instance->host->log(instance->host, SLUICE_DEBUG, str("the collector gave no answer"));
  }
  for (i = 0; i < response->record_count; ++i) {
    sluice_outcome outcome;
    sluice_status told;
    memset(&outcome, 0, sizeof outcome);
    outcome.size = sizeof outcome;
    outcome.status = whole;
    outcome.retry_after_ms = response->retry_after_ms;
    outcome.reason = whole == SLUICE_OK ? str("collected") : str("not_collected");
    if (whole == SLUICE_OK && names_line(response->body, i + 1)) {
      outcome.status = SLUICE_INVALID;
      outcome.reason = str("line_refused");
      outcome.detail = str("the collector refuses this line");
    }
    told = call->outcome(call, response->records[i], &outcome);
    if (told != SLUICE_OK) return told; /* the host says stop */
  }
  return SLUICE_OK;
}

/* ---- what is exported
 * ------------------------------------------------------------------------------------------- */

static const char manifest[] __attribute__((section(".sluice_manifest"), used)) =
    "{\"plugin\": \"collector\", \"version\": \"1.0.0\", \"connectors\": [{"
    "\"id\": \"collector\", \"kind\": \"destination\", \"title\": \"Collector of JSON lines\","
    "\"base_url\": \"{config.endpoint}\", \"batch\": {\"max_records\": 500},"
    "\"auth\": {\"type\": \"header\", \"name\": \"authorization\", \"value\": \"Bearer {secret.token}\"},"
    "\"config\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"endpoint\", "
    "\"token\"],"
    "\"properties\": {\"endpoint\": {\"type\": \"string\", \"format\": \"uri\"},"
    "\"token\": {\"type\": \"string\", \"x-secret\": true}}}}]}";

/* Slots that are not named are NULL: not offered. */
static const sluice_connector connector = {.size = sizeof(sluice_connector),
                                           .kind = SLUICE_DESTINATION,
                                           .id = "collector",
                                           .create = create,
                                           .destroy = destroy,
                                           .check = check,
                                           .plan = plan,
                                           .interpret = interpret};
static const sluice_connector* const connectors[] = {&connector};

const sluice_plugin sluice_plugin_v1 = {.size = sizeof(sluice_plugin),
                                        .abi_minor = SLUICE_ABI_MINOR,
                                        .needs_minor = 0,
                                        .connector_count = 1,
                                        .connectors = connectors,
                                        .manifest = manifest};
