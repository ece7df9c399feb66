#include "state/backfill.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace sluice::state {

SeriesNeeds Backfill::needs_of(std::uint64_t series) const {
  const auto at =
      std::find_if(kept.begin(), kept.end(), [&](const KeptSeries& k) { return k.series == series; });
  return at == kept.end() ? SeriesNeeds{} : at->needs;
}

bool Backfill::is_new_route(NameId route) const {
  return std::find(new_routes.begin(), new_routes.end(), route) != new_routes.end();
}

std::string Backfill::encode() const {
  std::string out;
  ByteWriter w(out);
  w.varint(id);
  w.varint(switched);
  w.u64(after);
  w.varint(kept.size());
  for (const KeptSeries& k : kept) {
    w.u64(k.series);
    w.zigzag(k.needs.window_max);
    w.u8(static_cast<std::uint8_t>((k.needs.values ? 1 : 0) | (k.needs.distinct ? 2 : 0) |
                                   (k.needs.totals ? 4 : 0)));
  }
  w.varint(new_routes.size());
  for (const NameId route : new_routes) w.u64(route);
  return out;
}

Backfill Backfill::decode(std::string_view bytes) {
  Backfill out;
  if (bytes.empty()) return out;
  ByteReader r(bytes);
  out.id = r.varint();
  out.switched = r.varint();
  out.after = r.u64();
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    KeptSeries k;
    k.series = r.u64();
    k.needs.window_max = r.zigzag();
    const std::uint8_t bits = r.u8();
    k.needs.values = (bits & 1) != 0;
    k.needs.distinct = (bits & 2) != 0;
    k.needs.totals = (bits & 4) != 0;
    out.kept.push_back(k);
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) out.new_routes.push_back(r.u64());
  return out;
}

bool covers(const SeriesNeeds& has, const SeriesNeeds& needs) {
  return has.window_max >= needs.window_max && has.values >= needs.values && has.distinct >= needs.distinct &&
         has.totals >= needs.totals;
}

SeriesNeeds both(const SeriesNeeds& has, const SeriesNeeds& needs) {
  return {std::min(has.window_max, needs.window_max), has.values && needs.values,
          has.distinct && needs.distinct, has.totals && needs.totals};
}

}  // namespace sluice::state
