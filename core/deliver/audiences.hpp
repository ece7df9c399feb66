// What a destination calls our audiences and lists: found or created over there (provision()) before the
// first record of each goes out, verified again after each start, kept in the store.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "deliver/courier.hpp"
#include "plugin/types.hpp"
#include "store/database.hpp"

namespace sluice::deliver {

class Audiences {  // [lane], but for release_all()
 public:
  // `database` may be null: then memory keeps the ids.
  Audiences(std::string destination, store::Database* database)
      : destination_(std::move(destination)), database_(database) {}

  // Writes the ids into these records. The name of the first audience whose id is not known; empty: all are.
  std::string fill(std::vector<plugin::Record>& records) const;

  // One search for a name at a time: seek() begins it, found() or failed() ends it. What comes meanwhile
  // waits.
  bool sought(const std::string& name) const;
  Result<plugin::Provision> seek(const std::string& name);
  Status found(const std::string& name, std::string id);  // durable but for a loss of power
  void failed(const std::string& name, Verdict why);
  void wait(const std::string& name, std::function<void()> settled);
  const Verdict& failure(const std::string& name) { return audiences_[name].failure; }  // of the last search
  void release_all();  // [any] the lane stops

  // The vendor says that this id names nothing any more.
  void forget(const std::string& name, const std::string& id);

 private:
  struct Audience {
    std::string id;  // empty: not known, or not verified yet
    bool sought = false;
    Verdict failure;
  };
  void settle(const std::string& name);

  const std::string destination_;
  store::Database* database_;
  std::map<std::string, Audience> audiences_;
  std::mutex mutex_;  // guards waiting_
  std::multimap<std::string, std::function<void()>> waiting_;
};

}  // namespace sluice::deliver
