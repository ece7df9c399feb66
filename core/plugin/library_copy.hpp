// Inside this room: a connector's library as it was when it was looked at, held in memory. What runs is this,
// whatever becomes of the file: one that is overwritten in place, as `cp` does, would else change and kill
// the code that runs from it, and a process that is started anew would run another library.
#pragma once

#include <memory>
#include <string>

#include "sluice/result.hpp"

#include "plugin/registry.hpp"

namespace sluice::plugin {

class LibraryCopy {
 public:
  // The one of `entry`, made where there is none yet. transient: the file is another one by now. [any]
  static Result<std::shared_ptr<const LibraryCopy>> of(const Entry& entry);
  // What to load it by in this process, where nothing is ever unloaded: such a copy is kept. The file itself
  // under the sanitizers, whose reports name what they can open later. [any]
  static Result<std::string> to_load_here(const Entry& entry);

  ~LibraryCopy();
  LibraryCopy(const LibraryCopy&) = delete;
  LibraryCopy& operator=(const LibraryCopy&) = delete;
  int descriptor() const { return descriptor_; }  // sealed

 private:
  explicit LibraryCopy(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// The name of an open file, as the dynamic loader takes it.
std::string path_of_descriptor(int descriptor);

}  // namespace sluice::plugin
