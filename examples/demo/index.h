// What the demo keeps in its store, shared by all its processes: the documents (documents.h), and five tables of bytes.
//
//   about    "format" -> "utan_demo 2"; "root" -> the folder; "files" -> u32, how many files, put when the list is complete
//   list     file id -> u64 size, then the path below the root
//   work     file id -> Work: is it to do, claimed by a worker, done?
//   workers  worker id -> WorkerRecord: its process, and whether it is known to be gone
//   words    identifier '\0' bucket -> postings: u32 file id, u32 count, for each file of the bucket that has it, by file id
//
// A file id is a u32, the file's place in the sorted list; a bucket is a u32, file id / 64. Integers are in the byte
// order of the machine, as the store itself is.
//
// Why buckets: to set one count a process copies the value, changes the copy and replaces the value by it. Were all the
// postings of "std" one value, it would be copied once per file, and indexing would be quadratic in the number of files.
// This way no value has more than 64 postings (512 bytes), and two processes meet at a value only if they are in
// the same bucket of files at the same time. To find an identifier is one lookup per bucket: n / 64 of them.
//
// Why an update is exact: it sets the count of one file and adds to nothing. A file may be indexed twice, also half by one
// worker and then wholly by another, and the index is the same. A file is in the index when it is listed as done in "work",
// which comes last.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utan/utan.hpp>
#include <utility>
#include <vector>

#include "documents.h"
#include "failure.h"

namespace demo {

using FileId = std::uint32_t;
using WorkerId = std::uint32_t;

inline constexpr FileId files_per_bucket = 64;
inline constexpr WorkerId nobody = 0;  // workers count from 1

// How often an identifier is in a file; at least once.
struct Posting {
  FileId file;
  std::uint32_t count;
};
static_assert(sizeof(Posting) == 8);

enum class WorkState : std::uint32_t { to_do, claimed, done, unreadable };

struct Work {
  WorkState state = WorkState::to_do;
  WorkerId worker = nobody;       // who claimed it or finished it
  std::uint64_t occurrences = 0;  // of identifiers, when it is done

  bool finished() const { return state == WorkState::done || state == WorkState::unreadable; }
};
static_assert(sizeof(Work) == 16);

struct WorkerRecord {
  std::uint32_t process = 0;
  std::uint32_t gone = 0;  // 1: dead or about to be, so that others may take over its claims
};
static_assert(sizeof(WorkerRecord) == 8);

// The bytes of a plain value, and back.
template <class T>
std::string to_bytes(const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>);
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
// Throws Failure if the size is not that of a T.
template <class T>
T from_bytes(std::string_view bytes);

// The store and what is in it, open.
class Index {
 public:
  // A new store at `path` for the files below `root`, whose list is put into it.
  static Index create(const std::string& path, const std::filesystem::path& root);
  // The store at `path`. Throws Failure if it is not one of ours or its list of files is not complete.
  static Index open(const std::string& path, utan::Mode mode);

  utan::Store& store() { return store_; }
  const utan::Store& store() const { return store_; }
  Documents& documents() { return documents_; }
  const Documents& documents() const { return documents_; }
  const std::filesystem::path& root() const { return root_; }
  FileId file_count() const { return file_count_; }

  std::string file_name(FileId file) const;  // below the root; any bytes
  std::uint64_t file_size(FileId file) const;
  std::filesystem::path file_path(FileId file) const { return root_ / file_name(file); }

  // Work: compare and replace is all that claims need.
  Work work(FileId file) const;
  bool replace_work(FileId file, const Work& expected, const Work& now);
  std::vector<Work> all_work() const;  // by file id, all at one instant

  bool is_gone(WorkerId worker) const;
  void set_worker(WorkerId worker, const WorkerRecord& record);
  std::uint64_t worker_count() const { return workers_.count(); }

  // Makes `posting` the one of its file for `word`, whatever was there. Writes nothing if it is there already.
  void set_posting(std::string_view word, Posting posting);
  std::vector<Posting> postings(std::string_view word) const;
  // Calls visit(word, postings) for every bucket of every word, in no order, as they are at this instant.
  template <class Visit>
  void for_each_bucket(Visit&& visit) const;

 private:
  Index(utan::Store store, utan::Mode mode);

  utan::Store store_;
  utan::Table about_;
  utan::Table list_;
  utan::Table work_;
  utan::Table workers_;
  utan::Table words_;
  Documents documents_;
  std::filesystem::path root_;
  FileId file_count_ = 0;
};

// The regular files below `root`, as paths below it, sorted by bytes, with their sizes. Follows no links.
std::vector<std::pair<std::string, std::uint64_t>> list_files(const std::filesystem::path& root);

// ---- what the templates need ----

std::vector<Posting> to_postings(std::string_view value);
std::string_view word_of_key(std::string_view key);

template <class T>
T from_bytes(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) throw Failure(5, "a value in the store has a size that the demo did not write");
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <class Visit>
void Index::for_each_bucket(Visit&& visit) const {
  for (const auto& [key, value] : words_) visit(word_of_key(key), to_postings(value));
}

}  // namespace demo
