#include "position.hpp"

#include <algorithm>
#include <array>

#include "sluice/json.hpp"

#include "api.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

constexpr std::array<std::string_view, 3> time_fields{"SystemModstamp", "LastModifiedDate", "CreatedDate"};

void set_time(Json& out, std::string_view key, const std::optional<std::int64_t>& time) {
  if (time) out.set(key, Json::string(time_text(*time)));
}

std::optional<std::int64_t> time_in(const Json& in, std::string_view key) {
  return time_of(in[key].text_or(""));
}

bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Json kept(const Position& p) {
  Json out = Json::object();
  out.set("by", Json::string(p.time_field)).set("deletes", Json::boolean(p.deletes));
  set_time(out, "at", p.watermark);
  if (p.job.empty()) return out;
  set_time(out, "answered", p.answered_at);
  out.set("job", Json::string(p.job)).set("locator", Json::string(p.locator));
  return out;
}

void set_fields(Json& out, const Position& p) {
  if (p.fields.empty()) return;
  Json fields = Json::object();
  for (const Field& field : p.fields) {
    const char cell = static_cast<char>(field.cell);
    fields.set(field.name, Json::string({&cell, 1}));
  }
  out.set("fields", std::move(fields));
}

bool read(const Json& in, Position& p) {
  p.time_field = in["by"].text_or("");
  const bool known = std::find(time_fields.begin(), time_fields.end(), p.time_field) != time_fields.end();
  if (!known && !p.time_field.empty()) return false;
  p.deletes = in["deletes"].boolean_value().value_or(false);
  p.watermark = time_in(in, "at");
  p.answered_at = time_in(in, "answered");
  p.job = in["job"].text_or("");
  p.locator = in["locator"].text_or("");
  const Json& fields = in["fields"];
  for (std::size_t i = 0; i < fields.keys().size(); ++i) {
    const std::string_view cell = fields.elements()[i].text_or("");
    if (!is_api_name(fields.keys()[i], true) || cell.size() != 1) return false;
    p.fields.push_back({fields.keys()[i], static_cast<Cell>(cell.front())});
  }
  return is_token(p.job);  // the locator is percent-encoded where it goes
}

}  // namespace

std::string Position::cursor() const {
  Json out = kept(*this);
  constexpr std::size_t fields_kept = 200;  // more of them are asked for anew
  if (!job.empty() || fields.size() <= fields_kept) set_fields(out, *this);
  return out.text();
}

std::string Position::state() const {
  Json out = kept(*this);
  set_fields(out, *this);
  const char letter = static_cast<char>(step);
  out.set("step", Json::string({&letter, 1}));
  set_time(out, "answered", answered_at);
  set_time(out, "from", from);
  set_time(out, "until", until);
  set_time(out, "newest", newest);
  if (window_us > 0) out.set("window", Json::integer(window_us));
  if (begun) out.set("begun", Json::boolean(true));
  if (bulk) out.set("bulk", Json::boolean(true));
  if (no_bulk) out.set("no_bulk", Json::boolean(true));
  if (delay_ms > 0) out.set("delay", Json::integer(delay_ms));
  return out.text();
}

Position Position::of_cursor(std::string_view text) {
  Position out;
  const std::optional<Json> in = Json::parse(text);
  if (!in || !in->is_object() || !read(*in, out) || out.time_field.empty()) return {};
  return out;
}

std::optional<Position> Position::of_state(std::string_view text) {
  Position out;
  const std::optional<Json> in = Json::parse(text);
  if (!in || !in->is_object() || !read(*in, out)) return {};
  const std::string_view step = (*in)["step"].text_or("");
  if (step.size() != 1 || std::string_view("dqpmjr").find(step) == std::string_view::npos) return {};
  out.step = static_cast<Step>(step.front());
  out.from = time_in(*in, "from");
  out.until = time_in(*in, "until");
  out.newest = time_in(*in, "newest");
  out.window_us = (*in)["window"].integer_value().value_or(0);
  out.begun = (*in)["begun"].boolean_value().value_or(false);
  out.bulk = (*in)["bulk"].boolean_value().value_or(false);
  out.no_bulk = (*in)["no_bulk"].boolean_value().value_or(false);
  out.delay_ms = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>((*in)["delay"].integer_value().value_or(0), 0, 60'000));
  return out;
}

}  // namespace sluice::salesforce
