#include "plugin/manifest.hpp"

#include <catch2/catch.hpp>

#include "sluice/plugin.h"

using namespace sluice;
using namespace sluice::plugin;

namespace {

std::string with(const std::string& members) {
  return R"({"plugin": "p", "connectors": [{"id": "p.a", "kind": "destination")" +
         (members.empty() ? "" : ", " + members) + "}]}";
}

ManifestInfo info_of(const std::string& members) {
  return parse_manifest(with(members)).value().connectors.at(0);
}

bool refused(const std::string& text, const std::string& because) {
  const Result<Manifest> parsed = parse_manifest(text);
  return !parsed && parsed.error().detail.find(because) != std::string::npos;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("what a manifest leaves out has its default") {
  const ManifestInfo info = info_of("");
  CHECK((info.batch_records == 100 && info.batch_bytes == 1 << 20 && info.parallel == 1));
  CHECK((info.takes(SLUICE_EVENT) && info.takes(SLUICE_CONSENT) && !info.unsafe(SLUICE_MESSAGE)));
  CHECK((info.auth.kind == AuthKind::none && info.identifiers.empty() && info.timeout == 30 * us_per_s &&
         !info.poll_every));
  CHECK(info.title == "p.a");
}

TEST_CASE("a manifest's members are read") {
  const ManifestInfo info = info_of(R"("ops": ["event", "message"], "unsafe": ["message"], "channel": "email",
    "batch": {"max_records": 75, "max_bytes": 1000, "group_by": "key", "all_or_nothing": true}, "parallel": 4, "timeout_s": 1.5,
    "rate": [{"bucket": "track", "per_minute": 50000}], "hosts": ["*.a.test"], "base_url": "{config.endpoint}",
    "auth": {"type": "header", "name": "authorization", "value": "Bearer {secret.key}"}, "identifiers": [{"type": "email", "hash": "sha256"}],
    "poll": {"every_s": 5}, "streams": [{"name": "rows"}, "others"], "network": true,
    "routes": [{"path": "/hook", "methods": ["POST"]}],
    "config": {"properties": {"key": {"type": "string", "x-secret": true}, "endpoint": {"type": "string"}}})");
  CHECK((info.takes(SLUICE_MESSAGE) && !info.takes(SLUICE_UPSERT) && info.unsafe(SLUICE_MESSAGE)));
  CHECK((info.channel == "email" && info.batch_records == 75 && info.group_by == "key" &&
         info.parallel == 4 && info.all_or_nothing));
  CHECK(info.timeout == 1'500'000);
  REQUIRE(info.rates.size() == 1);
  CHECK((info.rates[0].count == 50'000 && info.rates[0].per == us_per_min));
  CHECK((info.auth.kind == AuthKind::header && info.identifiers.at(0).sha256 &&
         info.poll_every == 5 * us_per_s && info.network));
  CHECK((info.identifiers.at(0).type == "email" && info.streams == Texts{"rows", "others"} &&
         info.secrets == Texts{"key"}));
  CHECK((info.routes.size() == 1 && info.routes[0].methods == Texts{"POST"}));
}

TEST_CASE("what a manifest must not say is refused with its name") {
  CHECK(refused("{", "no JSON object"));
  CHECK(refused(R"({"connectors": [{}]})", "'plugin'"));
  CHECK(refused(R"({"plugin": "p"})", "'connectors'"));
  CHECK(refused(R"({"plugin": "p", "abi_major": 2, "connectors": [{}]})", "version 2.0"));
  CHECK(refused(R"({"plugin": "p", "connectors": [{"id": "a", "kind": "sink"}]})", "'kind'"));
  CHECK(refused(
      R"({"plugin": "p", "connectors": [{"id": "a", "kind": "source"}, {"id": "a", "kind": "source"}]})",
      "twice"));
  CHECK(refused(with(R"("ops": ["teleport"])"), "'teleport'"));
  CHECK(refused(with(R"("unsafe": "message")"), "'unsafe' is no list"));
  CHECK(refused(with(R"("batch": {"max_records": 0})"), "'batch.max_records'"));
  CHECK(refused(with(R"("batch": {"group_by": "moon"})"), "'batch.group_by'"));
  CHECK(refused(with(R"("rate": [{"per_fortnight": 3}])"), "'rate'"));
  CHECK(refused(with(R"("auth": {"type": "magic"})"), "'magic'"));
  CHECK(refused(with(R"("auth": {"type": "header"})"), "'name' and 'value'"));
  CHECK(refused(with(R"("hash": "sha256")"), "'hash' stands with each identifier"));
  CHECK(refused(with(R"("timeout_s": -1)"), "'timeout_s'"));
}
