// What the command says, and how it ends: numbers for people, JSON for programs, errors with advice.
//
// Thread safety: none; a command has one thread.
#pragma once

#include <utan/utan.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace utan::tool {

// Exit codes, which scripts rely on.
enum class Exit : int {
  sound = 0,
  usage = 2,
  damaged = 4,
  failed = 5,  // the file could not be read: not found, no permission, an I/O error
};

// "1,234,567"
std::string number(std::uint64_t value);
// "1 dict", "3 dicts"
std::string counted(std::uint64_t value, std::string_view one, std::string_view many);
// "1.2 MB": powers of 1,000
std::string size(std::uint64_t bytes);
// "2026-03-01 12:34:56" UTC, of nanoseconds since 1970
std::string moment(std::uint64_t time_ns);

// One JSON value, written front to back.
class Json {
 public:
  Json& key(std::string_view name);
  Json& text(std::string_view value);  // bytes that are not UTF-8 become U+FFFD
  Json& number(std::uint64_t value);
  Json& boolean(bool value);
  Json& null();
  Json& begin(char bracket);  // '{' or '['
  Json& end(char bracket);
  // An object of numbers.
  Json& numbers(std::initializer_list<std::pair<const char*, std::uint64_t>> members);
  const std::string& done() const { return out_; }

 private:
  void separate();
  std::string out_;
  bool first_ = true;
};

// What a call that failed has said, with the file's name and what to do.
std::string explain(const std::string& file, utan_code code);
// Is the file at fault?
bool is_damage(utan_code code);
inline Exit exit_of(utan_code code) { return is_damage(code) ? Exit::damaged : Exit::failed; }

// "error": null if the code is UTAN_OK.
void write_error(Json& json, utan_code code, const std::string& text);

// What is asked for.
struct Request {
  std::string file;
  bool json = false;
};

Exit check(const Request& request);
Exit stat(const Request& request);

// The problems and counts of a check, with a line of progress on a terminal.
struct Checked {
  utan_check_report report{};
  std::vector<std::string> problems;
  utan_code code = UTAN_OK;
  std::string explanation;  // if the code is not UTAN_OK
};
// Of a file, or of an open store.
Checked run_check(const std::string& file, utan_store* store);
// "containers", "entries" and so on, as both commands have them.
void write_contents(Json& json, const utan_check_report& report);

}  // namespace utan::tool
