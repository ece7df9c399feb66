#include "plugin/identifiers.hpp"

#include <algorithm>
#include <cctype>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "base/json.hpp"

namespace sluice::plugin {
namespace {

using Form = AskedIdentifier::Form;

Error bad(std::string what) {
  return {Code::rejected, "manifest: " + std::move(what)};
}

bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

bool is_hashed(std::string_view value) {
  return value.size() == 64 && std::all_of(value.begin(), value.end(), is_hex);
}

std::string as_gmail(std::string_view email) {
  const std::size_t at = email.find('@');
  const std::string_view domain = at == std::string_view::npos ? "" : email.substr(at + 1);
  if (domain != "gmail.com" && domain != "googlemail.com") return std::string(email);
  std::string local(email.substr(0, std::min(at, email.find('+'))));
  std::erase(local, '.');
  return local.append(email.substr(at));
}

std::string as_written(Form form, std::string_view value) {
  if (form == Form::digits) return std::string(value.substr(value.starts_with('+') ? 1 : 0));
  return form == Form::gmail ? as_gmail(value) : std::string(value);
}

Result<AskedIdentifier> one_of(Json item) {
  AskedIdentifier out;
  out.type = item.is_string() ? item.string_or("") : item["type"].string_or("");
  if (out.type.empty())
    return bad("'identifiers' holds something that is neither a text nor an object with 'type'");
  const std::string_view form = item["form"].string_or("normal"), hash = item["hash"].string_or("none");
  if (form != "normal" && form != "digits" && form != "gmail") {
    return bad("'identifiers': the form of '" + out.type + "' must be normal, digits or gmail");
  }
  if (hash != "none" && hash != "sha256") {
    return bad("'identifiers': the hash of '" + out.type + "' must be sha256 or none");
  }
  out.form = form == "digits" ? Form::digits : form == "gmail" ? Form::gmail : Form::normal;
  out.sha256 = hash == "sha256";
  return out;
}

const AskedIdentifier* find(const std::vector<AskedIdentifier>& asked, std::string_view type) {
  const AskedIdentifier* every = nullptr;
  for (const AskedIdentifier& one : asked) {
    if (one.type == type) return &one;
    if (one.type == every_identifier) every = &one;
  }
  return every;
}

}  // namespace

Result<std::vector<AskedIdentifier>> parse_identifiers(Json list) {
  std::vector<AskedIdentifier> out;
  if (!list) return out;
  if (list.type() != JsonType::array) return bad("'identifiers' is no list");
  for (std::size_t i = 0; i < list.size(); ++i) {
    out.push_back(SLUICE_TRY(one_of(list.at(i))));
    for (std::size_t before = 0; before < i; ++before) {
      if (out[before].type == out[i].type) return bad("'identifiers' names '" + out[i].type + "' twice");
    }
  }
  return out;
}

std::string in_form(const AskedIdentifier& asked, std::string_view value) {
  if (!asked.sha256) return as_written(asked.form, value);
  if (!is_hashed(value)) return sha256_hex(as_written(asked.form, value));
  std::string hashed(value);
  for (char& c : hashed) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return hashed;
}

namespace {

// Cuts {"type":["value",...],...} as the hub writes it, without white space and escapes, and gives each type
// with the text of its member; false: it is written otherwise, and a parser has to read it.
template <typename Each>
bool cut_plain(std::string_view text, const Each& each) {
  const auto take = [&](char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  };
  const auto take_string = [&](std::string_view& out) {
    if (!take('"')) return false;
    const std::size_t end = json_plain_bytes(text);
    out = text.substr(0, end);
    text.remove_prefix(end);
    return take('"');
  };
  if (!take('{')) return false;
  do {
    std::string_view type, value;
    const std::string_view from = text;
    if (!take_string(type) || !take(':')) return false;
    if (!take('[')) return false;
    do {
      if (!take_string(value)) return false;
    } while (take(','));
    if (!take(']')) return false;
    each(type, from.substr(0, from.size() - text.size()));
  } while (take(','));
  return take('}') && text.empty();
}

// Only if all that is asked for is asked for as it stands.
bool copy_plain(const std::vector<AskedIdentifier>& asked, std::string_view identifiers, std::string& out) {
  for (const AskedIdentifier& one : asked) {
    if (one.form != AskedIdentifier::Form::normal || one.sha256) return false;
  }
  out.reserve(identifiers.size() + SLUICE_PADDING);
  out += '{';
  std::string_view run;  // members that stand side by side, and are asked for
  const auto copy_run = [&] {
    if (out.size() > 1 && !run.empty()) out += ',';
    out += run;
    run = {};
  };
  const bool plain = cut_plain(identifiers, [&](std::string_view type, std::string_view member) {
    if (find(asked, type) == nullptr) return copy_run();
    const char* const from = run.empty() ? member.data() : run.data();
    run = {from, static_cast<std::size_t>(member.data() + member.size() - from)};
  });
  copy_run();
  out += '}';
  return plain;
}

}  // namespace

std::string asked_identifiers(const std::vector<AskedIdentifier>& asked, std::string_view identifiers) {
  if (asked.empty() || identifiers.empty()) return "{}";
  std::string copied;
  if (copy_plain(asked, identifiers, copied)) return copied;
  thread_local JsonParser parser;
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  parser.parse(identifiers).members([&](std::string_view type, Json values) {
    const AskedIdentifier* const one = find(asked, type);
    if (one == nullptr) return;
    if (one->form == Form::normal && !one->sha256) {
      writer.key(type).raw(values.text());
      return;
    }
    writer.key(type).begin_array();
    values.elements([&](Json value) { writer.string(in_form(*one, value.string_or(""))); });
    writer.end_array();
  });
  writer.end_object();
  return out;
}

}  // namespace sluice::plugin
