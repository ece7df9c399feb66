// Addresses at which nothing arrives, as the destination has said: nothing more is sent there for a while.
#include <charconv>
#include <cstdio>

#include "base/hash.hpp"
#include "deliver/lane_parts.hpp"

namespace sluice::deliver {

// The store keeps a hash: which address it was, it does not say.
std::string Lane::unreachable_key(const std::string& address) const {
  char hash[17];
  (void)std::snprintf(hash, sizeof hash, "%016llx",
                      static_cast<unsigned long long>(hash64(address, hash64(name()))));
  return "unreachable/" + name() + '/' + hash;
}

bool Lane::is_unreachable(const Effect& effect) const {
  if (effect.op != Operation::message || effect.address.empty() || options_.database == nullptr) return false;
  const auto said = options_.database->meta(unreachable_key(effect.address));
  if (!said || !said.value()) return false;
  TimeUs at = 0;
  (void)std::from_chars(said.value()->data(), said.value()->data() + said.value()->size(), at);
  return steady_wall() - at < unreachable_for;
}

// With the outcomes, before these: whoever has ended is not looked at again.
Status Lane::write_unreachable() {
  for (const std::string& key : unreachable_)
    SLUICE_TRY(options_.database->put_meta(key, std::to_string(steady_wall())));
  unreachable_.clear();
  return Done{};
}

}  // namespace sluice::deliver
