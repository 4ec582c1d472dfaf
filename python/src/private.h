// Folders of private stores, ":memory:": each has one of its own, in memory where the machine has a file system there.
//
// Who has a private store open, its maker or a child made by fork, has its folder open, too, and locked. A process that is
// killed leaves the folder, without a lock: the next one that makes a private store removes it.
// Thread safety: each is used by one thread at a time. Ownership: the folder and what is in it belong to who made it.
#pragma once

#include <string>
#include <utility>

namespace utan::python {

class PrivateFolder {
 public:
  PrivateFolder() = default;
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  ~PrivateFolder() { close(); }
  void swap(PrivateFolder& other) noexcept {
    path_.swap(other.path_);
    store_path_.swap(other.store_path_);
    std::swap(descriptor_, other.descriptor_);
  }

  // Makes one. False: errno says why.
  bool make();
  // The file that the store is to be in; empty: there is no folder.
  const std::string& store_path() const { return store_path_; }
  // Lets go of it, and removes it with what is in it if no other process has it open.
  void close();

 private:
  std::string path_;
  std::string store_path_;
  int descriptor_ = -1;
};

}  // namespace utan::python
