// utan_demo: four processes index a folder of source files into one store, without locks. One of them is killed half way
// and its work taken over; then the index is compared with a plain count in memory, answers questions, and is checked.
//
// Read index.h and documents.h first (what is in the store), then worker.cc (how processes share the work), then crew.cc
// (the parent).
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "answers.h"
#include "compare.h"
#include "crew.h"
#include "identifiers.h"
#include "text.h"
#include "worker.h"

namespace demo {
namespace {

namespace fs = std::filesystem;

enum ExitCode { exit_ok = 0, exit_different = 1, exit_usage = 2, exit_io = 5 };

constexpr const char* help =
    "usage: utan_demo [DIR] [--store PATH] [--workers N] [--top N] [--where NAME] [--under PREFIX] [--includes NAME]\n"
    "                 [--keep]\n"
    "\n"
    "Indexes every identifier of every file below DIR, and a document for each file, with several processes in one\n"
    "store, kills one of them half way, compares the result with a plain count in memory, and asks the index.\n"
    "\n"
    "  DIR              the folder; by default $DIR, else the C++ headers of this system\n"
    "  --store PATH     where to make the store, which is kept. If there is one it is asked again, and first "
    "continued\n"
    "                   if it is not complete (by default: a temporary file)\n"
    "  --workers N      how many processes, 1 to 64 (4)\n"
    "  --top N          how many identifiers and files to show (10)\n"
    "  --where NAME     the files of this identifier (unique_ptr)\n"
    "  --under PREFIX   the files whose path begins so (the first folder)\n"
    "  --includes NAME  the files that include this header (one that is included)\n"
    "  --keep           keep the temporary store\n"
    "\n"
    "An identifier is [A-Za-z_][A-Za-z0-9_]*, of 1,024 bytes at most. Links are not followed.\n"
    "Exit code: 0 all is well, 1 index and count differ or the store is damaged, 2 usage, 5 a file or the store cannot "
    "be used.\n";

struct Options {
  std::optional<std::string> folder;
  std::optional<std::string> store;
  std::optional<std::string> where;
  std::optional<std::string> under;
  std::optional<std::string> includes;
  std::optional<std::size_t> top;
  WorkerId worker_count = 4;
  bool keep = false;

  std::size_t shown_max() const { return top.value_or(10); }
  bool asks() const { return top || where || under || includes; }
};

std::size_t parse_number(const std::string& text, const std::string& option, std::size_t least, std::size_t most) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw Failure(exit_usage, option + " takes a number from " + std::to_string(least) + " to " + std::to_string(most) +
                                  ", not \"" + text + "\"");
  }
  return number;
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  bool only_names = false;  // after --
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto argument = [&]() -> const std::string& {
      if (i + 1 == words.size()) throw Failure(exit_usage, word + " needs an argument");
      return words[++i];
    };
    if (only_names || word.empty() || word[0] != '-') {
      if (options.folder) throw Failure(exit_usage, "more than one folder: " + *options.folder + " and " + word);
      options.folder = word;
    } else if (word == "--") {
      only_names = true;
    } else if (word == "--store") {
      options.store = argument();
    } else if (word == "--workers") {
      options.worker_count = static_cast<WorkerId>(parse_number(argument(), "--workers", 1, 64));
    } else if (word == "--top") {
      options.top = parse_number(argument(), "--top", 1, 1'000'000'000);
    } else if (word == "--where") {
      options.where = argument();
      if (!is_identifier(*options.where)) throw Failure(exit_usage, *options.where + " is not an identifier");
    } else if (word == "--under") {
      options.under = argument();
    } else if (word == "--includes") {
      options.includes = argument();
    } else if (word == "--keep") {
      options.keep = true;
    } else {
      throw Failure(exit_usage, "unknown option " + word);
    }
  }
  return options;
}

// The newest of /usr/include/c++/<version>, or else /usr/include.
fs::path system_headers() {
  fs::path newest = "/usr/include";
  int newest_version = -1;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/include/c++", none)) {
    const std::string name = entry.path().filename().string();
    int version = -1;
    std::from_chars(name.data(), name.data() + name.size(), version);
    if (version <= newest_version || !entry.is_directory()) continue;
    newest = entry.path();
    newest_version = version;
  }
  return newest;
}

fs::path folder_to_index(const Options& options) {
  const char* from_environment = std::getenv("DIR");
  fs::path folder = system_headers();
  if (options.folder) {
    folder = *options.folder;
  } else if (from_environment != nullptr && *from_environment != '\0') {
    folder = from_environment;
  }
  std::error_code error;
  if (!fs::exists(folder, error)) throw Failure(exit_io, printable(folder.native()) + ": no such folder");
  if (!fs::is_directory(folder, error)) throw Failure(exit_io, printable(folder.native()) + ": not a folder");
  return fs::canonical(folder);
}

// A folder for a store that nobody asked to keep; removed with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "utan_demo.XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) throw Failure(exit_io, "cannot make a temporary folder " + name);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

bool is_complete(const Index& index) {
  if (!index.documents().totals()) return false;
  for (const Work& work : index.all_work()) {
    if (!work.finished()) return false;
  }
  return true;
}

// The folder of the first file that is in one; otherwise nothing, which all paths begin with.
std::string first_folder(const Index& index) {
  for (const auto& [path, document] : index.documents().files) {
    const std::size_t end = path.view().find('/');
    if (end != std::string_view::npos) return std::string(path.view().substr(0, end + 1));
  }
  return {};
}

// A header that many know, if it is included here; otherwise the first one that is.
std::string included_header(const Index& index) {
  const utan::Collection& by_include = index.documents().by_include;
  for (const char* name : {"string", "stdio.h", "utan/utan.h"}) {
    const std::optional<utan::Item> found = by_include.ceiling(utan::tuple({name}));
    if (found && found->key.element(0).view() == name) return name;
  }
  const std::optional<utan::Item> first = by_include.first();
  return first ? first->key.element(0).str() : "stdio.h";
}

// Answers what is asked, or, if nothing is, everything.
void answer(const Index& index, const Options& options, bool all) {
  const std::size_t few = std::min<std::size_t>(options.shown_max(), 5);
  bool first = true;
  const auto part = [&](bool is_asked, auto&& body) {
    if (!is_asked) return;
    if (!std::exchange(first, false)) std::printf("\n");
    body();
  };
  part(all || options.top, [&] { answer_top(index, options.shown_max()); });
  part(all || options.where, [&] { answer_where(index, options.where.value_or("unique_ptr"), options.shown_max()); });
  part(all, [&] { answer_totals(index, few); });
  part(all || options.under, [&] { answer_under(index, options.under.value_or(first_folder(index)), few); });
  part(all, [&] { answer_changed(index, few); });
  part(all || options.includes,
       [&] { answer_includes(index, options.includes.value_or(included_header(index)), few); });
}

// True: every byte of the store's newest commit is as it should be.
bool check_store(const Index& index) {
  const Stopwatch time;
  const utan::CheckReport report = index.store().check();
  if (report.is_sound()) {
    std::printf("The store is sound: %s containers, %s entries, %s elements (checked in %.2f s).\n",
                grouped(report.container_count).c_str(), grouped(report.entry_count).c_str(),
                grouped(report.element_count).c_str(), time.seconds());
    return true;
  }
  std::printf("The store is DAMAGED: %s problems. The first:\n", grouped(report.problem_count).c_str());
  for (const std::string& problem : report.problems) std::printf("  %s\n", problem.c_str());
  return false;
}

void print_size(Index& index, const Comparison& counted, std::uint64_t commits, double index_s) {
  const utan::Stats stats = index.store().stats();
  std::printf(
      "  %s commits, %.0f in a second; the file has %s, %s of it in use: %.1f bytes per posting\n",
      grouped(commits).c_str(), static_cast<double>(commits) / std::max(index_s, 0.001),
      megabytes(stats.file_size).c_str(), megabytes(stats.used_size).c_str(),
      static_cast<double>(stats.used_size) / static_cast<double>(std::max<std::uint64_t>(1, counted.posting_count)));
}

// True: index and count are the same.
bool check_against_memory(const Index& index, Comparison& result) {
  std::printf("Comparing with a plain count in this process's memory\n");
  std::fflush(stdout);
  const Stopwatch count_time;
  Counts expected = count_in_memory(index);
  const double count_s = count_time.seconds();
  const Stopwatch compare_time;
  result = compare(index, std::move(expected));
  std::uint64_t unreadable = 0;
  for (const Work& work : index.all_work()) unreadable += work.state == WorkState::unreadable ? 1 : 0;
  if (unreadable != 0) std::printf("  %s files could not be read\n", grouped(unreadable).c_str());
  if (result.difference_count == 0) {
    std::printf("  identical: %s postings of %s identifiers, %s documents (counted in %.2f s, compared in %.2f s)\n",
                grouped(result.posting_count).c_str(), grouped(result.identifier_count).c_str(),
                grouped(result.totals.files).c_str(), count_s, compare_time.seconds());
    return true;
  }
  std::printf(
      "  DIFFERENT: %s postings or documents (files that changed since they were indexed show here too). The first:\n",
      grouped(result.difference_count).c_str());
  for (const std::string& line : result.first_differences) std::printf("    %s\n", line.c_str());
  return false;
}

// Indexes what is left to index, checks, and answers.
int build(Index& index, const Options& options, const std::string& program, const std::string& path, bool is_new) {
  std::uint64_t size = 0;
  for (FileId file = 0; file < index.file_count(); ++file) size += index.file_size(file);
  std::printf("%s %s files of %s, %s, with %u processes into\n  %s\n", is_new ? "Indexing" : "Continuing to index",
              grouped(index.file_count()).c_str(), printable(index.root().native()).c_str(), megabytes(size).c_str(),
              options.worker_count, path.c_str());
  std::fflush(stdout);

  const std::uint64_t commits_before = index.store().stats().commit_number;
  const Stopwatch index_time;
  run_crew(index, {.program = program, .store_path = path, .worker_count = options.worker_count, .kill_one = is_new});
  index.documents().set_totals();
  const double index_s = index_time.seconds();
  const std::uint64_t commits = index.store().stats().commit_number - commits_before;
  const Stopwatch sync_time;
  index.store().sync();
  std::printf("  indexed in %.2f s, made safe from power cuts in %.2f s\n", index_s, sync_time.seconds());

  Comparison result;
  const bool same = check_against_memory(index, result);
  print_size(index, result, commits, index_s);
  std::printf("\n");
  answer(index, options, true);
  std::printf("\n");
  const bool sound = check_store(index);
  return same && sound ? exit_ok : exit_different;
}

int run(const Options& options, const std::string& program) {
  if (options.store && fs::exists(*options.store)) {
    if (options.folder) {
      throw Failure(exit_usage, *options.store + " is there already: leave out the folder to ask it, or remove it");
    }
    const Index finished = Index::open(*options.store, utan::Mode::read_only);
    if (is_complete(finished)) {
      answer(finished, options, !options.asks());
      return exit_ok;
    }
  }

  note_signals();
  std::optional<TemporaryFolder> temporary;
  if (!options.store) temporary.emplace();
  const std::string path = options.store ? *options.store : (temporary->path() / "index.utan").native();
  const bool is_new = !fs::exists(path);
  if (temporary && options.keep) temporary->keep();

  Index index = is_new ? Index::create(path, folder_to_index(options)) : Index::open(path, utan::Mode::existing);
  const int code = build(index, options, program, path, is_new);
  if (temporary && !options.keep) {
    std::printf("\nThe store was temporary. utan_demo --store PATH keeps it, and asks it again later.\n");
  } else {
    std::printf("\nAsk it again:  %s --store '%s' --where NAME  (or --top N)\n", program.c_str(), path.c_str());
  }
  return code;
}

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::string who = "utan_demo";
  try {
    if (words.size() == 5 && words[0] == "--worker") {  // started by crew.cc
      who += " worker " + words[2];
      const auto number = [&](std::size_t i) {
        return static_cast<WorkerId>(parse_number(words[i], "--worker", 1, 1u << 30));
      };
      run_worker(words[1], number(2), number(3), number(4));
      return exit_ok;
    }
    if (words.size() == 1 && (words[0] == "--help" || words[0] == "-h")) {
      std::fputs(help, stdout);
      return exit_ok;
    }
    return run(parse(words), argv[0]);
  } catch (const Failure& failure) {
    std::cerr << who << ": " << failure.what() << "\n";
    if (failure.exit_code == exit_usage) std::cerr << "utan_demo --help says what there is.\n";
    return failure.exit_code;
  } catch (const std::exception& error) {
    std::cerr << who << ": " << error.what() << "\n";
    return exit_io;
  }
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) { return demo::main(argc, argv); }
