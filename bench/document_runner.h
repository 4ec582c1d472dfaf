// How a collection of documents is driven; see runner.h for what holds of all runners. A document is a dict of eight
// plain fields and a list of five integers, kept under a key of 16 characters.
//
// An adapter has
//   void open(const Place&, Access);
//   void close();
//   void put(std::string_view key, const Document& document);                       // one commit
//   template <class Use> void field(std::string_view key, Field field, Use&& use);  // use(FieldValue), one plain field
//   bool get(std::string_view key, Document& document);  // all of it, as values of the language; false: absent
//   void set_visits(std::string_view key, std::int64_t visits);                     // one commit
//
// Honesty: every field read is added up, strings with bytes of both ends; after the updates each document is compared
// whole, and field by field.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runner.h"

namespace bench {

enum class Field : unsigned { name, email, city, age, visits, balance, created, active, scores };
inline constexpr std::array<std::string_view, 9> kFieldNames = {"name",    "email",   "city",   "age",   "visits",
                                                                "balance", "created", "active", "scores"};
inline constexpr unsigned kPlainFieldCount = 8;  // all but scores

// The field of this name; fails if there is none.
[[nodiscard]] inline Field field_of(std::string_view name) {
  for (unsigned i = 0; i < kFieldNames.size(); ++i) {
    if (kFieldNames[i] == name) return static_cast<Field>(i);
  }
  fail("a field that no document has: " + std::string(name));
}

struct Document {
  std::string name;
  std::string email;
  std::string city;
  std::int64_t age = 0;
  std::int64_t visits = 0;
  double balance = 0;
  std::int64_t created = 0;  // microseconds since 1970, UTC
  bool active = false;
  std::array<std::int64_t, 5> scores{};

  bool operator==(const Document&) const = default;
};

// A plain field as it was read: text of the three strings, real of the balance, integer of the rest.
struct FieldValue {
  std::string_view text;
  double real = 0;
  std::int64_t integer = 0;

  bool operator==(const FieldValue&) const = default;
};

inline FieldValue of_text(std::string_view text) { return {text, 0, 0}; }
inline FieldValue of_real(double real) { return {{}, real, 0}; }
inline FieldValue of_integer(std::int64_t integer) { return {{}, 0, integer}; }

[[nodiscard]] inline FieldValue field_value(const Document& document, Field field) {
  switch (field) {
    case Field::name:
      return of_text(document.name);
    case Field::email:
      return of_text(document.email);
    case Field::city:
      return of_text(document.city);
    case Field::age:
      return of_integer(document.age);
    case Field::visits:
      return of_integer(document.visits);
    case Field::balance:
      return of_real(document.balance);
    case Field::created:
      return of_integer(document.created);
    case Field::active:
      return of_integer(document.active ? 1 : 0);
    case Field::scores:
      break;
  }
  fail("scores is no plain field");
}

inline void set_field(Document& document, Field field, const FieldValue& value) {
  switch (field) {
    case Field::name:
      document.name = value.text;
      return;
    case Field::email:
      document.email = value.text;
      return;
    case Field::city:
      document.city = value.text;
      return;
    case Field::age:
      document.age = value.integer;
      return;
    case Field::visits:
      document.visits = value.integer;
      return;
    case Field::balance:
      document.balance = value.real;
      return;
    case Field::created:
      document.created = value.integer;
      return;
    case Field::active:
      document.active = value.integer != 0;
      return;
    case Field::scores:
      break;
  }
  fail("scores is no plain field");
}

// What a reader does with a field. Reals are multiples of a half: nothing is lost.
[[nodiscard]] inline std::uint64_t touch(const FieldValue& value) {
  std::uint64_t sum = static_cast<std::uint64_t>(value.integer) + static_cast<std::uint64_t>(value.real * 2);
  if (!value.text.empty()) {
    sum += static_cast<unsigned char>(value.text.front()) + 256u * static_cast<unsigned char>(value.text.back()) +
           65536u * value.text.size();
  }
  return sum;
}

[[nodiscard]] inline std::uint64_t touch(const Document& document) {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < kPlainFieldCount; ++i) sum = sum * 31 + touch(field_value(document, static_cast<Field>(i)));
  for (const std::int64_t score : document.scores) sum = sum * 31 + static_cast<std::uint64_t>(score);
  return sum;
}

// The visits of a record's version.
[[nodiscard]] inline std::int64_t visits_of(const Workload& workload, RecordNumber record, Version version) {
  return static_cast<std::int64_t>((workload.word(record) & 0xfff) + version);
}

// Makes `document` that of a record and version; versions differ in `visits` alone. Allocates nothing once its strings
// are long enough.
inline void make_document(const Workload& workload, RecordNumber record, Version version, Document& document) {
  const std::uint64_t word = workload.word(record);
  const Value letters = workload.value(record, 0);
  const auto text = [&letters](std::string& out, std::size_t first, std::size_t size) {
    out.resize(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (letters.view()[first + i] & 0xf));
  };
  text(document.name, 0, 10 + (word & 7));
  text(document.email, 20, 20 + (word >> 3 & 7));
  text(document.city, 60, 6 + (word >> 6 & 7));
  document.age = static_cast<std::int64_t>(18 + (word >> 16) % 80);
  document.visits = visits_of(workload, record, version);
  document.balance = static_cast<double>(word >> 20 & 0xfffff) / 2;
  document.created = static_cast<std::int64_t>(1'500'000'000'000'000 + (word >> 13));
  document.active = (word >> 11 & 1) != 0;
  for (std::size_t i = 0; i < document.scores.size(); ++i) {
    document.scores[i] = static_cast<std::int64_t>(word >> (8 * i) & 0xffff);
  }
}

class DocumentRunner {
 public:
  virtual ~DocumentRunner() = default;
  virtual void open(const Place& place, Access access) = 0;
  virtual void close() = 0;

  // Timed.
  virtual Phase insert(std::uint64_t count) = 0;
  // One random plain field of each of `order`.
  virtual Phase read_field(std::span<const std::uint32_t> order, const Expected& expected) = 0;
  virtual Phase read_whole(std::span<const std::uint32_t> order, const Expected& expected) = 0;
  // The n-th of `order` gets the visits of version `version_first` + n.
  virtual Phase update_field(std::span<const std::uint32_t> order, Version version_first) = 0;

  // Not timed: every document, whole and field by field, and some that must not be there.
  virtual void check(const Expected& expected) = 0;
};

// The loop itself, without documents.
template <class Adapter>
concept ControlDocuments = requires(Adapter a) {
  a.answer();
};

template <class Adapter>
class DocumentRunnerOf final : public DocumentRunner {
 public:
  explicit DocumentRunnerOf(const Workload& workload) : workload_(workload) {}

  void open(const Place& place, Access access) override { adapter_.open(place, access); }
  void close() override { adapter_.close(); }

  Phase insert(std::uint64_t count) override {
    Document document;
    const Stopwatch watch;
    for (RecordNumber i = 0; i < count; ++i) {
      make_document(workload_, i, 0, document);
      adapter_.put(workload_.key(i).view(), document);
    }
    return watch.phase(count);
  }

  Phase read_field(std::span<const std::uint32_t> order, const Expected& expected) override {
    std::uint64_t sum = 0;
    std::uint64_t n = 0;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      adapter_.field(workload_.key(record).view(), drawn_field(n++),
                     [&sum](const FieldValue& value) { sum += touch(value); });
    }
    const Phase phase = watch.phase(order.size());
    std::uint64_t sum_expected = 0;
    Document document;
    n = 0;
    for (const std::uint32_t record : order) {
      make_document(workload_, record, expected.versions[record], document);
      sum_expected += touch(field_value(document, drawn_field(n++)));
    }
    require(sum == sum_expected, "read field: not what was written");
    return phase;
  }

  Phase read_whole(std::span<const std::uint32_t> order, const Expected& expected) override {
    std::uint64_t sum = 0;
    Document document;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      if (adapter_.get(workload_.key(record).view(), document)) sum += touch(document);
    }
    const Phase phase = watch.phase(order.size());
    std::uint64_t sum_expected = 0;
    for (const std::uint32_t record : order) {
      make_document(workload_, record, expected.versions[record], document);
      sum_expected += touch(document);
    }
    require(sum == sum_expected, "read whole: not what was written");
    return phase;
  }

  Phase update_field(std::span<const std::uint32_t> order, Version version_first) override {
    Version version = version_first;
    const Stopwatch watch;
    for (const std::uint32_t record : order) {
      adapter_.set_visits(workload_.key(record).view(), visits_of(workload_, record, version++));
    }
    return watch.phase(order.size());
  }

  void check(const Expected& expected) override {
    if constexpr (ControlDocuments<Adapter>) return;
    Document document;
    Document document_expected;
    for (RecordNumber i = 0; i < expected.versions.size(); ++i) {
      make_document(workload_, i, expected.versions[i], document_expected);
      require(adapter_.get(workload_.key(i).view(), document), "check: a document is missing");
      require(document == document_expected, "check: a document is wrong");
      for (unsigned field = 0; field < kPlainFieldCount; ++field) {
        bool is_right = false;
        adapter_.field(workload_.key(i).view(), static_cast<Field>(field), [&](const FieldValue& value) {
          is_right = value == field_value(document_expected, static_cast<Field>(field));
        });
        require(is_right, "check: a field is wrong");
      }
    }
    for (RecordNumber i = kAbsent; i < kAbsent + 100; ++i) {
      require(!adapter_.get(workload_.key(i).view(), document), "check: a document that nobody put");
    }
  }

 private:
  static Field drawn_field(std::uint64_t n) { return static_cast<Field>(mix(n) % kPlainFieldCount); }
  static void require(bool is_right, const char* what) {
    if constexpr (ControlDocuments<Adapter>) return;
    if (!is_right) fail(what);
  }

  Workload workload_;
  Adapter adapter_;
};

using DocumentSystem = SystemOf<DocumentRunner>;

template <class Adapter>
std::unique_ptr<DocumentRunner> make_document_runner(const Workload& workload) {
  return std::make_unique<DocumentRunnerOf<Adapter>>(workload);
}

}  // namespace bench
