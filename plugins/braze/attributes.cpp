#include <algorithm>
#include <array>

#include "sluice/json.hpp"

#include "objects.hpp"
#include "scan.hpp"

namespace sluice::braze {

namespace {

constexpr std::size_t name_bytes_max = 255;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::string digits_of(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), is_digit);
  return out;
}

// What stands between the quotes; empty for what is no text. Escapes stay as they are: none of the texts that
// are looked at has any.
std::string_view text_of(std::string_view json) {
  return is_text(json) ? json.substr(1, json.size() - 2) : std::string_view{};
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

bool is_e164(std::string_view text) {
  return text.size() >= 8 && text.size() <= 16 && text[0] == '+' && text[1] != '0' &&
         std::all_of(text.begin() + 1, text.end(), is_digit);
}

std::string email_value(std::string_view text, const sdk::Record&) {
  const std::size_t at = text.find('@');
  const bool address = at != std::string_view::npos && at > 0 &&
                       text.find('.', at) != std::string_view::npos &&
                       text.find(' ') == std::string_view::npos;
  return address ? quoted(lowered(text)) : std::string();
}

// As E.164: the text itself, else the person's identifier that it is the national form of.
std::string phone_value(std::string_view text, const sdk::Record& record) {
  if (is_e164(text)) return quoted(text);
  std::string national = digits_of(text);
  national.erase(0, std::min(national.find_first_not_of('0'), national.size()));
  if (national.empty()) return {};
  Walk phones(member(record.identifiers, "phone"));
  for (Member phone; phones.next(phone);) {
    const std::string_view known = text_of(phone.value);
    if (is_e164(known) && known.ends_with(national)) return quoted(known);
  }
  return {};
}

std::string gender_value(std::string_view text, const sdk::Record&) {
  struct Word {
    std::string_view word, letter;
  };
  static constexpr std::array<Word, 14> words{{{"m", "M"},
                                               {"male", "M"},
                                               {"man", "M"},
                                               {"f", "F"},
                                               {"female", "F"},
                                               {"woman", "F"},
                                               {"o", "O"},
                                               {"other", "O"},
                                               {"n", "N"},
                                               {"not applicable", "N"},
                                               {"p", "P"},
                                               {"prefer not to say", "P"},
                                               {"unknown", "null"},
                                               {"", "null"}}};
  const std::string word = lowered(text);
  for (const Word& known : words) {
    if (known.word == word) return known.letter == "null" ? "null" : quoted(known.letter);
  }
  return {};
}

std::string country_value(std::string_view text, const sdk::Record&) {
  if (text.size() != 2 || !is_letter(text[0]) || !is_letter(text[1])) return {};
  std::string out = quoted(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return is_letter(c) ? static_cast<char>(c & ~0x20) : c; });
  return out;
}

// ISO 639-1; of a locale such as fr-FR the part before the hyphen.
std::string language_value(std::string_view text, const sdk::Record&) {
  const std::string_view code = text.substr(0, text.find_first_of("-_"));
  if (code.size() != 2 || !is_letter(code[0]) || !is_letter(code[1])) return {};
  return quoted(lowered(code));
}

// YYYY-MM-DD; of a date with a time the date.
std::string date_value(std::string_view text, const sdk::Record&) {
  const std::string_view date = text.substr(0, text.find('T'));
  bool good = date.size() == 10;
  for (std::size_t i = 0; good && i < date.size(); ++i) {
    good = i == 4 || i == 7 ? date[i] == '-' : is_digit(date[i]);
  }
  return good ? quoted(date) : std::string();
}

struct Standard {
  std::string_view name;
  std::string (*value)(std::string_view text, const sdk::Record& record);  // empty: leave the attribute out
};
constexpr std::array<Standard, 6> standards{{{"email", email_value},
                                             {"phone", phone_value},
                                             {"gender", gender_value},
                                             {"country", country_value},
                                             {"language", language_value},
                                             {"dob", date_value}}};

// Texts alone may stand in Braze's arrays, or objects alone: of any other array each element becomes a text.
std::string array_value(std::string_view array) {
  bool texts = true, objects = true;
  Walk elements(array);
  for (Member element; elements.next(element);) {
    texts = texts && element.value.front() == '"';
    objects = objects && element.value.front() == '{';
  }
  if (texts || objects) return std::string(array);
  std::string out = "[";
  Walk again(array);
  for (Member element; again.next(element);) {
    if (element.value == "null") continue;
    if (out.size() > 1) out += ',';
    if (element.value.front() == '"') {
      out += element.value;
    } else {
      sdk::append_json_string(out, element.value);
    }
  }
  return out + ']';
}

bool names_the_profile(std::string_view name) {
  return name == "external_id" || name == "user_alias" || name == "braze_id" ||
         name == "_update_existing_only";
}

bool is_plain_text(std::string_view name) {
  return name == "first_name" || name == "last_name" || name == "home_city";
}

}  // namespace

void append_attribute(std::string& out, std::string_view name, std::string_view value,
                      const sdk::Record& record) {
  if (names_the_profile(name) || name.empty() || name.size() > name_bytes_max) return;
  const auto* standard =
      std::find_if(standards.begin(), standards.end(), [&](const Standard& s) { return s.name == name; });
  std::string mended;
  if (standard != standards.end() && value != "null") {
    const bool empty = value == "\"\"";
    mended = empty || is_text(value) ? standard->value(text_of(value), record) : std::string();
    if (mended.empty()) return;
    value = mended;
  } else if (is_plain_text(name) && (is_digit(value.front()) || value == "true" || value == "false")) {
    mended = quoted(value);
    value = mended;
  } else if (value.starts_with('[')) {
    mended = array_value(value);
    value = mended;
  }
  out += ",\"";
  if (name.starts_with('$')) {
    out += "attribute_";
    name.remove_prefix(1);
  }
  out.append(name).append("\":").append(value);
}

}  // namespace sluice::braze
