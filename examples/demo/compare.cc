#include "compare.h"

#include <algorithm>
#include <set>

#include "crew.h"
#include "identifiers.h"
#include "text.h"

namespace demo {

namespace {

void note(Comparison& result, const std::string& difference) {
  constexpr std::size_t difference_shown_max = 10;
  if (++result.difference_count <= difference_shown_max) result.first_differences.push_back(difference);
}

void compare_postings(const Index& index, Counts& expected, Comparison& result) {
  const auto differ = [&](std::string_view word, FileId file, std::uint32_t in_store, std::uint32_t in_memory) {
    note(result, printable(word) + " in " + printable(index.file_name(file)) +
                     formatted(": %u in the store, %u in memory", in_store, in_memory));
  };
  // Every posting of the store is looked up, and struck out by a count of 0. What is not struck out is missing.
  index.for_each_bucket([&](std::string_view word, const std::vector<Posting>& postings) {
    const auto found = expected.words.find(std::string(word));
    for (const Posting& posting : postings) {
      std::uint32_t in_memory = 0;
      if (found != expected.words.end()) {
        const auto place = std::lower_bound(found->second.begin(), found->second.end(), posting.file,
                                            [](const Posting& p, FileId file) { return p.file < file; });
        if (place != found->second.end() && place->file == posting.file) in_memory = std::exchange(place->count, 0);
      }
      if (in_memory != posting.count) differ(word, posting.file, posting.count, in_memory);
    }
  });
  for (const auto& [word, postings] : expected.words) {
    for (const Posting& posting : postings) {
      if (posting.count != 0) differ(word, posting.file, 0, posting.count);
    }
  }
}

// Every document is what the file has, under an id of its own.
void compare_documents(const Documents& documents, const Counts& expected, Comparison& result) {
  std::set<utan::Uuid> ids;
  for (const auto& [path, value] : documents.files) {
    const utan::Dict document = value.as_dict();
    const auto found = expected.files.find(path.str());
    if (found == expected.files.end()) {
      note(result, "a document of " + printable(path.view()) + ", which is no file");
    } else if (Documents::facts_of(document) != found->second) {
      note(result, "the document of " + printable(path.view()) + ": " + printable(document.to_json()));
    }
    if (!ids.insert(document["id"].as_uuid()).second)
      note(result, "the id of " + printable(path.view()) + " is that of another file");
  }
  for (const auto& [path, facts] : expected.files) {
    if (!documents.files.contains(to_input(path))) note(result, "no document of " + printable(path));
  }
}

// The indexes have an entry for all that is to be found by them, and as many as that.
void compare_entries(const Documents& documents, const Counts& expected, Comparison& result) {
  std::uint64_t include_count = 0;
  const auto look = [&](const utan::Collection& index, const char* name, const utan::Input& by,
                        const std::string& path) {
    if (!index.contains(utan::tuple({by, to_input(path)})))
      note(result, printable(path) + " is not found " + std::string(name));
  };
  for (const auto& [path, facts] : expected.files) {
    look(documents.by_size, "by its size", facts.size, path);
    look(documents.by_change, "by its last change", facts.modified, path);
    const std::set<std::string> names(facts.includes.begin(), facts.includes.end());
    for (const std::string& name : names) look(documents.by_include, "by what it includes", to_input(name), path);
    include_count += names.size();
  }
  const auto check_size = [&](const char* name, const utan::Collection& index, std::uint64_t count) {
    if (index.size() == count) return;
    note(result,
         std::string(name) + ": " + grouped(index.size()) + " entries in the store, " + grouped(count) + " in memory");
  };
  check_size("by_size", documents.by_size, expected.files.size());
  check_size("by_change", documents.by_change, expected.files.size());
  check_size("by_include", documents.by_include, include_count);
}

}  // namespace

Counts count_in_memory(const Index& index) {
  Counts counts;
  for (FileId file = 0; file < index.file_count(); ++file) {
    stop_if_asked();
    std::optional<FileFacts> facts = read_facts(index.file_path(file));
    if (!facts) continue;
    for_each_identifier(index.file_path(file), [&](std::string_view word) {
      std::vector<Posting>& postings = counts.words[std::string(word)];
      if (postings.empty() || postings.back().file != file) postings.push_back({.file = file, .count = 0});
      ++postings.back().count;
      ++facts->identifiers;
    });
    counts.files.emplace(index.file_name(file), *std::move(facts));
  }
  return counts;
}

Comparison compare(const Index& index, Counts expected) {
  Comparison result;
  result.identifier_count = expected.words.size();
  for (const auto& [word, postings] : expected.words) result.posting_count += postings.size();
  for (const auto& [path, facts] : expected.files) result.totals.add(facts);

  compare_postings(index, expected, result);
  compare_documents(index.documents(), expected, result);
  compare_entries(index.documents(), expected, result);
  if (index.documents().totals() != result.totals) note(result, "the totals are not those of the files");
  return result;
}

}  // namespace demo
