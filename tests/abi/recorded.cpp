// What abidiff walks: the plugin's one symbol leads to every struct and function of the header; enumerations
// without a name are reached by a variable each.
#include "sluice/plugin.h"

#define ENUMERATION(name, enumerator) extern "C" SLUICE_EXPORT const decltype(enumerator) name = enumerator

extern "C" const sluice_plugin sluice_plugin_v1 = {
    sizeof(sluice_plugin), SLUICE_ABI_MINOR, 0, 0, nullptr, "{}"};

ENUMERATION(kinds, SLUICE_SOURCE);
ENUMERATION(operations, SLUICE_EVENT);
ENUMERATION(log_levels, SLUICE_TRACE);
ENUMERATION(metric_kinds, SLUICE_COUNTER);
ENUMERATION(purposes, SLUICE_FOR_CHECK);
ENUMERATION(request_flags, SLUICE_GZIP);
ENUMERATION(poll_modes, SLUICE_INCREMENTAL);
ENUMERATION(poll_flags, SLUICE_UNTIL_IDLE);
ENUMERATION(provision_kinds, SLUICE_PROVISION_AUDIENCE);
ENUMERATION(receivers, SLUICE_OPTED_OUT);
