#include "answers.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_map>

#include "text.h"

namespace demo {

namespace {

// "2026-02-28 13:00:05 UTC".
std::string to_text(utan::DatetimeUtc time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return formatted("%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(date.year()),
                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                   static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                   static_cast<int>(clock.seconds().count()));
}

void say_more(std::uint64_t count, std::uint64_t shown) {
  if (shown < count) std::printf("%11s  and %s files more\n", "", grouped(count - shown).c_str());
}

}  // namespace

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
  say_more(postings.size(), shown);
}

void answer_totals(const Index& index, std::size_t count_max) {
  const std::optional<Totals> totals = index.documents().totals();
  if (!totals) throw Failure(5, "the store has no totals: --store continues it");
  std::printf("%s files have %s, %s lines, %s identifiers, %s #include lines. The largest:\n",
              grouped(totals->files).c_str(), megabytes(totals->bytes).c_str(), grouped(totals->lines).c_str(),
              grouped(totals->identifiers).c_str(), grouped(totals->includes).c_str());
  for (const auto& [key, none] : index.documents().by_size.range({.reverse = true, .limit = count_max})) {
    std::printf("%11s  %s\n", grouped(static_cast<std::uint64_t>(key.element(0).as_integer())).c_str(),
                printable(key.element(1).view()).c_str());
  }
}

void answer_under(const Index& index, const std::string& prefix, std::size_t count_max) {
  const Stopwatch time;
  const utan::Collection& files = index.documents().files;
  const std::uint64_t count = files.count_range({.prefix = to_input(prefix)});
  std::printf("%s files are under %s (%.2f ms):\n", grouped(count).c_str(), printable(prefix).c_str(),
              1000 * time.seconds());
  std::uint64_t shown = 0;
  for (const auto& [path, document] : files.range({.prefix = to_input(prefix), .limit = count_max})) {
    const auto lines = static_cast<std::uint64_t>(document["lines"].as_integer());
    std::printf("%11s lines  %s\n", grouped(lines).c_str(), printable(path.view()).c_str());
    ++shown;
  }
  say_more(count, shown);
}

void answer_changed(const Index& index, std::size_t count_max) {
  const utan::Collection& by_change = index.documents().by_change;
  const std::optional<utan::Item> newest = by_change.last();
  if (!newest) return;
  const Stopwatch time;
  const utan::DatetimeUtc since = newest->key.element(0).as_datetime_utc() - std::chrono::days(1);
  const std::uint64_t count = by_change.count_range({.low = utan::tuple({since})});
  std::printf("%s files were changed since %s (%.2f ms). The newest:\n", grouped(count).c_str(), to_text(since).c_str(),
              1000 * time.seconds());
  std::uint64_t shown = 0;
  for (const auto& [key, none] : by_change.range({.low = utan::tuple({since}), .reverse = true, .limit = count_max})) {
    std::printf("  %s  %s\n", to_text(key.element(0).as_datetime_utc()).c_str(),
                printable(key.element(1).view()).c_str());
    ++shown;
  }
  say_more(count, shown);
}

void answer_includes(const Index& index, const std::string& name, std::size_t count_max) {
  const Stopwatch time;
  // From (name) up to the tuple of the next name that there can be: all pairs (name, path).
  const std::string next_name = name + '\0';
  const utan::Range range{.low = utan::tuple({to_input(name)}), .high = utan::tuple({to_input(next_name)})};
  const std::uint64_t count = index.documents().by_include.count_range(range);
  std::printf("%s files include %s (%.2f ms)%s\n", grouped(count).c_str(), printable(name).c_str(),
              1000 * time.seconds(), count == 0 ? "." : ":");
  std::uint64_t shown = 0;
  for (const auto& [key, none] : index.documents().by_include.range(range)) {
    if (shown == count_max) break;
    std::printf("%11s  %s\n", "", printable(key.element(1).view()).c_str());
    ++shown;
  }
  say_more(count, shown);
}

}  // namespace demo
