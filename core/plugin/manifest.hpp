// The manifest of a plugin: read out of the file's ELF section .sluice_manifest without running any of its
// code, and parsed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/auth.hpp"
#include "plugin/identifiers.hpp"
#include "plugin/rate_headers.hpp"
#include "plugin/webhook_route.hpp"

namespace sluice::plugin {

inline constexpr std::size_t manifest_bytes_max = 1 << 20;

struct Rate {
  std::string bucket = {};
  double count = 0;
  DurationUs per = us_per_s;
};

// One connector of a manifest.
struct ManifestInfo {
  std::string id = {}, title = {};
  std::uint32_t kind = 0;  // SLUICE_SOURCE | SLUICE_DESTINATION
  std::uint32_t ops =
      0;  // bit 1 << SLUICE_EVENT, ...: what a destination takes; all when the manifest does not say
  bool named_ops = false;        // the manifest says
  std::uint32_t unsafe_ops = 0;  // likewise: sending them twice does harm (no idempotency key over there)

  std::uint32_t batch_records = 100;
  std::uint64_t batch_bytes = 1 << 20;
  // The records of one request are accepted together or not at all: none is to be repeated (RETRY, THROTTLE,
  // AUTH, UNKNOWN) while another is done. Only then may one request hold several records of a person.
  bool all_or_nothing = false;
  std::string group_by = {};  // "key", "op", "name": records of one batch share it; empty: none
  std::uint32_t parallel =
      1;  // requests in flight that the vendor likes; for deliver(): always one at a time
  std::vector<Rate> rates = {};  // the first is the default bucket
  std::vector<RateHeaders> rate_headers = {};

  std::string base_url = {};                     // template
  std::vector<std::string> base_urls_else = {};  // where that one's fields are not set: the first whose are
  std::vector<std::string> hosts = {};           // "*.braze.com", "rest.example.com:8443"
  Auth auth;
  std::vector<Auth> auths_else = {};  // likewise
  DurationUs timeout = 30 * us_per_s;
  bool network = false, files = false;  // what deliver() and read() need

  std::vector<AskedIdentifier> identifiers = {};  // what a record's `identifiers` holds
  DurationUs settle = 0;  // for so long ENTER and LEAVE wait for a later one of the same person and audience
  std::string channel = {};                       // email, sms, push, ads: addresses of messages; empty: none

  std::optional<DurationUs> poll_every = {};
  std::vector<std::string> streams = {};
  std::vector<WebhookRoute> routes = {};

  std::string text = {};                              // the connector's own object in the manifest
  std::string config_schema = {}, input_schema = {};  // JSON Schema texts; empty: none
  std::vector<std::string> secrets = {};              // fields of `config` marked x-secret

  bool takes(std::uint32_t op) const { return op < 32 && (ops >> op & 1U) != 0; }
  bool takes_snapshots() const {
    return named_ops && takes(SLUICE_SNAPSHOT_BEGIN) && takes(SLUICE_SNAPSHOT_END);
  }
  bool unsafe(std::uint32_t op) const { return op < 32 && (unsafe_ops >> op & 1U) != 0; }
};

struct Manifest {
  std::string plugin = {}, version = {};
  std::vector<ManifestInfo> connectors = {};
};

// The text of section .sluice_manifest of a 64-bit little-endian ELF file, given its bytes. Every offset is
// checked. [any]
Result<std::string> manifest_section(std::string_view elf);

// Unknown members are left alone: newer plugins say more. Unknown kinds and operations are refused.
// "abi_major" and "needs_minor", where they stand, must be what this hub has.
Result<Manifest> parse_manifest(std::string_view text);  // [any]

}  // namespace sluice::plugin
