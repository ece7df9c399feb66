#include "rows.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sluice/json.hpp"

#include "forms.hpp"

namespace sluice::meta {
namespace {

enum Column : std::size_t {
  extern_id,
  email,
  phone,
  last_name,
  first_name,
  gender,
  birth_year,
  birth_month,
  birth_day,
  city,
  state,
  zip,
  country,
  mobile
};
constexpr std::array<std::string_view, columns> names{"EXTERN_ID", "EMAIL", "PHONE",   "LN",   "FN",
                                                      "GEN",       "DOBY",  "DOBM",    "DOBD", "CT",
                                                      "ST",        "ZIP",   "COUNTRY", "MADID"};

// Fields that a route may map, in the hub's words.
struct Field {
  std::string_view name;
  Column column;
  Form form;
};
constexpr std::array<Field, 10> fields{{{"last_name", last_name, Form::name},
                                        {"first_name", first_name, Form::name},
                                        {"gender", gender, Form::gender},
                                        {"birth_year", birth_year, Form::digits_4},
                                        {"birth_month", birth_month, Form::digits_2},
                                        {"birth_day", birth_day, Form::digits_2},
                                        {"city", city, Form::place},
                                        {"state", state, Form::place},
                                        {"postal_code", zip, Form::zip},
                                        {"country", country, Form::country}}};

// "1984-07-06", with whatever follows.
void fill_birth_date(Row& row, std::string_view date) {
  if (date.size() < 10 || date[4] != '-' || date[7] != '-') return;
  row.cells[birth_year] = hashed(Form::digits_4, date.substr(0, 4));
  row.cells[birth_month] = hashed(Form::digits_2, date.substr(5, 2));
  row.cells[birth_day] = hashed(Form::digits_2, date.substr(8, 2));
}

std::string_view first(const sdk::Json& identifiers, std::string_view type) {
  return identifiers[type].at(0).text_or("");
}

Row row_of(const sdk::Record& record, const sdk::Json& identifiers, const Settings& settings) {
  Row row;
  row.cells[extern_id] = first(identifiers, "user_id");
  row.cells[email] = hashed(Form::email, first(identifiers, "email"));
  row.cells[phone] = hashed(Form::phone, first(identifiers, "phone"));
  const sdk::Json payload = sdk::Json::parse(record.payload).value_or(sdk::Json());
  fill_birth_date(row, payload["birth_date"].text_or(""));
  for (const Field& field : fields) {
    const sdk::Json& value = payload[field.name];
    if (!value.is_null() && !value.is_object() && !value.is_array())
      row.cells[field.column] = hashed(field.form, value.scalar());
  }
  row.cells[mobile] = mobile_id(payload["mobile_ad_id"].text_or(""));
  if (row.cells[country].empty()) row.cells[country] = hashed(Form::country, settings.country);
  return row;
}

}  // namespace

bool Row::names_somebody() const {
  return !cells[extern_id].empty() || !cells[email].empty() || !cells[phone].empty() ||
         !cells[mobile].empty() ||
         (!cells[first_name].empty() && !cells[last_name].empty() && !cells[zip].empty());
}

std::size_t Row::bytes() const {
  std::size_t sum = 2 + 3 * columns;
  for (const std::string& cell : cells) sum += cell.size();
  return sum;
}

Row nobody() {
  Row row;
  row.cells[extern_id] = "sluice-nobody";
  return row;
}

std::vector<Row> rows_of(const sdk::Record& record, const Settings& settings) {
  const sdk::Json identifiers = sdk::Json::parse(record.identifiers).value_or(sdk::Json());
  std::vector<Row> out{row_of(record, identifiers, settings)};
  const std::vector<sdk::Json>& emails = identifiers["email"].elements();
  const std::vector<sdk::Json>& phones = identifiers["phone"].elements();
  const std::vector<sdk::Json>& users = identifiers["user_id"].elements();
  for (std::size_t i = 1; i < std::max(emails.size(), phones.size()); ++i) {
    Row row = out.front();
    row.cells[email] = i < emails.size() ? hashed(Form::email, emails[i].text_or("")) : std::string();
    row.cells[phone] = i < phones.size() ? hashed(Form::phone, phones[i].text_or("")) : std::string();
    out.push_back(std::move(row));
  }
  for (std::size_t i = 1; i < users.size(); ++i) {
    Row row = out.front();
    row.cells[extern_id] = users[i].text_or("");
    out.push_back(std::move(row));
  }
  return out;
}

bool Payload::fits(const std::vector<Row>& rows) const {
  std::size_t bytes = bytes_;
  for (const Row& row : rows) bytes += row.bytes();
  return rows_.empty() ||
         (rows_.size() + rows.size() <= settings_->rows_max && bytes <= settings_->bytes_max);
}

void Payload::add(std::vector<Row> rows) {
  for (Row& row : rows) {
    bytes_ += row.bytes();
    rows_.push_back(std::move(row));
  }
}

std::string Payload::json() const {
  std::array<bool, columns> used{};
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < columns; ++i) used[i] = used[i] || !row.cells[i].empty();
  }
  std::string out = R"({"schema":[)";
  out.reserve(bytes_ + 256);
  const auto list = [&](const auto& text_of) {
    bool any = false;
    for (std::size_t i = 0; i < columns; ++i) {
      if (!used[i]) continue;
      if (std::exchange(any, true)) out += ',';
      sdk::append_json_string(out, text_of(i));
    }
    out += ']';
  };
  list([](std::size_t i) { return names[i]; });
  out += R"(,"data":[)";
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    out += r == 0 ? "[" : ",[";
    list([&](std::size_t i) -> std::string_view { return rows_[r].cells[i]; });
  }
  return out += "]}";
}

}  // namespace sluice::meta
