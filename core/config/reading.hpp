// What the readers of the sections share while one configuration is read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/checker.hpp"
#include "config/config.hpp"
#include "config/node.hpp"
#include "config/report.hpp"

namespace sluice::config {

struct Document {  // one file: connectors.yaml itself first, then what it includes
  std::unique_ptr<SourceText> file;
  std::string folder;  // absolute; paths in it are relative to this
  std::string prefix;  // from the first file's folder to this one's: "", "workflows/"
  std::optional<Node> root;
};

// Names that other things refer to.
struct Names {
  std::vector<std::string> known;  // switched on
  std::set<std::string> off;       // enabled: false
  bool has(const std::string& name) const;
};

struct Reading {
  const LoadOptions& options;
  Report report;
  Config config;
  std::vector<Document> documents;
  std::vector<std::unique_ptr<SourceText>> files;  // all of them, for the report: documents' and messages'
  Names audiences, destinations, purposes, computed, identifiers;
  std::set<std::string> watch;                  // see Loaded::watch
  Stream* row_reader = nullptr;                 // what is read of the row is noted there
  std::map<std::string, std::string> redacted;  // "sources.crm" -> its settings without secrets written out

  // A whole file, cut at bytes_max + 1, from disk or from the options' memory; kept in config.files. Nothing:
  // there is none.
  std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max);
  const Document& document_of(const Node& node) const;
  // All members of a section that is a map, over all files; names twice are reported.
  std::vector<const Member*> members(std::string_view section);
  // A section that only one file may have; null if none has it.
  const Node* single(std::string_view section);
  // Reports a name that does not exist (`kind`: "destination"); true if it does.
  bool known(const Node& name, const Names& names, const std::string& kind);
  Place place(const Node& node) const { return node.file->place(node.begin); }
};

// One function for each group of sections; all check and fill `config`. Names are collected first.
void collect_names(Reading& reading);
void read_hub(Reading& reading);
void read_people(Reading& reading);  // identity, consent, retention, computed, audiences
void read_sources(Reading& reading);
void read_destinations(Reading& reading);
void read_decide(Reading& reading);  // what pages may read: decide, and the traits' `public`
void read_routes(Reading& reading);
void read_workflows(Reading& reading);

// `with:` of a connector as JSON; `owner` is the key that it belongs to, `path` names it ("sources.crm").
std::string read_settings(Reading& reading, const Node& section, const Node& owner, bool source,
                          const std::string& path);

// Where the connector of a source or destination runs.
Isolation read_isolation(Reading& reading, const Node& section, bool source);

// The configuration as canonical JSON.
std::string resolve(const Reading& reading);

}  // namespace sluice::config
