/* The layout of version 1.0 on 64-bit machines: offsets, widths, sizes, values. Lines are added for what is
 * appended, and never changed. */
#include "sluice/plugin.h"

#define JOIN(a, b) a##b
#define NAME(line) JOIN(frozen_, line)
/* An array of a negative size stops the compiler. */
#define HOLDS(what) typedef char NAME(__LINE__)[(what) ? 1 : -1]
#define FROZEN(type, field, offset, bytes) \
  HOLDS(offsetof(type, field) == (offset) && sizeof(((type*)0)->field) == (bytes))
#define VALUE(name, value) HOLDS((name) == (value))
/* Without a size of its own: it stands in arrays as it is. */
#define EXACTLY(type, bytes) HOLDS(sizeof(type) == (bytes))
/* It carries its size and may grow, never shrink. */
#define AT_LEAST(type, bytes) HOLDS(sizeof(type) >= (bytes))

FROZEN(sluice_str, ptr, 0, 8);
FROZEN(sluice_str, len, 8, 8);

FROZEN(sluice_header, name, 0, 16);
FROZEN(sluice_header, value, 16, 16);

FROZEN(sluice_record, size, 0, 4);
FROZEN(sluice_record, op, 4, 4);
FROZEN(sluice_record, attempt, 8, 4);
FROZEN(sluice_record, reserved, 12, 4);
FROZEN(sluice_record, time_us, 16, 8);
FROZEN(sluice_record, id, 24, 16);
FROZEN(sluice_record, key, 40, 16);
FROZEN(sluice_record, entity, 56, 16);
FROZEN(sluice_record, name, 72, 16);
FROZEN(sluice_record, payload, 88, 16);
FROZEN(sluice_record, identifiers, 104, 16);
FROZEN(sluice_record, address, 120, 16);
FROZEN(sluice_record, remote_id, 136, 16);
FROZEN(sluice_record, audience_id, 152, 16);
FROZEN(sluice_record, place, 168, 16);

FROZEN(sluice_batch, size, 0, 4);
FROZEN(sluice_batch, stride, 4, 4);
FROZEN(sluice_batch, count, 8, 4);
FROZEN(sluice_batch, reserved, 12, 4);
FROZEN(sluice_batch, records, 16, 8);

FROZEN(sluice_outcome, size, 0, 4);
FROZEN(sluice_outcome, status, 4, 4);
FROZEN(sluice_outcome, receiver, 8, 4);
FROZEN(sluice_outcome, reserved, 12, 4);
FROZEN(sluice_outcome, retry_after_ms, 16, 8);
FROZEN(sluice_outcome, reason, 24, 16);
FROZEN(sluice_outcome, detail, 40, 16);
FROZEN(sluice_outcome, remote_id, 56, 16);

FROZEN(sluice_request, size, 0, 4);
FROZEN(sluice_request, purpose, 4, 4);
FROZEN(sluice_request, timeout_ms, 8, 4);
FROZEN(sluice_request, delay_ms, 12, 4);
FROZEN(sluice_request, flags, 16, 4);
FROZEN(sluice_request, header_count, 20, 4);
FROZEN(sluice_request, record_count, 24, 4);
FROZEN(sluice_request, reserved, 28, 4);
FROZEN(sluice_request, method, 32, 16);
FROZEN(sluice_request, url, 48, 16);
FROZEN(sluice_request, headers, 64, 8);
FROZEN(sluice_request, records, 72, 8);
FROZEN(sluice_request, body, 80, 16);
FROZEN(sluice_request, state, 96, 16);
FROZEN(sluice_request, bucket, 112, 16);

FROZEN(sluice_response, size, 0, 4);
FROZEN(sluice_response, purpose, 4, 4);
FROZEN(sluice_response, status, 8, 4);
FROZEN(sluice_response, header_count, 12, 4);
FROZEN(sluice_response, record_count, 16, 4);
FROZEN(sluice_response, reserved, 20, 4);
FROZEN(sluice_response, retry_after_ms, 24, 8);
FROZEN(sluice_response, received_us, 32, 8);
FROZEN(sluice_response, body, 40, 16);
FROZEN(sluice_response, state, 56, 16);
FROZEN(sluice_response, error, 72, 16);
FROZEN(sluice_response, headers, 88, 8);
FROZEN(sluice_response, records, 96, 8);

FROZEN(sluice_incoming, size, 0, 4);
FROZEN(sluice_incoming, header_count, 4, 4);
FROZEN(sluice_incoming, route, 8, 16);
FROZEN(sluice_incoming, method, 24, 16);
FROZEN(sluice_incoming, path, 40, 16);
FROZEN(sluice_incoming, query, 56, 16);
FROZEN(sluice_incoming, body, 72, 16);
FROZEN(sluice_incoming, headers, 88, 8);
FROZEN(sluice_incoming, peer, 96, 16);
FROZEN(sluice_incoming, received_us, 112, 8);

FROZEN(sluice_reply, size, 0, 4);
FROZEN(sluice_reply, status, 4, 4);
FROZEN(sluice_reply, header_count, 8, 4);
FROZEN(sluice_reply, reserved, 12, 4);
FROZEN(sluice_reply, headers, 16, 8);
FROZEN(sluice_reply, content_type, 24, 16);
FROZEN(sluice_reply, body, 40, 16);

FROZEN(sluice_open, size, 0, 4);
FROZEN(sluice_open, kind, 4, 4);
FROZEN(sluice_open, config, 8, 16);
FROZEN(sluice_open, name, 24, 16);
FROZEN(sluice_open, folder, 40, 16);
FROZEN(sluice_open, routes_url, 56, 16);

FROZEN(sluice_poll, size, 0, 4);
FROZEN(sluice_poll, mode, 4, 4);
FROZEN(sluice_poll, flags, 8, 4);
FROZEN(sluice_poll, field_count, 12, 4);
FROZEN(sluice_poll, stream, 16, 16);
FROZEN(sluice_poll, cursor, 32, 16);
FROZEN(sluice_poll, since_us, 48, 8);
FROZEN(sluice_poll, fields, 56, 8);

FROZEN(sluice_plan, size, 0, 4);
FROZEN(sluice_plan, part, 4, 4);
FROZEN(sluice_plan, batch, 8, 8);
FROZEN(sluice_plan, snapshot, 16, 16);

FROZEN(sluice_interpret, size, 0, 4);
FROZEN(sluice_interpret, reserved, 4, 4);
FROZEN(sluice_interpret, response, 8, 8);
FROZEN(sluice_interpret, batch, 16, 8);
FROZEN(sluice_interpret, poll, 24, 8);

FROZEN(sluice_discover, size, 0, 4);
FROZEN(sluice_discover, reserved, 4, 4);
FROZEN(sluice_discover, stream, 8, 16);

FROZEN(sluice_provision, size, 0, 4);
FROZEN(sluice_provision, kind, 4, 4);
FROZEN(sluice_provision, name, 8, 16);
FROZEN(sluice_provision, remote_id, 24, 16);

FROZEN(sluice_subscribe, size, 0, 4);
FROZEN(sluice_subscribe, reserved, 4, 4);
FROZEN(sluice_subscribe, route, 8, 16);
FROZEN(sluice_subscribe, url, 24, 16);
FROZEN(sluice_subscribe, remote_id, 40, 16);

FROZEN(sluice_call, size, 0, 4);
FROZEN(sluice_call, reserved, 4, 4);
FROZEN(sluice_call, deadline_us, 8, 8);
FROZEN(sluice_call, cancelled, 16, 8);
FROZEN(sluice_call, fail, 24, 8);
FROZEN(sluice_call, request, 32, 8);
FROZEN(sluice_call, outcome, 40, 8);
FROZEN(sluice_call, record, 48, 8);
FROZEN(sluice_call, reject, 56, 8);
FROZEN(sluice_call, checkpoint, 64, 8);
FROZEN(sluice_call, ended, 72, 8);
FROZEN(sluice_call, reply, 80, 8);
FROZEN(sluice_call, limit, 88, 8);
FROZEN(sluice_call, describe, 96, 8);

FROZEN(sluice_host, size, 0, 4);
FROZEN(sluice_host, abi_minor, 4, 4);
FROZEN(sluice_host, ctx, 8, 8);
FROZEN(sluice_host, log, 16, 8);
FROZEN(sluice_host, now_us, 24, 8);
FROZEN(sluice_host, metric, 32, 8);
FROZEN(sluice_host, get, 40, 8);
FROZEN(sluice_host, put, 48, 8);
FROZEN(sluice_host, secret, 56, 8);
FROZEN(sluice_host, http, 64, 8);
FROZEN(sluice_host, extension, 72, 8);

FROZEN(sluice_connector, size, 0, 4);
FROZEN(sluice_connector, kind, 4, 4);
FROZEN(sluice_connector, id, 8, 8);
FROZEN(sluice_connector, create, 16, 8);
FROZEN(sluice_connector, destroy, 24, 8);
FROZEN(sluice_connector, check, 32, 8);
FROZEN(sluice_connector, plan, 40, 8);
FROZEN(sluice_connector, interpret, 48, 8);
FROZEN(sluice_connector, fetch, 56, 8);
FROZEN(sluice_connector, receive, 64, 8);
FROZEN(sluice_connector, deliver, 72, 8);
FROZEN(sluice_connector, read, 80, 8);
FROZEN(sluice_connector, discover, 88, 8);
FROZEN(sluice_connector, provision, 96, 8);
FROZEN(sluice_connector, subscribe, 104, 8);
FROZEN(sluice_connector, unsubscribe, 112, 8);

FROZEN(sluice_plugin, size, 0, 4);
FROZEN(sluice_plugin, abi_minor, 4, 4);
FROZEN(sluice_plugin, needs_minor, 8, 4);
FROZEN(sluice_plugin, connector_count, 12, 4);
FROZEN(sluice_plugin, connectors, 16, 8);
FROZEN(sluice_plugin, manifest, 24, 8);

EXACTLY(sluice_str, 16);
EXACTLY(sluice_header, 32);
AT_LEAST(sluice_record, 184);
AT_LEAST(sluice_batch, 24);
AT_LEAST(sluice_outcome, 72);
AT_LEAST(sluice_request, 128);
AT_LEAST(sluice_response, 104);
AT_LEAST(sluice_incoming, 120);
AT_LEAST(sluice_reply, 56);
AT_LEAST(sluice_open, 72);
AT_LEAST(sluice_poll, 64);
AT_LEAST(sluice_plan, 32);
AT_LEAST(sluice_interpret, 32);
AT_LEAST(sluice_discover, 24);
AT_LEAST(sluice_provision, 40);
AT_LEAST(sluice_subscribe, 56);
AT_LEAST(sluice_call, 104);
AT_LEAST(sluice_host, 80);
AT_LEAST(sluice_connector, 120);
AT_LEAST(sluice_plugin, 32);
EXACTLY(sluice_status, 4);
HOLDS((sluice_status)-1 < 0);

VALUE(SLUICE_ABI_MAJOR, 1);
VALUE(SLUICE_PADDING, 64);
VALUE(SLUICE_OK, 0);
VALUE(SLUICE_RETRY, 1);
VALUE(SLUICE_INVALID, 2);
VALUE(SLUICE_AUTH, 3);
VALUE(SLUICE_CANCELLED, 4);
VALUE(SLUICE_INTERNAL, 5);
VALUE(SLUICE_UNSUPPORTED, 6);
VALUE(SLUICE_THROTTLE, 7);
VALUE(SLUICE_SKIPPED, 8);
VALUE(SLUICE_UNKNOWN, 9);
VALUE(SLUICE_GONE, 10);
VALUE(SLUICE_NO_TIME, INT64_MIN);

VALUE(SLUICE_SOURCE, 1);
VALUE(SLUICE_DESTINATION, 2);
VALUE(SLUICE_EVENT, 1);
VALUE(SLUICE_UPSERT, 2);
VALUE(SLUICE_DELETE, 3);
VALUE(SLUICE_ENTER, 4);
VALUE(SLUICE_LEAVE, 5);
VALUE(SLUICE_MESSAGE, 6);
VALUE(SLUICE_MERGE, 7);
VALUE(SLUICE_ERASE, 8);
VALUE(SLUICE_CONSENT, 9);
VALUE(SLUICE_SNAPSHOT_BEGIN, 10);
VALUE(SLUICE_SNAPSHOT_END, 11);
VALUE(SLUICE_TRACE, 0);
VALUE(SLUICE_DEBUG, 1);
VALUE(SLUICE_INFO, 2);
VALUE(SLUICE_WARN, 3);
VALUE(SLUICE_ERROR, 4);
VALUE(SLUICE_COUNTER, 0);
VALUE(SLUICE_GAUGE, 1);
VALUE(SLUICE_SECONDS, 2);
VALUE(SLUICE_FOR_CHECK, 1);
VALUE(SLUICE_FOR_FETCH, 2);
VALUE(SLUICE_FOR_PLAN, 3);
VALUE(SLUICE_FOR_DISCOVER, 4);
VALUE(SLUICE_FOR_PROVISION, 5);
VALUE(SLUICE_FOR_SUBSCRIBE, 6);
VALUE(SLUICE_FOR_UNSUBSCRIBE, 7);
VALUE(SLUICE_GZIP, 1);
VALUE(SLUICE_NO_AUTH, 2);
VALUE(SLUICE_INCREMENTAL, 0);
VALUE(SLUICE_FULL, 1);
VALUE(SLUICE_UNTIL_IDLE, 1);
VALUE(SLUICE_PROVISION_AUDIENCE, 1);
VALUE(SLUICE_PROVISION_LIST, 2);
VALUE(SLUICE_OPTED_OUT, 1);
VALUE(SLUICE_UNREACHABLE, 2);
