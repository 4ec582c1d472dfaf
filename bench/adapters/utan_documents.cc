// Documents in Utan: a dict each, with a list inside, in a collection.
#include "../systems.h"
#include "utan_containers.h"

namespace bench {
namespace {

// A field as it came from the store, checked to have its type.
FieldValue field_of_utan(Field field, const utan_value& value) {
  const auto typed = [&value](utan_type type) {
    if (value.type != type) fail("utan: a field of a wrong type");
  };
  switch (field) {
    case Field::name:
    case Field::email:
    case Field::city:
      typed(UTAN_STRING);
      return of_text(utan_text(value));
    case Field::balance:
      typed(UTAN_REAL);
      return of_real(value.real);
    case Field::created:
      typed(UTAN_DATETIME_UTC);
      break;
    case Field::active:
      typed(UTAN_BOOLEAN);
      break;
    default:
      typed(UTAN_INTEGER);
      break;
  }
  return of_integer(value.integer);
}

class UtanDocuments {
 public:
  void open(const Place& place, Access access) {
    collection_.open(place, access);
    utan_must(utan_data_new(&data_));
  }
  void close() {
    utan_data_free(data_);
    collection_.close();
  }

  void put(std::string_view key, const Document& document) {
    utan_data_clear(data_);
    utan_must(utan_data_begin(data_, UTAN_DICT, nullptr));
    add(Field::name, utan_of_string(document.name));
    add(Field::email, utan_of_string(document.email));
    add(Field::city, utan_of_string(document.city));
    add(Field::age, utan_of_integer(document.age));
    add(Field::visits, utan_of_integer(document.visits));
    add(Field::balance, utan_of_real(document.balance));
    add(Field::created, utan_of_integer(document.created, UTAN_DATETIME_UTC));
    add(Field::active, utan_of_integer(document.active ? 1 : 0, UTAN_BOOLEAN));
    add_name(Field::scores);
    utan_must(utan_data_begin(data_, UTAN_LIST, nullptr));
    for (const std::int64_t score : document.scores) add_value(utan_of_integer(score));
    utan_must(utan_data_end(data_));
    utan_must(utan_data_end(data_));
    const utan_value k = utan_of_string(key);
    const utan_value v = utan_of_plain(data_);
    utan_must(utan_set(collection_.get(), &k, &v));
  }

  template <class Use>
  void field(std::string_view key, Field field, Use&& use) {
    const utan_value path[] = {utan_of_string(key), utan_of_string(kFieldNames[static_cast<unsigned>(field)])};
    UtanGot value;
    utan_must(utan_get_at(collection_.get(), path, 2, &value));
    use(field_of_utan(field, value));
  }

  bool get(std::string_view key, Document& document) {
    const utan_value k = utan_of_string(key);
    UtanGot dict;
    if (!utan_found(utan_get(collection_.get(), &k, &dict))) return false;
    if (dict.type != UTAN_CONTAINER) fail("utan: a document that is no container");
    UtanWalk walk(dict.container);
    utan_value name{};
    unsigned field_count = 0;
    for (UtanGot value; walk.next(&name, &value); ++field_count) {
      read_field(field_of(utan_text(name)), value, document);
      utan_value_release(&value);
    }
    if (field_count != kFieldNames.size()) fail("utan: a document with another number of fields");
    return true;
  }

  void set_visits(std::string_view key, std::int64_t visits) {
    const utan_value path[] = {utan_of_string(key), utan_of_string(kFieldNames[static_cast<unsigned>(Field::visits)])};
    const utan_value value = utan_of_integer(visits);
    utan_must(utan_set_at(collection_.get(), path, 2, &value, 1));
  }

 private:
  void add_value(const utan_value& value) { utan_must(utan_data_add(data_, &value)); }
  void add_name(Field field) { add_value(utan_of_string(kFieldNames[static_cast<unsigned>(field)])); }
  void add(Field field, const utan_value& value) {
    add_name(field);
    add_value(value);
  }

  static void read_field(Field field, const utan_value& value, Document& document) {
    if (field == Field::scores) return read_scores(value, document);
    set_field(document, field, field_of_utan(field, value));
  }
  static void read_scores(const utan_value& value, Document& document) {
    if (value.type != UTAN_CONTAINER) fail("utan: scores that are no container");
    UtanWalk walk(value.container);
    utan_value score{};
    std::size_t n = 0;
    for (; walk.next(nullptr, &score); ++n) {
      if (n == document.scores.size() || score.type != UTAN_INTEGER) fail("utan: wrong scores");
      document.scores[n] = score.integer;
    }
    if (n != document.scores.size()) fail("utan: too few scores");
  }

  UtanContainer collection_{UTAN_COLLECTION};
  utan_data* data_ = nullptr;
};

}  // namespace

DocumentSystem utan_document_system() {
  return {.name = "utan",
          .version = utan_version(),
          .settings = std::string("Collection of dicts, each with a list inside, ") + kUtanSettings +
                      "; one field by utan_get_at and utan_set_at, a whole document by iterating over dict and list",
          .kind = System::Kind::store,
          .make = make_document_runner<UtanDocuments>};
}

}  // namespace bench
