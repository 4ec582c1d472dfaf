// The reading half of json.h.
//
// nlohmann/json splits the text into tokens, decodes strings, and knows the grammar; what it hands over in turn becomes
// Data here. Its header is included in this file alone. Four things it does not do as we need them, and so are done here:
// numbers of any size, exactly (it reads doubles, and stops at one that is too large); zero bytes, which end its text;
// points of decimals, which it expects as the locale has them; and places, which it tells for some errors only.
#include "object/json.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include "base/interruption.h"
#include "object/text_form.h"

// It asserts that strtod understood a number, which is not so in some locales. We read numbers from the text ourselves.
#define JSON_ASSERT(condition) static_cast<void>(0)
#define JSON_NO_IO
#include <nlohmann/json.hpp>

namespace utan::object {

namespace {

using format::ContainerType;
using format::Tag;
using format::Value;

// --- The text as the parser sees it ----------------------------------------------------------------------------------

// Hands out the characters of the text, and knows how far the parser is. Two things look different from what they are:
// a zero byte outside strings, which the parser would take for the end; and a run of digits outside strings, of which it
// sees so many that the number is never too large for it because of them.
class Source {
 public:
  explicit Source(std::string_view text) : text_(text) {}

  std::string_view text() const { return text_; }
  // True also says to position() that the parser has seen the end.
  bool ended() {
    end_was_seen_ = at_ == text_.size();
    return end_was_seen_;
  }
  char current() const {
    const char c = text_[at_];
    return c == '\0' && !in_string_ ? '\x01' : c;
  }
  void advance() {
    const char c = text_[at_++];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      return;
    }
    in_string_ = c == '"';
    if (!is_digit(c)) {
      digits_ = 0;
    } else if (++digits_ == digits_shown) {
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    }
  }
  // What the parser has taken.
  std::size_t taken() const { return at_; }
  // The character that the parser has taken last; the size of the text if that was its end.
  std::size_t last() const { return end_was_seen_ ? text_.size() : at_ - 1; }

 private:
  // Fewer than the digits of the largest real.
  static constexpr std::size_t digits_shown = 300;
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t digits_ = 0;  // of the run that ends here
  bool in_string_ = false;
  bool escaped_ = false;  // the next character stands behind a backslash
  bool end_was_seen_ = false;
};

// The iterator that the parser wants. One without a source is the end.
class Characters {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  explicit Characters(Source* source) : source_(source) {}
  char operator*() const { return source_->current(); }
  Characters& operator++() {
    source_->advance();
    return *this;
  }
  bool operator!=(const Characters& other) const { return at_end() != other.at_end(); }

 private:
  bool at_end() const { return source_ == nullptr || source_->ended(); }
  Source* source_;
};

// --- Tokens with their places ----------------------------------------------------------------------------------------

// What is done with the tokens. An error that is answered is said to lie at `place`, which is the token's start unless
// it was changed.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Result<void> value(const Value& value) = 0;
  virtual Result<void> number(std::string_view text) = 0;
  virtual Result<void> key(std::string_view text) = 0;
  virtual Result<void> begin_object() = 0;
  virtual Result<void> begin_list() = 0;
  virtual Result<void> end_object() = 0;
  virtual Result<void> end_list() = 0;

  std::size_t place = 0;
};

// Receives the parser's events, in its interface, finds their places, and explains the parser's errors in our words.
class Events {
 public:
  Events(Source& source, Handler& handler)
      : source_(source),
        handler_(handler),
        begin_(source.text().starts_with(byte_order_mark) ? byte_order_mark.size() : 0),
        end_(begin_) {}
  Error take_error() { return std::move(error_); }

  bool null() {
    return value([&] { return handler_.value(Value::null()); });
  }
  bool boolean(bool value) {
    return this->value([&] { return handler_.value(Value::boolean(value)); });
  }
  bool number_integer(std::int64_t) { return number(); }
  bool number_unsigned(std::uint64_t) { return number(); }
  bool number_float(double, const std::string&) { return number(); }
  bool string(const std::string& text) {
    return value([&] { return handler_.value(Value::string(text)); });
  }
  bool binary(const std::vector<std::uint8_t>&) { return false; }  // not in JSON
  bool key(const std::string& text) {
    begin_token();
    return finish_token(Last::key, source_.taken(), handler_.key(text));
  }
  bool start_object(std::size_t) {
    return begin(true, [&] { return handler_.begin_object(); });
  }
  bool start_array(std::size_t) {
    return begin(false, [&] { return handler_.begin_list(); });
  }
  bool end_object() {
    return end([&] { return handler_.end_object(); });
  }
  bool end_array() {
    return end([&] { return handler_.end_list(); });
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& exception) {
    explain(exception);
    return false;
  }

 private:
  enum class Last : std::uint8_t { nothing, begin, key, value };
  // Some put it in front of UTF-8; the parser skips it.
  static constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

  std::size_t skip(std::size_t at, std::string_view characters) const {
    return std::min(source_.text().find_first_not_of(characters, at), source_.text().size());
  }
  std::size_t skip_space(std::size_t at) const { return skip(at, " \t\r\n"); }
  char character(std::size_t at) const { return at < source_.text().size() ? source_.text()[at] : '\0'; }

  // Between two tokens there is nothing but what the parser has let pass.
  void begin_token() { handler_.place = skip(end_, " \t\r\n,:"); }
  bool finish_token(Last last, std::size_t end, Result<void> result) {
    last_ = last;
    end_ = end;
    if (patience_.is_over()) result = interruption();
    if (result.ok()) return true;
    fail(handler_.place, std::move(result).error());
    return false;
  }
  template <class Function>
  bool value(Function function) {
    begin_token();
    return finish_token(Last::value, source_.taken(), function());
  }
  bool number() {
    begin_token();
    // The parser has taken the character behind the number, too.
    const std::size_t end = source_.last();
    return finish_token(Last::value, end, handler_.number(source_.text().substr(handler_.place, end - handler_.place)));
  }
  template <class Function>
  bool begin(bool object, Function function) {
    begin_token();
    in_object_.push_back(object);
    return finish_token(Last::begin, source_.taken(), function());
  }
  template <class Function>
  bool end(Function function) {
    begin_token();
    in_object_.pop_back();
    return finish_token(Last::value, source_.taken(), function());
  }

  void fail(std::size_t at, Error error);
  void explain(const nlohmann::json::exception& exception);
  const char* find_expected(std::size_t& at) const;
  std::string describe(std::size_t at) const;

  Source& source_;
  Handler& handler_;
  Error error_;
  Patience patience_;
  std::vector<bool> in_object_;  // of the objects and arrays that are open
  const std::size_t begin_;      // where the text begins
  Last last_ = Last::nothing;    // what came last
  std::size_t end_;              // and where it ended
};

void Events::fail(std::size_t at, Error error) {
  const std::string_view before = source_.text().substr(0, at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t start = std::max(before.rfind('\n') + 1, begin_);  // no line's end: 0
  const auto column = std::ranges::count_if(before.substr(start),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  error_ = std::move(error).in("line " + std::to_string(line) + ", column " + std::to_string(column + 1));
}

// What may come behind the last token, and where: `at` is moved there.
const char* Events::find_expected(std::size_t& at) const {
  at = skip_space(end_);
  const auto behind = [&](char separator) {
    if (character(at) != separator) return false;
    at = skip_space(at + 1);
    return true;
  };
  if (in_object_.empty()) return last_ == Last::nothing ? "a value" : "the end of the text";
  if (in_object_.back()) {
    if (last_ == Last::key) return behind(':') ? "a value" : "':'";
    if (last_ == Last::begin) return "a key in quotes or '}'";
    return behind(',') ? "a key in quotes" : "',' or '}'";
  }
  if (last_ == Last::begin) return "a value or ']'";
  return behind(',') ? "a value" : "',' or ']'";
}

// What stands there: a word, or a character.
std::string Events::describe(std::size_t at) const {
  constexpr std::size_t shown_max = 20;
  const std::string_view rest = source_.text().substr(at);
  if (rest.empty()) return "the end of the text";
  constexpr std::string_view word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
  const std::size_t size = std::min({rest.find_first_not_of(word), rest.size(), shown_max});
  if (size > 0) return "'" + std::string(rest.substr(0, size)) + "'";
  const auto first = static_cast<unsigned char>(rest.front());
  if (first == '"') return "a string";
  if (first > ' ' && first < 0x7f) return std::string("'") + rest.front() + "'";
  return "the byte " + std::to_string(first);
}

void Events::explain(const nlohmann::json::exception& exception) {
  constexpr int out_of_range = 406;
  if (exception.id == out_of_range) {
    begin_token();
    return fail(handler_.place, Error(Code::invalid, "the number is beyond the range of reals"));
  }
  // The parser says "... - what is wrong; last read: 'the token'..." of what is no token at all. What it says of strings
  // and numbers is good; all else we know better.
  std::string_view text = exception.what();
  const std::size_t last_read = text.find("; last read: '");
  const std::size_t start = text.find(" - ");
  if (last_read != std::string_view::npos && start < last_read) {
    text = text.substr(0, last_read).substr(start + 3);
    if (text.starts_with("invalid string") || text.starts_with("invalid number"))
      return fail(source_.last(), Error(Code::invalid, std::string(text)));
  }
  std::size_t at = 0;
  const std::string expected = find_expected(at);
  fail(at, Error(Code::invalid, "expected " + expected + ", found " + describe(at)));
}

Result<void> parse(std::string_view text, Handler& handler) {
  Source source(text);
  Events events(source, handler);
  if (nlohmann::json::sax_parse(Characters(&source), Characters(nullptr), &events)) return {};
  return events.take_error();
}

// --- Words -----------------------------------------------------------------------------------------------------------

enum class Word : std::uint8_t { integer, real, datetime, uuid, bytes, items };

std::optional<Word> find_word(std::string_view key) {
  constexpr std::array<std::pair<std::string_view, Word>, 6> words{{{"$int", Word::integer},
                                                                    {"$float", Word::real},
                                                                    {"$date", Word::datetime},
                                                                    {"$uuid", Word::uuid},
                                                                    {"$bytes", Word::bytes},
                                                                    {"$items", Word::items}}};
  const auto* const found = std::ranges::find(words, key, &std::pair<std::string_view, Word>::first);
  if (found == words.end()) return std::nullopt;
  return found->second;
}

Error wrong_form(Word word) {
  switch (word) {
    case Word::integer:
      return Error(Code::invalid, "expected a string with an integer, as \"123\", for $int");
    case Word::real:
      return Error(Code::invalid, "expected \"inf\", \"-inf\", \"nan\" or \"nan:\" and 16 digits for $float");
    case Word::datetime:
      return Error(Code::invalid, "expected a date, as \"2024-01-02T03:04:05.000006\", with Z or without, for $date");
    case Word::uuid:
      return Error(Code::invalid, "expected a UUID, as \"01234567-89ab-cdef-0123-456789abcdef\", for $uuid");
    case Word::bytes:
      return Error(Code::invalid, "expected a string in base64 for $bytes");
    case Word::items:
      break;
  }
  return Error(Code::invalid, "expected an array of pairs, as [[1, 2]], for $items");
}

// What the word's text says.
class WordReader {
 public:
  // Valid until the next call.
  Result<Value> read(Word word, std::string_view text) {
    std::int64_t microseconds = 0;
    bool utc = false;
    Value real = Value::real(0);
    switch (word) {
      case Word::integer: {
        auto integer = read_integer(text, bytes_);
        if (integer.code() == Code::invalid) break;
        return integer;
      }
      case Word::real:
        if (!read_special_real(text, real.bits)) break;
        return real;
      case Word::datetime:
        if (!read_datetime(text, microseconds, utc)) break;
        return utc ? Value::datetime_utc(microseconds) : Value::datetime(microseconds);
      case Word::uuid:
        if (!read_uuid(text, uuid_)) break;
        return Value::uuid(uuid_);
      case Word::bytes:
        if (!read_base64(text, bytes_)) break;
        return Value::binary(bytes_);
      case Word::items:  // what comes behind it is a list
        break;
    }
    return wrong_form(word);
  }

 private:
  std::vector<std::byte> bytes_;
  std::array<std::byte, 16> uuid_{};
};

// --- The first pass --------------------------------------------------------------------------------------------------

// Whether an object is one of the forms is known at its end, when it turned out to have a single key. So a first pass
// notes this for each object whose first key is a word, in the order in which these keys come.
class WordFinder : public Handler {
 public:
  std::vector<bool> take() { return std::move(alone_); }

  Result<void> value(const Value&) override { return {}; }
  Result<void> number(std::string_view) override { return {}; }
  Result<void> key(std::string_view text) override {
    Object& object = objects_.back();
    if (object.keys++ == 0 && find_word(text)) {
      object.index = alone_.size();
      alone_.push_back(true);
    } else if (object.index != none) {
      alone_[object.index] = false;
    }
    return {};
  }
  Result<void> begin_object() override {
    objects_.push_back({});
    return {};
  }
  Result<void> begin_list() override { return {}; }
  Result<void> end_object() override {
    objects_.pop_back();
    return {};
  }
  Result<void> end_list() override { return {}; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Object {
    std::size_t keys = 0;
    std::size_t index = none;
  };
  std::vector<Object> objects_;  // that are open
  std::vector<bool> alone_;
};

// A first key may be a word only if there is a "$", as it is or escaped.
bool may_have_words(std::string_view text) {
  return text.find('$') != std::string_view::npos || text.find("\\u0024") != std::string_view::npos;
}

// --- The second pass -------------------------------------------------------------------------------------------------

class DataReader : public Handler {
 public:
  DataReader(Data& data, std::vector<bool> alone) : data_(data), alone_(std::move(alone)) {}

  Result<void> value(const Value& value) override {
    if (top() != Form::word) return put(value);
    if (value.tag != Tag::string) return wrong_form(open_.back().word);
    UTAN_ASSIGN(const Value read, words_.read(open_.back().word, value.as_text()));
    // Its object ends next, because it has no other key.
    open_.pop_back();
    word_ends_ = true;
    return put(read);
  }

  Result<void> number(std::string_view text) override {
    if (top() == Form::word) return wrong_form(open_.back().word);
    if (text.find_first_of(".eE") == std::string_view::npos) {
      UTAN_ASSIGN(const Value integer, read_integer(text, digits_));
      return put(integer);
    }
    double real = 0;
    if (!read_real(text, real)) return Error(Code::invalid, "the number is beyond the range of reals");
    return put(Value::real(real));
  }

  Result<void> key(std::string_view text) override {
    if (top() == Form::object) {
      const std::optional<Word> word = find_word(text);
      if (word && alone_[next_word_++]) {
        if (*word == Word::items) return begin_dict(Form::items_object);
        open_.back().form = Form::word;
        open_.back().word = *word;
        return {};
      }
      UTAN_TRY(begin_dict(Form::dict));
    }
    if (text.starts_with("$$")) text.remove_prefix(1);
    return data_.add(Value::string(text));
  }

  Result<void> begin_object() override {
    UTAN_TRY(check_container());
    open_.push_back({.form = Form::object, .place = place});
    return {};
  }

  Result<void> end_object() override {
    if (word_ends_) {
      word_ends_ = false;
      return {};
    }
    if (top() == Form::object) UTAN_TRY(begin_dict(Form::dict));
    open_.pop_back();
    return data_.end();
  }

  Result<void> begin_list() override {
    if (top() == Form::items_object || top() == Form::items) {
      open_.push_back({.form = top() == Form::items ? Form::pair : Form::items});
      return {};
    }
    UTAN_TRY(check_container());
    if (key_due()) return begin_tuple();
    count_value();
    UTAN_TRY(data_.begin(ContainerType::list));
    open_.push_back({.form = Form::list});
    return {};
  }

  Result<void> end_list() override {
    const Open innermost = open_.back();
    if (innermost.form == Form::pair && innermost.count < 2)
      return Error(Code::invalid, "expected a key and a value in the pair");
    open_.pop_back();
    if (innermost.form == Form::tuple) return end_tuple(innermost);
    return innermost.form == Form::list ? data_.end() : Result<void>{};
  }

 private:
  // What an open object or array of the text is.
  enum class Form : std::uint8_t {
    none,          // nothing is open
    object,        // an object whose first key has not come
    dict,          // an object
    list,          // an array
    word,          // an object whose only key is a word; its text follows
    items_object,  // the same for $items
    items,         // the array of pairs
    pair,          // an array in that: a key and a value
    tuple,         // an array that is a key, or part of one
  };
  struct Open {
    Form form = Form::none;
    Word word = Word::items;
    std::size_t place = 0;    // of an object or a tuple
    std::size_t count = 0;    // of what is in a pair; of the tuples here, one in the other
    std::size_t element = 0;  // of a tuple: its first one
  };

  Form top() const { return open_.empty() ? Form::none : open_.back().form; }
  bool key_due() const { return top() == Form::tuple || (top() == Form::pair && open_.back().count == 0); }

  // Whether an object or an array may stand here.
  Result<void> check_container() const {
    if (top() == Form::word || top() == Form::items_object) return wrong_form(open_.back().word);
    if (top() == Form::items) return Error(Code::invalid, "expected a pair, as [1, 2], in $items");
    return check_pair();
  }
  Result<void> check_pair() const {
    if (top() == Form::pair && open_.back().count == 2)
      return Error(Code::invalid, "expected ']' behind the key and the value of the pair");
    return {};
  }
  void count_value() {
    if (top() == Form::pair) ++open_.back().count;
  }

  // A plain value, or a tuple, in its place.
  Result<void> put(const Value& value) {
    if (top() == Form::items_object || top() == Form::items) UTAN_TRY(check_container());
    UTAN_TRY(check_pair());
    if (top() == Form::tuple) {
      elements_.push_back(arena_.keep(value));
      return {};
    }
    count_value();
    return data_.add(value);
  }

  // The innermost object is a dict after all. An error about this lies at its beginning.
  Result<void> begin_dict(Form form) {
    Open object = open_.back();
    open_.pop_back();
    const std::size_t here = std::exchange(place, object.place);
    if (key_due()) return Error(Code::invalid, "an object cannot be a key");
    count_value();
    UTAN_TRY(data_.begin(ContainerType::dict));
    place = here;
    object.form = form;
    open_.push_back(object);
    return {};
  }

  Result<void> begin_tuple() {
    const std::size_t depth = top() == Form::tuple ? open_.back().count + 1 : 1;
    if (depth > format::key_depth_max) return Error(Code::too_large, "a key's tuples are too deep");
    open_.push_back({.form = Form::tuple, .place = place, .count = depth, .element = elements_.size()});
    return {};
  }

  Result<void> end_tuple(const Open& tuple) {
    const Value value = arena_.keep_tuple(std::span(elements_).subspan(tuple.element));
    elements_.resize(tuple.element);
    if (top() == Form::tuple) {
      elements_.push_back(value);
      return {};
    }
    place = tuple.place;
    Result<void> done = put(value);
    arena_.clear();
    return done;
  }

  Data& data_;
  std::vector<bool> alone_;  // by the first pass
  std::size_t next_word_ = 0;
  std::vector<Open> open_;
  bool word_ends_ = false;  // the next token ends the object of a word
  WordReader words_;
  std::vector<std::byte> digits_;
  std::vector<Value> elements_;  // of the tuples that are open
  Arena arena_;                  // what they point to
};

}  // namespace

Result<void> read_json(std::string_view text, Data& out) {
  out.clear();
  WordFinder finder;
  if (may_have_words(text)) UTAN_TRY(parse(text, finder));
  DataReader reader(out, finder.take());
  Result<void> result = parse(text, reader);
  if (!result.ok()) out.clear();
  return result;
}

}  // namespace utan::object
