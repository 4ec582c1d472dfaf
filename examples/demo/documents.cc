#include "documents.h"

#include <sys/stat.h>

#include <fstream>
#include <random>

#include "failure.h"
#include "identifiers.h"

namespace demo {

namespace {

// The name in a line like #include <name> or # include "name"; nothing in others.
std::optional<std::string_view> included_name(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  const auto skip = [&](std::string_view word) {
    if (!line.starts_with(word)) return false;
    line.remove_prefix(word.size());
    skip_blanks();
    return true;
  };
  skip_blanks();
  if (!skip("#") || !skip("include") || line.empty()) return std::nullopt;
  if (line[0] != '<' && line[0] != '"') return std::nullopt;
  const std::size_t end = line.find(line[0] == '<' ? '>' : '"', 1);
  if (end == std::string_view::npos || end == 1 || end > identifier_size_max) return std::nullopt;
  return line.substr(1, end - 1);
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if ((lead >= 0x80 && lead < 0xc2) || size == 0 || i + size > text.size()) return false;
    std::uint32_t code = size == 1 ? lead : lead & (0x7fU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xc0) != 0x80) return false;
      code = (code << 6) | (byte & 0x3fU);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (surrogate || code > 0x10ffff || (size == 3 && code < 0x800) || (size == 4 && code < 0x10000)) return false;
    i += size;
  }
  return true;
}

// Version 4 of RFC 9562: random but for six bits.
utan::Uuid random_uuid() {
  std::random_device random;
  utan::Uuid out;
  for (std::byte& byte : out) byte = static_cast<std::byte>(random() & 0xff);
  out[6] = (out[6] & std::byte{0x0f}) | std::byte{0x40};
  out[8] = (out[8] & std::byte{0x3f}) | std::byte{0x80};
  return out;
}

utan::Data to_document(const FileFacts& facts) {
  utan::Data out;
  out.begin(utan::ContainerType::dict);
  out.add("id").add(random_uuid());
  out.add("identifiers").add(facts.identifiers);
  out.add("includes").begin(utan::ContainerType::list);
  for (const std::string& name : facts.includes) out.add(to_input(name));
  out.end();
  out.add("lines").add(facts.lines);
  out.add("modified").add(facts.modified);
  out.add("size").add(facts.size);
  out.end();
  return out;
}

utan::Collection collection(const utan::Store& store, std::string_view name, bool create) {
  if (!create && !store.root().contains(name))
    throw Failure(5, "the store was not made by utan_demo: it has no collection \"" + std::string(name) + "\"");
  return store.collection(name);
}

std::uint64_t count_in(const utan::Dict& dict, const char* key) {
  return static_cast<std::uint64_t>(dict[key].as_integer());
}

}  // namespace

std::optional<FileFacts> read_facts(const std::filesystem::path& path) {
  struct stat status {};
  std::ifstream in(path, std::ios::binary);
  if (!in || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  FileFacts facts;
  facts.size = static_cast<std::uint64_t>(status.st_size);
  facts.modified = utan::DatetimeUtc(std::chrono::floor<std::chrono::microseconds>(
      std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
  std::string line;
  while (std::getline(in, line)) {
    ++facts.lines;
    if (const std::optional<std::string_view> name = included_name(line)) facts.includes.emplace_back(*name);
  }
  if (in.bad()) return std::nullopt;
  return facts;
}

utan::Input to_input(std::string_view text) {
  if (is_utf8(text)) return text;
  return utan::bytes(text);
}

void Totals::add(const FileFacts& facts) {
  ++files;
  bytes += facts.size;
  lines += facts.lines;
  identifiers += facts.identifiers;
  includes += facts.includes.size();
}

Documents::Documents(const utan::Store& store, bool create)
    : files(collection(store, "files", create)),
      by_size(collection(store, "by_size", create)),
      by_change(collection(store, "by_change", create)),
      by_include(collection(store, "by_include", create)),
      totals_(store.dict("totals")) {}

void Documents::put(std::string_view path, const FileFacts& facts) {
  const utan::Input key = to_input(path);
  const utan::Dict document = files.set_default(key, to_document(facts)).as_dict();
  by_size.set(utan::tuple({document["size"], key}), nullptr);
  by_change.set(utan::tuple({document["modified"], key}), nullptr);
  for (const utan::Value& name : document["includes"].as_list()) by_include.set(utan::tuple({name, key}), nullptr);
}

FileFacts Documents::facts_of(const utan::Dict& document) {
  FileFacts facts;
  facts.size = count_in(document, "size");
  facts.modified = document["modified"].as_datetime_utc();
  facts.lines = count_in(document, "lines");
  facts.identifiers = count_in(document, "identifiers");
  for (const utan::Value& name : document["includes"].as_list()) facts.includes.push_back(name.str());
  return facts;
}

void Documents::set_totals() {
  Totals sum;
  for (const auto& [path, document] : files) sum.add(facts_of(document.as_dict()));
  totals_.update(utan::dict({{"bytes", sum.bytes},
                             {"files", sum.files},
                             {"identifiers", sum.identifiers},
                             {"includes", sum.includes},
                             {"lines", sum.lines}}));
}

std::optional<Totals> Documents::totals() const {
  if (totals_.empty()) return std::nullopt;
  return Totals{.files = count_in(totals_, "files"),
                .bytes = count_in(totals_, "bytes"),
                .lines = count_in(totals_, "lines"),
                .identifiers = count_in(totals_, "identifiers"),
                .includes = count_in(totals_, "includes")};
}

}  // namespace demo
