#include "answers.h"

#include <algorithm>
#include <unordered_map>

#include "text.h"

namespace demo {

void answer_top(const Index& index, std::size_t count_max) {
  struct Total {
    std::uint64_t occurrences = 0;
    std::uint64_t files = 0;
  };
  const Stopwatch time;
  std::unordered_map<std::string, Total> totals;
  Total all;
  index.for_each_bucket([&](std::string_view word, const std::vector<Posting>& postings) {
    Total& total = totals[std::string(word)];
    for (const Posting& posting : postings) {
      total.occurrences += posting.count;
      all.occurrences += posting.count;
    }
    total.files += postings.size();
  });

  std::vector<std::pair<std::string, Total>> sorted(totals.begin(), totals.end());
  const std::size_t shown = std::min(count_max, sorted.size());
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(shown), sorted.end(),
                    [](const auto& a, const auto& b) {
                      if (a.second.occurrences != b.second.occurrences)
                        return a.second.occurrences > b.second.occurrences;
                      return a.first < b.first;
                    });
  std::printf("%s distinct identifiers, %s occurrences in %s files. The most frequent (%.0f ms):\n",
              grouped(totals.size()).c_str(), grouped(all.occurrences).c_str(), grouped(index.file_count()).c_str(),
              1000 * time.seconds());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [word, total] = sorted[i];
    std::printf("%11s in %6s files  %s\n", grouped(total.occurrences).c_str(), grouped(total.files).c_str(),
                word.c_str());
  }
}

void answer_where(const Index& index, const std::string& name, std::size_t count_max) {
  const Stopwatch time;
  std::vector<Posting> postings = index.postings(name);
  const double seconds = time.seconds();
  if (postings.empty()) {
    std::printf("%s is in no file (%.2f ms).\n", name.c_str(), 1000 * seconds);
    return;
  }
  std::uint64_t occurrences = 0;
  for (const Posting& posting : postings) occurrences += posting.count;
  std::stable_sort(postings.begin(), postings.end(),
                   [](const Posting& a, const Posting& b) { return a.count > b.count; });

  std::printf("%s is in %s files, %s times (%.2f ms):\n", name.c_str(), grouped(postings.size()).c_str(),
              grouped(occurrences).c_str(), 1000 * seconds);
  const std::size_t shown = std::min(count_max, postings.size());
  for (std::size_t i = 0; i < shown; ++i) {
    std::printf("%11s  %s\n", grouped(postings[i].count).c_str(), printable(index.file_name(postings[i].file)).c_str());
  }
  if (shown < postings.size()) std::printf("%11s  and %s files more\n", "", grouped(postings.size() - shown).c_str());
}

}  // namespace demo
