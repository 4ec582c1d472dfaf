// What the demo knows of each file: a document in the store, indexes to find documents by, and totals.
//
//   files       Collection: path -> Dict {id: UUID, identifiers, includes: List of names, lines, modified: datetime, size}
//   by_size     Collection: (size, path) -> null
//   by_change   Collection: (modified, path) -> null
//   by_include  Collection: (name in an #include line, path) -> null
//   totals      Dict: bytes, files, identifiers, includes, lines; of all documents
//
// A path or name that is no UTF-8 is bytes, any other a string.
//
// Why it is exact, though workers are killed: a document comes into the store whole, in one commit, and only if there is
// none. What the indexes get is read from the document that is in the store, and setting it twice is setting it once: who
// takes a file over does that again, and the file is listed as done after it. The totals are added up at the end, from
// all documents at one instant, and set in one commit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utan/utan.hpp>
#include <vector>

namespace demo {

struct FileFacts {
  std::uint64_t size = 0;
  utan::DatetimeUtc modified{};
  std::uint64_t lines = 0;
  std::uint64_t identifiers = 0;
  std::vector<std::string> includes;  // in the order of the file

  bool operator==(const FileFacts&) const = default;
};

// All but the identifiers; nothing if the file cannot be read to its end.
std::optional<FileFacts> read_facts(const std::filesystem::path& path);

// A string, or bytes if it is no UTF-8. Sees `text`.
utan::Input to_input(std::string_view text);

struct Totals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  std::uint64_t identifiers = 0;
  std::uint64_t includes = 0;

  void add(const FileFacts& facts);
  bool operator==(const Totals&) const = default;
};

class Documents {
 public:
  // Those of `store`, made if it may be written and `create` is set. Throws Failure if they are missing.
  Documents(const utan::Store& store, bool create);

  // Puts a document for `path` if there is none, and makes it found in the indexes.
  void put(std::string_view path, const FileFacts& facts);
  static FileFacts facts_of(const utan::Dict& document);

  // Adds up the documents, and sets the totals.
  void set_totals();
  // Nothing if they were never set.
  std::optional<Totals> totals() const;

  utan::Collection files;
  utan::Collection by_size;
  utan::Collection by_change;
  utan::Collection by_include;

 private:
  utan::Dict totals_;
};

}  // namespace demo
