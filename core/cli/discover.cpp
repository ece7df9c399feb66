// `sluice plugin discover`, and what `sluice check --online` holds against what is there.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "sluice/plugin.h"

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/online.hpp"
#include "plugin/inquiry.hpp"

namespace sluice::cli {

namespace {

constexpr std::string_view door = "tracking";  // the hub's own: there is nobody to ask
constexpr std::size_t names_shown = 12;

// A line that holds settings may hold what is secret: it is not shown.
std::string shown_line(const config::Place& place) {
  std::ifstream file(place.file);
  std::string line;
  for (int i = 0; i < place.line; ++i) {
    if (!std::getline(file, line)) return {};
  }
  return line.find("with:") == std::string::npos ? line : std::string();
}

std::string hint(const std::string& name, const std::vector<std::string>& names) {
  const auto same_letters = [&](const std::string& other) { return lower_ascii(other) == lower_ascii(name); };
  const auto at = std::find_if(names.begin(), names.end(), same_letters);
  const std::string near = at != names.end() ? *at : closest(name, names);
  if (!near.empty()) return "did you mean '" + near + "'?";
  std::string out = "there are: ";
  for (std::size_t i = 0; i < names.size() && i < names_shown; ++i) out += (i == 0 ? "" : ", ") + names[i];
  return names.empty() ? "" : out + (names.size() > names_shown ? ", ..." : "");
}

struct Field {
  std::string name, type;
};

class OnlineCheck {
 public:
  OnlineCheck(Setup& setup, const config::Source& source, Online& online)
      : setup_(setup), source_(source), online_(online) {}

  void run() {
    if (!online_.connector->offers_discover()) return;
    const Result<std::vector<std::string>> streams = plugin::discover(*online_.connector, online_.host());
    if (!streams) {
      return add(source_.place, source_.name, "connection-failed",
                 "what there is cannot be asked: " + online_.shown(streams.error().detail), "");
    }
    std::vector<std::string> names;
    for (const std::string& text : streams.value()) {
      JsonParser parser;
      names.emplace_back(parser.parse(text)["name"].string_or(""));
    }
    for (const config::Stream& stream : source_.streams) {
      if (std::find(names.begin(), names.end(), stream.name) != names.end()) {
        check(stream);
      } else {
        add(stream.place, stream.name, "unknown-name", "no stream is named '" + stream.name + "' over there",
            hint(stream.name, names));
      }
    }
  }

 private:
  void add(const config::Place& place, const std::string& under, const char* code, std::string what,
           std::string help) {
    config::Diagnostic out;
    out.place = place;
    out.code = code;
    out.what = std::move(what);
    out.help = std::move(help);
    out.source_line = shown_line(place);
    out.length = static_cast<int>(under.size());
    setup_.diagnostics.push_back(std::move(out));
  }

  void check(const config::Stream& stream) {
    const auto described = plugin::discover(*online_.connector, online_.host(), stream.name);
    if (!described || described.value().empty()) {
      return add(stream.place, stream.name, "connection-failed",
                 "its fields cannot be asked" +
                     (described ? std::string() : ": " + online_.shown(described.error().detail)),
                 "");
    }
    std::vector<Field> fields;
    std::vector<std::string> names;
    JsonParser parser;
    parser.parse(described.value().front())["fields"].elements([&](Json field) {
      fields.push_back({std::string(field["name"].string_or("")), std::string(field["type"].string_or(""))});
      names.push_back(fields.back().name);
    });
    if (fields.empty()) return;  // it says no more than that the stream is there
    for (const config::RowField& read : stream.reads) {
      const std::string first = read.path.substr(0, read.path.find('.'));
      if (std::find(names.begin(), names.end(), first) != names.end()) continue;
      add(read.place, first, "unknown-name", "the stream '" + stream.name + "' has no field '" + first + "'",
          hint(first, names));
    }
    check_types(stream, fields);
  }

  // Where an expression is a field and nothing else, its type is known.
  void check_types(const config::Stream& stream, const std::vector<Field>& fields) {
    const auto check_one = [&](const expr::ProgramPtr& program, const char* what,
                               std::initializer_list<std::string_view> wrong) {
      if (!program || program->row_paths().size() != 1) return;
      const std::string& path = program->row_paths().front().name;
      if (program->text() != "row." + path) return;
      const auto field =
          std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == path; });
      const auto read = std::find_if(stream.reads.begin(), stream.reads.end(),
                                     [&](const config::RowField& r) { return r.path == path; });
      if (field == fields.end() || read == stream.reads.end()) return;
      if (std::find(wrong.begin(), wrong.end(), field->type) == wrong.end()) return;
      add(read->place, path, "wrong-type",
          "'" + path + "' is of type " + field->type + ", and " + what + " is none", "");
    };
    check_one(stream.time, "a time", {"boolean", "integer", "number", "object", "array"});
    for (const config::Mapped& id : stream.ids) {
      check_one(id.program, "an identifier", {"boolean", "object", "array", "date", "datetime"});
    }
    for (const config::Mapped& said : stream.consent) {
      check_one(said.program, "a yes or no", {"object", "array", "date", "datetime"});
    }
  }

  Setup& setup_;
  const config::Source& source_;
  Online& online_;
};

void test_connection(Setup& setup, const Named& named, const config::Place& place,
                     const config::Source* source) {
  config::Diagnostic failed;
  failed.place = place;
  failed.code = "connection-failed";
  failed.source_line = shown_line(place);
  failed.length = static_cast<int>(named.name.size());
  Result<Online> online = go_online(setup, named);
  Status well = Done{};
  if (online) {
    well = plugin::check(*online.value().connector, online.value().host());
  } else {
    well = online.error();
  }
  if (!well) {
    failed.what = "the connection test of '" + named.name +
                  "' failed: " + (online ? online.value().shown(well.error().detail) : well.error().detail);
    setup.diagnostics.push_back(std::move(failed));
  } else if (source != nullptr) {
    OnlineCheck(setup, *source, online.value()).run();
  }
}

Named named_of(const config::Source& source) {
  return {.name = source.name,
          .plugin = source.plugin,
          .with = source.with,
          .kind = SLUICE_SOURCE,
          .allow_hosts = {},
          .isolation = source.isolation};
}

Named named_of(const config::Destination& destination) {
  return {.name = destination.name,
          .plugin = destination.plugin,
          .with = destination.with,
          .kind = SLUICE_DESTINATION,
          .allow_hosts = destination.allow_hosts,
          .isolation = destination.isolation};
}

std::optional<Named> find_named(const config::Config& config, const std::string& name,
                                std::vector<std::string>& known) {
  for (const config::Source& source : config.sources) {
    if (source.plugin == door) continue;
    if (source.name == name) return named_of(source);
    known.push_back(source.name);
  }
  for (const config::Destination& destination : config.destinations) {
    if (destination.name == name) return named_of(destination);
    known.push_back(destination.name);
  }
  return {};
}

std::string values_text(Json values) {
  std::string out;
  values.elements([&](Json value) {
    out += (out.empty() ? "" : ", ") + (value.is_string() ? std::string(*value.string()) : value.text());
  });
  return out;
}

void print_streams(const std::vector<std::string>& found, bool fields) {
  for (const std::string& text : found) {
    JsonParser parser;
    const Json stream = parser.parse(text);
    const std::string title(stream["title"].string_or(""));
    if (!fields) {
      (void)std::printf("%-40s %s\n", std::string(stream["name"].string_or("")).c_str(), title.c_str());
      continue;
    }
    stream["fields"].elements([](Json field) {
      const std::string values = values_text(field["values"]);
      (void)std::printf("%-40s %-9s %s%s\n", std::string(field["name"].string_or("")).c_str(),
                        std::string(field["type"].string_or("string")).c_str(),
                        std::string(field["title"].string_or("")).c_str(),
                        values.empty() ? "" : (": " + values).c_str());
    });
  }
}

}  // namespace

void check_online(Setup& setup) {
  if (!setup.config) return;
  const std::size_t before = setup.diagnostics.size();
  for (const config::Source& source : setup.config->sources) {
    if (source.plugin != door) test_connection(setup, named_of(source), source.place, &source);
  }
  for (const config::Destination& destination : setup.config->destinations) {
    test_connection(setup, named_of(destination), destination.place, nullptr);
  }
  if (setup.diagnostics.size() > before) setup.config.reset();
}

int plugin_discover(const Common& common, const std::string& name, const std::string& stream) {
  const Setup setup = load(common, true);
  if (!report(setup, false)) return 1;
  std::vector<std::string> known;
  const std::optional<Named> named = find_named(*setup.config, name, known);
  if (!named) return fail("no source or destination is named '" + name + "': " + hint(name, known));
  const Result<Online> online = go_online(setup, *named);
  if (!online) return fail(name + ": " + online.error().detail);
  plugin::Connector& connector = *online.value().connector;
  if (!connector.offers_discover()) {
    return fail("the connector '" + named->plugin + "' cannot tell what there is");
  }
  const auto found = plugin::discover(connector, online.value().host(), stream);
  if (!found) return fail(name + ": " + online.value().shown(found.error().detail));
  if (common.json) {
    std::string out;
    JsonWriter w(out);
    w.begin_object().key("streams").begin_array();
    for (const std::string& text : found.value()) w.raw(text);
    w.end_array().end_object();
    (void)std::puts(out.c_str());
    return 0;
  }
  print_streams(found.value(), !stream.empty());
  return 0;
}

}  // namespace sluice::cli
