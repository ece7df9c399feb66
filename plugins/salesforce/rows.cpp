#include "rows.hpp"

#include <algorithm>

#include "api.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

Json without_attributes(const Json& record) {
  if (!record.is_object()) return record;
  Json out = Json::object();
  for (std::size_t i = 0; i < record.keys().size(); ++i) {
    if (record.keys()[i] == "attributes") continue;
    out.set(record.keys()[i], without_attributes(record.elements()[i]));
  }
  return out;
}

Json cell_of(const std::string& text, Cell cell) {
  if (text.empty()) return Json::null();
  if (cell == Cell::boolean && (text == "true" || text == "false")) return Json::boolean(text == "true");
  if (cell == Cell::number) {
    const std::optional<Json> number = Json::parse(text);
    if (number && number->number_value()) return *number;
  }
  return Json::string(text);
}

Cell type_of(std::string_view name, const Position& position) {
  const auto at = std::find_if(position.fields.begin(), position.fields.end(),
                               [&](const Field& field) { return field.name == name; });
  return at != position.fields.end() ? at->cell : name == "IsDeleted" ? Cell::boolean : Cell::text;
}

// As the query's answer has it: of nothing that is looked up there is null and not an object of nulls.
void set_path(Json& out, std::string_view path, Json value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return void(out.set(path, std::move(value)));
  const std::string_view first = path.substr(0, dot);
  Json inner = out[first];
  if (!inner.is_object() && value.is_null()) return void(out.set(first, Json::null()));
  if (!inner.is_object()) inner = Json::object();
  set_path(inner, path.substr(dot + 1), std::move(value));
  out.set(first, std::move(inner));
}

void name_row(Row& row, std::string_view time_field) {
  row.id = row.fields["Id"].text_or("");
  row.changed = time_of(row.fields[time_field].text_or(""));
  row.deleted = row.fields["IsDeleted"].boolean_value().value_or(false);
}

}  // namespace

Row row_of(const Json& record, std::string_view time_field) {
  Row out{.id = {}, .changed = {}, .deleted = false, .fields = without_attributes(record)};
  name_row(out, time_field);
  return out;
}

bool CsvReader::next(std::vector<std::string>& cells) {
  cells.clear();
  if (rest_.empty()) return false;
  while (true) {
    std::string cell;
    if (rest_.starts_with('"')) {
      rest_.remove_prefix(1);
      while (true) {
        const std::size_t quote = rest_.find('"');
        if (quote == std::string_view::npos) return broken_ = true, false;
        cell.append(rest_.substr(0, quote));
        rest_.remove_prefix(quote + 1);
        if (!rest_.starts_with('"')) break;
        cell += '"';
        rest_.remove_prefix(1);
      }
    }
    const std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
    cell.append(rest_.substr(0, end));
    const bool more = end < rest_.size() && rest_[end] == ',';
    if (!more && cell.ends_with('\r')) cell.pop_back();
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    cells.push_back(std::move(cell));
    if (!more) return true;
  }
}

Row row_of(const std::vector<std::string>& header, const std::vector<std::string>& cells,
           const Position& position) {
  Row out{.id = {}, .changed = {}, .deleted = false, .fields = Json::object()};
  for (std::size_t i = 0; i < header.size() && i < cells.size(); ++i) {
    set_path(out.fields, header[i], cell_of(cells[i], type_of(header[i], position)));
  }
  name_row(out, position.time_field);
  return out;
}

}  // namespace sluice::salesforce
