/* clang-format off */
/* sluice/plugin.h - the plugin ABI of Sluice, major 1. C99 and C++. THE CONTRACT, unless a comment says otherwise:
 *
 *  memory   Every pointer is BORROWED until the call it was passed to returns; the receiver copies what it keeps.
 *           Nobody ever frees the other side's memory: this ABI has no free function.
 *           const char* is constant, NUL-terminated, and lives as long as the library.
 *  text     sluice_str: UTF-8, pointer and length, not NUL-terminated. {NULL,0} means absent, and an empty text means
 *           the same: either may arrive as the other.
 *  time     *_us: int64 microseconds since 1970-01-01 UTC; SLUICE_NO_TIME: none. *_ms: milliseconds, 0: the default.
 *  errors   A function returns a SLUICE_* status; call->fail() attaches text. No exception, longjmp or exit() crosses;
 *           no signal handler is installed. Non-zero from a host callback: stop, return it.
 *           Of one: INVALID and UNSUPPORTED: never again; AUTH: the credentials; CANCELLED: the host asked; any other:
 *           again later. No text handed over as a reason, detail or log line holds personal data or secrets.
 *  commit   What a function emits through its sluice_call counts only if it returns SLUICE_OK; after another status,
 *           a crash or a missed deadline the host drops it all. (read() commits at each checkpoint().)
 *  growth   A struct passed by pointer starts with `size`, its sizeof() where it was written. Fields are only ever
 *           appended: test one newer than 1.0 with SLUICE_HAS(), an optional function with SLUICE_OFFERS(). The host
 *           takes what a struct of yours is too short for as 0, and does not look at what it has beyond; one without
 *           its size is refused with SLUICE_INTERNAL. Zero what you do not set. Arrays carry a stride. `reserved` is 0.
 *           Unknown ops, kinds and flags are refused or skipped, never guessed.
 *  threads  [serial] never two calls at once on one instance, though on changing threads; other instances may be
 *           created, called and destroyed meanwhile. All functions of sluice_connector are [serial].
 *           [the calling thread] the thread of a call that is running. [any] any thread, from the beginning of
 *           create() to the end of destroy().
 *  process  All of it is the same in the hub's process and in an isolated child: no globals shared with other
 *           plugins, no memory that outlives a restart. What must survive goes into state, cursors or put(). A child
 *           may end without destroy(). No process is started; threads of your own end in destroy().
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_MAJOR 1 /* is in the entry symbol's name: another major is another symbol */
#define SLUICE_ABI_MINOR 0 /* +1 for each append; a host serves every plugin of its major */
#define SLUICE_PADDING  64 /* readable bytes past every payload, identifiers and body: parse in place, no copy */
#define SLUICE_NO_TIME INT64_MIN
#define SLUICE_EXPORT __attribute__((visibility("default")))
#define SLUICE_HAS(p, f) (offsetof(__typeof__(*(p)), f) + sizeof((p)->f) <= (p)->size)
#define SLUICE_OFFERS(p, f) (SLUICE_HAS(p, f) && (p)->f)

typedef struct sluice_str { const char* ptr; size_t len; } sluice_str;       /* frozen: carries no size */
typedef struct sluice_header { sluice_str name, value; } sluice_header;      /* frozen: carries no size */
typedef struct sluice_instance sluice_instance;                              /* the plugin's own */
typedef struct sluice_call sluice_call;
typedef struct sluice_host sluice_host;

/* What a function returns, and what becomes of a record. Macros: an enum's size depends on the compiler.
 * An unknown value means SLUICE_INTERNAL. */
typedef int32_t sluice_status; /* signed; never negative */
#define SLUICE_OK          0 /* done; delivered */
#define SLUICE_RETRY       1 /* transient: the host repeats with back-off */
#define SLUICE_INVALID     2 /* permanent: bad configuration, or data that can never succeed: a dead letter */
#define SLUICE_AUTH        3 /* credentials refused: refreshed once, then the connection pauses */
#define SLUICE_CANCELLED   4 /* stopped because the host asked */
#define SLUICE_INTERNAL    5 /* a bug or out of memory: the plugin may be restarted */
#define SLUICE_UNSUPPORTED 6 /* this side does not offer it */
#define SLUICE_THROTTLE    7 /* too fast: not this record alone but its whole lane waits */
#define SLUICE_SKIPPED     8 /* nothing to do (no address, nothing mapped): no dead letter */
#define SLUICE_UNKNOWN     9 /* sent, and nobody knows whether it arrived */
#define SLUICE_GONE       10 /* of a record: what its audience_id, else its remote_id, named is not there any more: the
                              * host forgets the id, provisions the audience anew, and repeats the record */

/* Kinds of connector: a set of bits. */
enum { SLUICE_SOURCE = 1, SLUICE_DESTINATION = 2 };

/* Operations of a record. A source emits EVENT (any row that is there), DELETE (`entity` is gone) and the marks; what
 * receive() of a destination emits stands there. */
enum {
  SLUICE_EVENT = 1,
  SLUICE_UPSERT = 2,          /* a profile: only what changed since its last upsert; an explicit null removes a field */
  SLUICE_DELETE = 3,          /* a profile leaves this destination */
  SLUICE_ENTER = 4,           /* the person is in the audience `name` ... */
  SLUICE_LEAVE = 5,           /* ... or no longer */
  SLUICE_MESSAGE = 6,         /* one message to `address`, of the template `name` */
  SLUICE_MERGE = 7,           /* payload {"from": old profile id, "to": the one that stays} */
  SLUICE_ERASE = 8,           /* forget the person for good, which DELETE does not; remote_id of the outcome: a receipt */
  SLUICE_CONSENT = 9,         /* payload {"purpose": ..., "granted": true|false, "time": ...} */
  SLUICE_SNAPSHOT_BEGIN = 10, /* a full refresh of stream or audience `name` begins: a destination then gets an ENTER
                               * for each member, see sluice_plan ... */
  SLUICE_SNAPSHOT_END = 11    /* ... and ends: what did not come between the two is gone */
};

enum { SLUICE_TRACE = 0, SLUICE_DEBUG = 1, SLUICE_INFO = 2, SLUICE_WARN = 3, SLUICE_ERROR = 4 };
enum { SLUICE_COUNTER = 0, SLUICE_GAUGE = 1, SLUICE_SECONDS = 2 };

/* Why a request was made: comes back with its response, so that each answer finds its judge. */
enum {
  SLUICE_FOR_CHECK = 1, SLUICE_FOR_FETCH = 2, SLUICE_FOR_PLAN = 3, SLUICE_FOR_DISCOVER = 4,
  SLUICE_FOR_PROVISION = 5, SLUICE_FOR_SUBSCRIBE = 6, SLUICE_FOR_UNSUBSCRIBE = 7
};

enum { SLUICE_GZIP = 1, SLUICE_NO_AUTH = 2 };                            /* sluice_request.flags */
enum { SLUICE_INCREMENTAL = 0, SLUICE_FULL = 1 };                        /* sluice_poll.mode */
enum { SLUICE_UNTIL_IDLE = 1 };                                          /* sluice_poll.flags */
enum { SLUICE_PROVISION_AUDIENCE = 1, SLUICE_PROVISION_LIST = 2 };       /* sluice_provision.kind */
enum { SLUICE_OPTED_OUT = 1, SLUICE_UNREACHABLE = 2 };                   /* sluice_outcome.receiver */

/* ---- records ---------------------------------------------------------------------------------------------------- */

typedef struct sluice_record { /* destinations receive it; sources, and receive() of a destination, emit it */
  uint32_t size;
  uint32_t op;            /* SLUICE_EVENT, ... */
  uint32_t attempt;       /* destination: 1 on the first try. source: 0 */
  uint32_t reserved;
  int64_t time_us;        /* when it happened; SLUICE_NO_TIME: the source does not know */
  sluice_str id;          /* destination: the idempotency key, the same on every retry; receive() emits the MESSAGE's */
  sluice_str key;         /* destination: permanent profile id, absent if there is none.
                           * emitted: a stable id of this row, change or callback: drops duplicates */
  sluice_str entity;      /* source: the vendor's own key of the object: what a delete names */
  sluice_str name;        /* event, audience or template; source: its stream; receive() of a destination: see there */
  sluice_str payload;     /* one JSON object; destination: mapped, padded; of a MESSAGE: as the manifest's "input" says */
  sluice_str identifiers; /* destination: JSON object {"user_id": ["..."], "email": ["..."]} with the types that the
                           * manifest asks for, normalised and hashed as it asks; "{}" if the person has none.
                           * receive() of a destination: whom it is about, as the vendor writes them */
  sluice_str address;     /* destination: a message's receiver */
  sluice_str remote_id;   /* destination: what an earlier outcome of this person said; else absent. receive() of a
                           * destination: what the outcome of the MESSAGE said that it is about */
  sluice_str audience_id; /* destination: of ENTER, LEAVE and the marks: what provision said of the audience `name`;
                           * absent where provision is not offered */
  sluice_str place;       /* source: where it stood, for messages: "orders.csv:12" */
} sluice_record;

/* Go through it with sluice_at(): its records may be longer than your sluice_record. count may be 0, then records NULL */
typedef struct sluice_batch { uint32_t size, stride, count, reserved; const void* records; } sluice_batch;

static inline const sluice_record* sluice_at(const sluice_batch* b, uint32_t i) {
#ifdef __cplusplus
  return static_cast<const sluice_record*>(
      static_cast<const void*>(static_cast<const char*>(b->records) + i * size_t{b->stride}));
#else
  return (const sluice_record*)(const void*)((const char*)b->records + (size_t)i * b->stride);
#endif
}

typedef struct sluice_outcome { /* the fate of one record */
  uint32_t size;
  sluice_status status;   /* OK, RETRY, INVALID, AUTH, THROTTLE, SKIPPED, UNKNOWN, GONE; CANCELLED is read as RETRY,
                           * UNSUPPORTED as INVALID, any other as a bug: RETRY, or UNKNOWN when a request was sent */
  uint32_t receiver;      /* of a MESSAGE, what the vendor says of its address: SLUICE_OPTED_OUT: its owner wants nothing
                           * more, which the host takes as a refusal; SLUICE_UNREACHABLE: nothing will ever arrive
                           * there; 0: nothing */
  uint32_t reserved;
  int64_t retry_after_ms; /* with RETRY and THROTTLE; -1: the host's back-off */
  sluice_str reason;      /* stable key for metrics: a-z, 0-9 and _, at most 64; else it counts as "other" */
  sluice_str detail;      /* text for people, cut at 1 KiB */
  sluice_str remote_id;   /* the vendor's id of the person, message or receipt: kept, handed back later; cut at 1 KiB */
} sluice_outcome;

/* ---- HTTP, which the host speaks: it owns TLS, pooling, credentials, limits, redirects --------------------------- */

typedef struct sluice_request {
  uint32_t size;
  uint32_t purpose;             /* 0: that of the call which makes it */
  uint32_t timeout_ms;          /* 0: the manifest's */
  uint32_t delay_ms;            /* not before now + delay: how an asynchronous job is polled */
  uint32_t flags;               /* SLUICE_GZIP, SLUICE_NO_AUTH */
  uint32_t header_count;
  uint32_t record_count;
  uint32_t reserved;
  sluice_str method, url;       /* both needed. "/path" on the manifest's base_url, or absolute on one of its "hosts" */
  const sluice_header* headers; /* no credentials: the host adds them as the manifest's "auth" says */
  const uint32_t* records;      /* purpose plan: indexes of the batch whose fate this request decides, one or more */
  sluice_str body;
  sluice_str state;             /* opaque, <= 64 KiB; back with the response, of interpret's requests after a crash too */
  sluice_str bucket;            /* rate limit of the manifest; absent: the first */
} sluice_request;

typedef struct sluice_response {
  uint32_t size;
  uint32_t purpose;                /* the request's */
  int32_t status;                  /* HTTP status; 0: no answer, `error` says why (network, TLS, time-out) */
  uint32_t header_count;
  uint32_t record_count;
  uint32_t reserved;
  int64_t retry_after_ms;          /* from Retry-After, seconds or date; -1: none */
  int64_t received_us;             /* when it came: what interpret, which has no clock, counts from */
  sluice_str body, state, error;   /* state: the request's */
  const sluice_header* headers;    /* names in lower case */
  const uint32_t* records;         /* the request's */
} sluice_response;

typedef struct sluice_incoming { /* a request on one of the manifest's routes, signature already verified */
  uint32_t size, header_count;
  sluice_str route;             /* the manifest's route that matched ("/contact/..." may hold wildcards) */
  sluice_str method, path, query, body;
  const sluice_header* headers; /* names in lower case */
  sluice_str peer;              /* the caller's IP address */
  int64_t received_us;
} sluice_incoming;

typedef struct sluice_reply { /* leaves only after the records that the call emitted are durable */
  uint32_t size;
  int32_t status;
  uint32_t header_count, reserved;
  const sluice_header* headers;
  sluice_str content_type, body;
} sluice_reply;

/* ---- what the calls are given ----------------------------------------------------------------------------------- */

typedef struct sluice_open { /* create */
  uint32_t size;
  uint32_t kind;         /* SLUICE_SOURCE or SLUICE_DESTINATION: as which it is configured; 0: any, for tools */
  sluice_str config;     /* `with:` as a JSON object, validated against the manifest's "config", without x-secret fields */
  sluice_str name;       /* the source's or destination's name in the configuration */
  sluice_str folder;     /* absolute: relative paths in `config` start here */
  sluice_str routes_url; /* where the manifest's routes stand in public: "https://hub.acme.test/in/sms"; else absent */
} sluice_open;

typedef struct sluice_poll { /* fetch, read */
  uint32_t size;
  uint32_t mode;            /* SLUICE_INCREMENTAL, SLUICE_FULL (everything again, between snapshot marks) */
  uint32_t flags;           /* SLUICE_UNTIL_IDLE: do not wait for more; say ended() at the end of what there is */
  uint32_t field_count;
  sluice_str stream;        /* one of the manifest's or of discover's streams; absent: the only one */
  sluice_str cursor;        /* this stream's last checkpoint; absent: from the start */
  int64_t since_us;         /* nothing older is wanted; SLUICE_NO_TIME: everything */
  const sluice_str* fields; /* the fields that the configuration reads; none: all */
} sluice_poll;

/* plan, deliver. One batch holds one record of a person, in the person's order, unless the manifest says that a request
 * is taken or refused as a whole */
typedef struct sluice_plan {
  uint32_t size;
  uint32_t part;       /* 0: no snapshot; else the batch is this part of `snapshot`, from 1 */
  const sluice_batch* batch;
  /* A snapshot of one audience: part 1 begins with SNAPSHOT_BEGIN, the last part ends with SNAPSHOT_END, between them
   * stand ENTERs. Parts come one at a time, each when the one before has been delivered as a whole, and nothing else of
   * the audience meanwhile. A part comes again, after a crash too, with the same id, number and records, or fewer where
   * persons withdrew. plan makes one request of it, and may leave out records from some point on: the next part begins
   * there. INVALID ends the snapshot. */
  sluice_str snapshot; /* its id */
} sluice_plan;

typedef struct sluice_interpret { /* interpret */
  uint32_t size, reserved;
  const sluice_response* response;
  const sluice_batch* batch; /* of plan: its records; after a restart the response's alone, from 0 on; else NULL */
  const sluice_poll* poll;   /* of fetch: the same poll; else NULL */
} sluice_interpret;

typedef struct sluice_discover { /* discover */
  uint32_t size, reserved;
  sluice_str stream; /* absent: all streams, without their fields; else this one with its fields */
} sluice_discover;

typedef struct sluice_provision { /* provision */
  uint32_t size;
  uint32_t kind;        /* SLUICE_PROVISION_AUDIENCE, ... */
  sluice_str name;      /* what it is to be called over there */
  sluice_str remote_id; /* the id kept from an earlier time: to be verified, or made anew; else absent */
} sluice_provision;

typedef struct sluice_subscribe { /* subscribe, unsubscribe */
  uint32_t size, reserved;
  sluice_str route;     /* of the manifest */
  sluice_str url;       /* the hub's public URL of that route */
  sluice_str remote_id; /* unsubscribe: what subscribe's outcome said */
} sluice_subscribe;

/* ---- given to each function, dead when it returns. Emitters copy. [the calling thread] --------------------------- *
 * An emitter that the function has not (they are named before each) returns SLUICE_UNSUPPORTED and emits nothing. */

struct sluice_call {
  uint32_t size, reserved;
  int64_t deadline_us;                /* past it an isolated plugin is killed; INT64_MAX: none (read) */
  int32_t (*cancelled)(sluice_call*); /* [any] until the call returns; non-zero: stop soon */
  sluice_status (*fail)(sluice_call*, sluice_status, sluice_str why); /* returns its status argument */
  /* plan, interpret, fetch, check, discover, provision, subscribe, unsubscribe */
  sluice_status (*request)(sluice_call*, const sluice_request*);
  /* plan, interpret, deliver: of the batch's record `index`. provision, subscribe, unsubscribe, and interpreting them
   * or a check: index 0, with remote_id. The first outcome counts; a record without any is a bug that costs it a
   * retry */
  sluice_status (*outcome)(sluice_call*, uint32_t index, const sluice_outcome*);
  /* sources, and receive() of a destination; blocks while downstream is full */
  sluice_status (*record)(sluice_call*, const sluice_record*);
  /* sources: a row that cannot be read. Goes to the rejects file and is never seen again. key: as sluice_record's;
   * place: "orders.csv:12"; reason: snake_case key; text: the row as it stood, in whatever encoding */
  sluice_status (*reject)(sluice_call*, sluice_str key, sluice_str place, sluice_str reason, sluice_str text);
  /* sources: go on from here; atomic with the records and rejects so far */
  sluice_status (*checkpoint)(sluice_call*, sluice_str cursor);
  /* fetch, interpret, read: the source has no more, and will not have until it is started again. Without it the host
   * polls again after a pause */
  sluice_status (*ended)(sluice_call*);
  /* receive; the last one counts; default 204 */
  sluice_status (*reply)(sluice_call*, const sluice_reply*);
  /* plan, interpret, fetch and what is pure as they are: what the vendor's headers say is left of a bucket, and when it
   * is full again */
  sluice_status (*limit)(sluice_call*, sluice_str bucket, int64_t remaining, int64_t reset_us);
  /* discover, interpreting it: one stream as {"name", "title", "key", "fields": [{"name", "type", "title", "values"}]}.
   * name: what sluice_poll.stream says; key: the field that is `entity`; type: string, integer, number, boolean, date,
   * datetime (RFC 3339), object, array, where unsure string; values: the list that it is picked from. Only the stream's
   * name is needed */
  sluice_status (*describe)(sluice_call*, sluice_str stream);
};

typedef void (*sluice_sink)(void* arg, sluice_str value); /* called at most once, before the service returns */
typedef void (*sluice_http_sink)(void* arg, const sluice_response*);

struct sluice_host { /* services, valid from create() until destroy() returns */
  uint32_t size, abi_minor;
  void* ctx;
  /* [any] these three, though not what they were given. One line, cut at 1 KiB; more than 100 a call may be dropped */
  void (*log)(const sluice_host*, int32_t level, sluice_str text);
  int64_t (*now_us)(const sluice_host*); /* tests drive it: read no other clock */
  void (*metric)(const sluice_host*, int32_t kind, sluice_str name, double value);
  /* [the calling thread] from here on; not in plan, interpret and fetch, which are pure, nor in destroy.
   * Small durable state, per connection, at most 64 KiB a value. get of an absent key: SLUICE_OK, no call of the sink;
   * put of {NULL,0} erases. RETRY: it cannot be read or written now; INVALID: no key, or too long a value */
  sluice_status (*get)(const sluice_host*, sluice_str key, sluice_sink, void* arg);
  sluice_status (*put)(const sluice_host*, sluice_str key, sluice_str value);
  /* the x-secret fields of the configuration; one that is unknown or not set: SLUICE_INVALID. Here in plan too: what
   * it says does not change while the instance lives */
  sluice_status (*secret)(const sluice_host*, sluice_str name, sluice_sink, void* arg);
  /* blocks; deliver and read alone. SLUICE_OK: the sink got a response, even if its status is 0. INVALID: it was not
   * sent, since the manifest does not allow where it leads */
  sluice_status (*http)(const sluice_host*, const sluice_request*, sluice_http_sink, void* arg);
  const void* (*extension)(const sluice_host*, const char* id); /* [any] "name/1"; NULL: not offered. Constant */
};

/* ---- what a plugin offers ---------------------------------------------------------------------------------------- */

typedef struct sluice_connector { /* NULL where not implemented. Destination: plan or deliver. Source: fetch, receive or
                                   * read */
  uint32_t size, kind;            /* kind: SLUICE_SOURCE | SLUICE_DESTINATION */
  const char* id;                 /* "acme.push"; also in the manifest */
  /* One instance for each configured source or destination. OK: *out is set, not NULL, and destroy() is called for it,
   * once, unless its process ends before; else nothing is left behind */
  sluice_status (*create)(const sluice_host*, const sluice_open*, sluice_call*, sluice_instance** out);
  void (*destroy)(sluice_instance*); /* no call is running */
  /* "test connection": request() something harmless. Judged by interpret()'s outcome 0, else by the HTTP status */
  sluice_status (*check)(sluice_instance*, sluice_call*);

  /* Pure, [serial]: no I/O, no clock, no memory of earlier calls; equal input gives equal output.
   * plan: each record ends in one request or one outcome. */
  sluice_status (*plan)(sluice_instance*, const sluice_plan*, sluice_call*);
  /* By response->purpose. plan: an outcome for each of response->records, or a further request() carrying them; other
   * than SLUICE_OK: they are retried. NULL means: 2xx OK; 429 THROTTLE; 0, 408, 425, 5xx RETRY; 401 AUTH; the rest
   * INVALID. fetch: record(), reject(), checkpoint(), request() the next page. discover: describe() or request() the
   * rest. check, provision, subscribe, unsubscribe: outcome() 0, or a further request(); without both the HTTP status
   * decides */
  sluice_status (*interpret)(sluice_instance*, const sluice_interpret*, sluice_call*);
  /* source, when polled: request() pages after the cursor */
  sluice_status (*fetch)(sluice_instance*, const sluice_poll*, sluice_call*);
  /* both kinds: vendors call back. Other than SLUICE_OK: nothing of it counts and no reply() leaves. A source emits rows.
   * A destination emits what became of its messages and what their receivers want, each with a `key`:
   *   EVENT    remote_id: the message's, of its outcome, or id: its record's; without both, identifiers: the person's.
   *            name: sent, delivered, failed, bounced, opened, clicked, complained or replied, in any order; what the
   *            host knows no message or person of is dropped. payload: facts, such as {"error": "30006", "url": ...}
   *   CONSENT  identifiers: {"phone": ["+33612345678"]}, or remote_id. payload {"granted": true|false, "proof": ...},
   *            for the channel of the manifest; proof: text for people, such as "STOP" */
  sluice_status (*receive)(sluice_instance*, const sluice_incoming*, sluice_call*);

  /* Blocking, [serial], for what is not HTTP (SMTP, Kafka, SQL, files); sockets only if the manifest says "network".
   * deliver: each record ends in one outcome. Another status than SLUICE_OK leaves it unknown which records were sent,
   * and what may not be sent twice is held; but SLUICE_AUTH promises that none was. */
  sluice_status (*deliver)(sluice_instance*, const sluice_plan*, sluice_call*);
  /* Source: emits what there is after the cursor, checkpoints, returns. Without ended() it is called again after a
   * pause with the last checkpoint; it may stay longer, watching cancelled() */
  sluice_status (*read)(sluice_instance*, const sluice_poll*, sluice_call*);

  /* As plan: pure, by request() and interpret(). What is known without asking may be said at once, by describe() or
   * outcome() 0. */
  sluice_status (*discover)(sluice_instance*, const sluice_discover*, sluice_call*);     /* streams, fields, values */
  sluice_status (*provision)(sluice_instance*, const sluice_provision*, sluice_call*);   /* find it, or else create it:
                                                                                          * asked again after a crash */
  sluice_status (*subscribe)(sluice_instance*, const sluice_subscribe*, sluice_call*);   /* register a webhook */
  sluice_status (*unsubscribe)(sluice_instance*, const sluice_subscribe*, sluice_call*);
} sluice_connector;

typedef struct sluice_plugin { /* the one exported symbol: constant data, looked at before any plugin code is called */
  uint32_t size, abi_minor;    /* first two fields of every major */
  uint32_t needs_minor;        /* refuse to load on a host older than this */
  uint32_t connector_count;
  const sluice_connector* const* connectors;
  const char* manifest;        /* JSON; the same text is ELF section .sluice_manifest, read without dlopen */
} sluice_plugin;
extern SLUICE_EXPORT const sluice_plugin sluice_plugin_v1;

#ifdef __cplusplus
}
#endif
#endif
