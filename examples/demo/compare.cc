#include "compare.h"

#include <algorithm>

#include "crew.h"
#include "identifiers.h"
#include "text.h"

namespace demo {

Counts count_in_memory(const Index& index) {
  Counts counts;
  for (FileId file = 0; file < index.file_count(); ++file) {
    stop_if_asked();
    for_each_identifier(index.file_path(file), [&](std::string_view word) {
      std::vector<Posting>& postings = counts[std::string(word)];
      if (postings.empty() || postings.back().file != file) postings.push_back({.file = file, .count = 0});
      ++postings.back().count;
    });
  }
  return counts;
}

Comparison compare(const Index& index, Counts expected) {
  constexpr std::size_t difference_shown_max = 10;
  Comparison result;
  result.identifier_count = expected.size();
  for (const auto& [word, postings] : expected) {
    result.posting_count += postings.size();
    for (const Posting& posting : postings) result.occurrence_count += posting.count;
  }

  const auto differ = [&](std::string_view word, FileId file, std::uint32_t in_store, std::uint32_t in_memory) {
    if (++result.difference_count > difference_shown_max) return;
    result.first_differences.push_back(printable(word) + " in " + printable(index.file_name(file)) +
                                       formatted(": %u in the store, %u in memory", in_store, in_memory));
  };

  // Every posting of the store is looked up, and struck out by a count of 0. What is not struck out is missing.
  index.for_each_bucket([&](std::string_view word, const std::vector<Posting>& postings) {
    const auto found = expected.find(std::string(word));
    for (const Posting& posting : postings) {
      std::uint32_t in_memory = 0;
      if (found != expected.end()) {
        const auto place = std::lower_bound(found->second.begin(), found->second.end(), posting.file,
                                            [](const Posting& p, FileId file) { return p.file < file; });
        if (place != found->second.end() && place->file == posting.file) in_memory = std::exchange(place->count, 0);
      }
      if (in_memory != posting.count) differ(word, posting.file, posting.count, in_memory);
    }
  });
  for (const auto& [word, postings] : expected) {
    for (const Posting& posting : postings) {
      if (posting.count != 0) differ(word, posting.file, 0, posting.count);
    }
  }
  return result;
}

}  // namespace demo
