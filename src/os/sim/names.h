// The folders of a simulated machine: which name leads to which file, now and after a power cut.
//
// Every change of a name is an operation in one journal. A power cut keeps the durable operations and some more, in
// order: any prefix of the others. Flushing a folder makes the operations durable up to the last one in that folder, as
// a file system with one journal does. Folders themselves exist or not, durably.
// Thread safety: none; the World's mutex. Ownership: files are shared with descriptions and mappings.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "os/sim/disk_file.h"
#include "os/sim/lock_table.h"

namespace utan::os::sim {

// A file as the kernel knows it, whatever its names.
struct Node {
  Node(FileStatus status, ByteCount reservation) : file(status, reservation) {}
  DiskFile file;
  LockTable locks;
};

// "/a/b" -> "/a"; "/b" -> "/".
std::string folder_of(const std::string& path);

// Absolute, without "." and "..", without a slash at its end. Relative paths begin at the root.
std::string normalized(const std::string& path);

// All paths are normalized.
class Names {
 public:
  using Map = std::map<std::string, std::shared_ptr<Node>>;

  Names() { folders_.insert("/"); }

  const Map& now() const { return now_; }
  const std::set<std::string>& folders() const { return folders_; }
  bool is_folder(const std::string& path) const { return folders_.contains(path); }
  std::shared_ptr<Node> find(const std::string& path) const;

  void make_folder(const std::string& path);

  void create(const std::string& path, std::shared_ptr<Node> node);
  // Replaces `to`. There must be a `from`.
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);

  void flush_folder(const std::string& folder);
  void flush_all();
  std::size_t unflushed_count() const { return journal_.size(); }

  // Every file that a name leads to now or may lead to after a crash, once.
  std::set<std::shared_ptr<Node>> reachable() const;

  // The same folders, names and journal, of the files that `copies` has for these.
  Names copied(const std::map<std::shared_ptr<Node>, std::shared_ptr<Node>>& copies) const;

  // The names if the power failed after the first `count` operations that are not durable.
  Map after_crash(std::size_t count) const;

 private:
  struct Operation {
    std::string from;  // this name goes; empty: none
    std::string to;    // this name leads to `node`; empty: none
    std::shared_ptr<Node> node;
  };

  void perform(Operation operation);
  static void apply(Map& names, const Operation& operation);

  Map now_;
  Map durable_;
  std::vector<Operation> journal_;
  std::set<std::string> folders_;
};

}  // namespace utan::os::sim
