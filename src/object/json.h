// JSON, both ways, without losing anything.
//
// What JSON has is written as it is: null, booleans, strings, lists as arrays, mappings with strings as keys as objects,
// integers up to 2^53 in magnitude as numbers, reals as numbers with a point or an exponent, in the fewest digits that
// come back bit for bit. All else is an object with one key:
//
//     {"$int": "9007199254740993"}                integers beyond 2^53, of any size to 100,000 digits
//     {"$float": "nan"}                           reals that are not finite: "inf", "-inf", "nan"; a NaN of other bits
//                                                 than the usual ones as "nan:" and its bits in hexadecimal
//     {"$date": "2024-01-02T03:04:05.000006"}     datetimes; with "Z" in UTC. Years before 1 and after 9999 have a sign
//                                                 and six digits: "+012024-01-02T03:04:05"
//     {"$uuid": "01234567-89ab-cdef-0123-456789abcdef"}
//     {"$bytes": "AAEC"}                          base64
//     {"$items": [[1, "one"], [[2, 3], "a"]]}     mappings with other keys than strings, as pairs; a key that is an
//                                                 array is a tuple, and so are arrays within it
//
// A key that begins with "$" is written with another "$" in front, and one that begins with "$$" is read without it. An
// object whose only key is one of these words must have their form: anything else is an error, never silently a dict.
// With a second key beside it, it is a plain dict.
//
// Anybody's JSON is read, too. Objects become dicts, arrays lists; a number without point and exponent is an integer,
// exactly, of any size to 100,000 digits; every other number is a real, rounded to the nearest; one beyond the range of
// reals is an error. Of equal keys the last one wins where the data is stored. What JSON does not say is which type of
// container it was: all mappings come back as dicts. Links to containers and values of codecs have no form here.
//
// Errors say where: "line 3, column 14: expected ',' or ']', found '}'". Lines and columns count from 1, columns in
// characters. Text is UTF-8; a lone surrogate is an error. Memory is proportional to the text, and nothing is recursive.
// Time is linear but for long integers (text_form.h); a text with a "$" in it is gone over twice.
// Thread safety: the functions are pure; a JsonWriter belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "format/layout.h"
#include "format/value.h"
#include "object/data.h"

namespace utan::object {

// Reads all of `text`; what `out` held before is gone, and after an error it is empty.
// Code::invalid: `text` is not what is described above. Code::too_large: over a limit of Data, or of an integer's digits.
Result<void> read_json(std::string_view text, Data& out);

struct JsonOptions {
  // Spaces per level, each element on a line of its own. 0: everything on one line, without spaces.
  unsigned indent = 0;
  // Code::too_large beyond; what is shared is written again at each place, which can be much more than the data has.
  ByteCount size_max{format::value_size_max};
};

// Writes what it is told in turn, as a walk over containers goes. The text is appended to a string that belongs to the
// caller; after an error it ends somewhere. In a mapping, key() and then its value (or begin_x() ... end()) follow each
// other; that these calls come in an order that makes sense is the caller's affair (it asserts).
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out, const JsonOptions& options = {});

  // Whether all keys will be strings decides on the form. Each begin_x() answers Code::too_large beyond data_depth_max.
  Result<void> begin_mapping(bool all_keys_are_strings);
  // Code::type: it cannot be a key, or is no string where all should be. Code::invalid: a string that is not UTF-8.
  Result<void> key(const format::Value& key);
  // Code::type: a value without a form (a link, a tuple, a value of a codec). Code::invalid: a string that is not UTF-8.
  // Code::too_large: an integer of more than 100,000 digits.
  Result<void> value(const format::Value& value);
  Result<void> begin_list();
  Result<void> end();

  // One thing is written, and everything has ended.
  bool complete() const { return levels_.empty() && started_; }

 private:
  enum class Level : std::uint8_t { object, items, list };
  struct Open {
    Level level;
    bool empty;
  };

  Result<void> begin(Level level, std::string_view opening);
  void begin_value();
  Result<void> finish_value();
  void begin_element();
  void new_line(std::size_t depth);
  Result<void> check_size() const;
  Result<void> put_key(const format::Value& key, unsigned depth);
  Result<void> put_string(std::string_view text);
  Result<void> put(const format::Value& value);
  Result<void> put_integer(const format::Value& value);
  void open_word(std::string_view word);
  void close_word();

  std::string& out_;
  JsonOptions options_;
  std::size_t start_;  // of the text in the string
  std::vector<Open> levels_;
  std::size_t depth_ = 0;  // of lines: two for a mapping written as pairs
  bool value_due_ = false;
  bool started_ = false;
};

// The text of data that is complete. Code::invalid: it is not complete, or a container refers to itself. Code::type and
// Code::too_large as JsonWriter. Errors name the place: "value at ['birds'][3]: a string is not UTF-8".
Result<std::string> to_json(const Data& data, const JsonOptions& options = {});

}  // namespace utan::object
