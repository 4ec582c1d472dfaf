#include "index.h"

#include <algorithm>

namespace demo {

namespace {

constexpr std::string_view format = "utan_demo 2";

std::string word_key(std::string_view word, FileId bucket) {
  std::string key(word);
  key += '\0';
  return key += to_bytes(bucket);
}

// An existing table, or in a store that may be written a new one.
utan::Table table(const utan::Store& store, std::string_view name, utan::Mode mode) {
  if (mode == utan::Mode::create) return store.table(name);
  std::optional<utan::Table> found = store.find_table(name);
  if (!found) throw Failure(5, "the store was not made by utan_demo: it has no table \"" + std::string(name) + "\"");
  return *found;
}

// `old` with `posting` in it; nothing if it has exactly this one.
std::optional<std::string> with_posting(std::optional<std::string_view> old, Posting posting) {
  std::vector<Posting> postings = to_postings(old.value_or(std::string_view()));
  const auto place = std::lower_bound(postings.begin(), postings.end(), posting.file,
                                      [](const Posting& p, FileId file) { return p.file < file; });
  if (place == postings.end() || place->file != posting.file) {
    postings.insert(place, posting);
  } else if (place->count != posting.count) {
    *place = posting;
  } else {
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(postings.data()), postings.size() * sizeof(Posting));
}

}  // namespace

std::vector<Posting> to_postings(std::string_view value) {
  if (value.size() % sizeof(Posting) != 0) throw Failure(5, "a list of postings in the store has half a posting");
  std::vector<Posting> postings(value.size() / sizeof(Posting));
  if (!postings.empty()) std::memcpy(postings.data(), value.data(), value.size());
  return postings;
}

std::string_view word_of_key(std::string_view key) {
  constexpr std::size_t tail_size = 1 + sizeof(FileId);
  if (key.size() <= tail_size) throw Failure(5, "a key in the store is too short for an identifier and its bucket");
  return key.substr(0, key.size() - tail_size);
}

std::vector<std::pair<std::string, std::uint64_t>> list_files(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::vector<std::pair<std::string, std::uint64_t>> files;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied)) {
    std::error_code gone;
    if (!fs::is_regular_file(entry.symlink_status(gone))) continue;
    const std::uint64_t size = entry.file_size(gone);
    if (!gone) files.emplace_back(entry.path().lexically_relative(root).native(), size);
  }
  std::sort(files.begin(), files.end());
  return files;
}

Index::Index(utan::Store store, utan::Mode mode)
    : store_(std::move(store)),
      about_(table(store_, "about", mode)),
      list_(table(store_, "list", mode)),
      work_(table(store_, "work", mode)),
      workers_(table(store_, "workers", mode)),
      words_(table(store_, "words", mode)),
      documents_(store_, mode == utan::Mode::create) {}

Index Index::create(const std::string& path, const std::filesystem::path& root) {
  // The list comes first, so that a store inside the folder is not in it.
  const auto files = list_files(root);
  if (files.empty()) throw Failure(5, root.string() + ": no regular files in it, nothing to index");

  Index index(utan::Store::open(path), utan::Mode::create);
  index.root_ = root;
  index.about_.put("format", format);
  index.about_.put("root", root.native());
  for (const auto& [name, size] : files) {
    const std::string id = to_bytes(index.file_count_++);
    index.list_.put(id, to_bytes(size) + name);
    index.work_.put(id, to_bytes(Work{}));
  }
  index.about_.put("files", to_bytes(index.file_count_));
  return index;
}

Index Index::open(const std::string& path, utan::Mode mode) {
  Index index(utan::Store::open(path, {.mode = mode}), mode);
  const utan::Value found = index.about_.get("format");
  if (!found || found.view() != format) throw Failure(5, path + ": made by another version of utan_demo, or none");
  const std::optional<std::string> root = index.about_.get_copy("root");
  const utan::Value count = index.about_.get("files");
  if (!root || !count) throw Failure(5, path + ": its list of files was never completed; remove it and start again");
  index.root_ = *root;
  index.file_count_ = from_bytes<FileId>(count.view());
  return index;
}

std::string Index::file_name(FileId file) const {
  const utan::Value value = list_.get(to_bytes(file));
  if (value.size() < sizeof(std::uint64_t)) throw Failure(5, "a file of the list is missing in the store");
  return std::string(value.view().substr(sizeof(std::uint64_t)));
}

std::uint64_t Index::file_size(FileId file) const {
  return from_bytes<std::uint64_t>(list_.get(to_bytes(file)).view().substr(0, sizeof(std::uint64_t)));
}

Work Index::work(FileId file) const { return from_bytes<Work>(work_.get(to_bytes(file)).view()); }

bool Index::replace_work(FileId file, const Work& expected, const Work& now) {
  return work_.replace(to_bytes(file), to_bytes(expected), to_bytes(now));
}

std::vector<Work> Index::all_work() const {
  std::vector<Work> all(file_count_);
  for (const auto& [key, value] : work_) {
    const FileId file = from_bytes<FileId>(key);
    if (file >= file_count_) throw Failure(5, "the work list in the store names a file that is not in it");
    all[file] = from_bytes<Work>(value);
  }
  return all;
}

bool Index::is_gone(WorkerId worker) const {
  const utan::Value record = workers_.get(to_bytes(worker));
  return record && from_bytes<WorkerRecord>(record.view()).gone != 0;
}

void Index::set_worker(WorkerId worker, const WorkerRecord& record) {
  workers_.put(to_bytes(worker), to_bytes(record));
}

void Index::set_posting(std::string_view word, Posting posting) {
  words_.alter(word_key(word, posting.file / files_per_bucket),
               [&](std::optional<std::string_view> old) { return with_posting(old, posting); });
}

std::vector<Posting> Index::postings(std::string_view word) const {
  std::vector<Posting> all;
  for (FileId bucket = 0; bucket * files_per_bucket < file_count_; ++bucket) {
    const utan::Value value = words_.get(word_key(word, bucket));
    const std::vector<Posting> some = to_postings(value.view());
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace demo
