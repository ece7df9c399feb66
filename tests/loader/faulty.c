/* A connector with one planted fault in its table or its manifest, for which it is refused before any of its
 * code runs; see CMakeLists.txt. */
#include "sluice/plugin.h"

__attribute__((unused)) static sluice_status create(const sluice_host* host, const sluice_open* open,
                                                    sluice_call* call, sluice_instance** out) {
  (void)host;
  (void)open;
  (void)call;
  (void)out;
  return SLUICE_INTERNAL;
}

static void destroy(sluice_instance* instance) {
  (void)instance;
}

__attribute__((unused)) static sluice_status plan(sluice_instance* instance, const sluice_plan* records,
                                                  sluice_call* call) {
  (void)instance;
  (void)records;
  (void)call;
  return SLUICE_INTERNAL;
}

static sluice_status fetch(sluice_instance* instance, const sluice_poll* poll, sluice_call* call) {
  (void)instance;
  (void)poll;
  (void)call;
  return SLUICE_INTERNAL;
}

#define MANIFEST(name, extra)                                                                            \
  "{\"plugin\": \"" name "\", \"version\": \"1.0.0\"" extra                                              \
  ", \"connectors\": [{\"id\": \"planted.both\", \"kind\": [\"source\", \"destination\"],"               \
  "\"base_url\": \"{config.endpoint}\", \"hosts\": [\"api.example.com\"],"                               \
  "\"auth\": {\"type\": \"header\", \"name\": \"authorization\", \"value\": \"Bearer {secret.token}\"}," \
  "\"config\": {\"properties\": {\"endpoint\": {\"type\": \"string\"},"                                  \
  "\"token\": {\"type\": \"string\", \"x-secret\": true}}}}]}"

#if defined(PLANT_OTHER_NAME)
#define TEXT MANIFEST("planted_again", "")
#elif defined(PLANT_NEWER_MANIFEST)
#define TEXT MANIFEST("newer", ", \"needs_minor\": 99")
#elif defined(PLANT_NO_JSON)
#define TEXT "{\"plugin\": "
#else
#define TEXT MANIFEST("faulty", "")
#endif
#if !defined(PLANT_NO_MANIFEST)
__attribute__((section(".sluice_manifest"), used)) static const char text[] = TEXT;
#endif

#if defined(PLANT_UNRESOLVED)
void nobody_defines_this(void);
__attribute__((used)) static void calls_it(void) {
  nobody_defines_this();
}
#endif

/* clang-format off */
static const sluice_connector connector = {
#if defined(PLANT_WRONG_KIND)
  .kind = SLUICE_SOURCE,
#else
  .kind = SLUICE_SOURCE | SLUICE_DESTINATION,
#endif
#if defined(PLANT_WRONG_ID)
  .id = "another.id",
#else
  .id = "planted.both",
#endif
#if !defined(PLANT_NO_CREATE)
  .create = create,
#endif
#if !defined(PLANT_NO_WAY_IN)
  .plan = plan,
#endif
  .size = sizeof(sluice_connector), .destroy = destroy, .fetch = fetch};
/* clang-format on */
static const sluice_connector* const connectors[] = {&connector};

#if defined(PLANT_NEWER_TABLE)
#define NEEDS_MINOR 99
#else
#define NEEDS_MINOR 0
#endif
#if defined(PLANT_OTHER_MAJOR)
#define TABLE sluice_plugin_v2
extern SLUICE_EXPORT const sluice_plugin sluice_plugin_v2;
#else
#define TABLE sluice_plugin_v1
#endif
const sluice_plugin TABLE = {sizeof(sluice_plugin), SLUICE_ABI_MINOR, NEEDS_MINOR, 1, connectors, TEXT};
