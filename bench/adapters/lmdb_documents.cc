// Documents in LMDB: each is one value, written and read with MessagePack's C++ library.
#define MSGPACK_NO_BOOST
#include <msgpack.hpp>

#include "../systems.h"
#include "lmdb.h"

namespace bench {
namespace {

// What the parser calls for every item. A reader says where it is by counting: the parser tells it when a key or an element
// begins. `Sink` takes plain fields, as take(Field, FieldValue), and scores, as score(n, integer); false ends the parsing.
template <class Sink>
class Visitor : public msgpack::null_visitor {
 public:
  explicit Visitor(Sink& sink) : sink_(sink) {}

  bool start_map_key() {
    is_key_ = true;
    return true;
  }
  bool end_map_key() {
    is_key_ = false;
    return true;
  }
  bool visit_str(const char* text, std::uint32_t size) {
    if (!is_key_) return sink_.take(field_, of_text({text, size}));
    field_ = field_of({text, size});
    return true;
  }
  bool visit_positive_integer(std::uint64_t number) { return integer(static_cast<std::int64_t>(number)); }
  bool visit_negative_integer(std::int64_t number) { return integer(number); }
  bool visit_boolean(bool is_true) { return integer(is_true ? 1 : 0); }
  bool visit_float64(double number) { return sink_.take(field_, of_real(number)); }

 private:
  bool integer(std::int64_t number) {
    if (field_ == Field::scores) return sink_.score(score_count_++, number);
    // The packer writes whole reals as integers, which are shorter.
    if (field_ == Field::balance) return sink_.take(field_, of_real(static_cast<double>(number)));
    return sink_.take(field_, of_integer(number));
  }

  Sink& sink_;
  Field field_ = Field::name;
  std::size_t score_count_ = 0;
  bool is_key_ = false;
};

// Takes all of a document.
struct WholeSink {
  Document& document;
  unsigned taken_count = 0;

  bool take(Field field, const FieldValue& value) {
    set_field(document, field, value);
    ++taken_count;
    return true;
  }
  bool score(std::size_t n, std::int64_t number) {
    if (n >= document.scores.size()) return false;
    document.scores[n] = number;
    ++taken_count;
    return true;
  }
};

// Takes one field, and wants no more then.
struct FieldSink {
  Field wanted;
  FieldValue found{};
  bool is_found = false;

  bool take(Field field, const FieldValue& value) {
    if (field != wanted) return true;
    found = value;
    is_found = true;
    return false;
  }
  bool score(std::size_t, std::int64_t) { return true; }
};

template <class Sink>
void parse(std::string_view bytes, Sink& sink) {
  Visitor<Sink> visitor(sink);
  (void)msgpack::parse(bytes.data(), bytes.size(), visitor);
}

bool parse_whole(std::string_view bytes, Document& document) {
  WholeSink sink{document};
  parse(bytes, sink);
  return sink.taken_count == kPlainFieldCount + document.scores.size();
}

void pack_document(const Document& document, msgpack::sbuffer& buffer) {
  buffer.clear();
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  packer.pack_map(static_cast<std::uint32_t>(kFieldNames.size()));
  const auto pack_name = [&packer](Field field) { packer.pack(kFieldNames[static_cast<unsigned>(field)]); };
  const auto pack = [&](Field field, const auto& value) {
    pack_name(field);
    packer.pack(value);
  };
  pack(Field::name, document.name);
  pack(Field::email, document.email);
  pack(Field::city, document.city);
  pack(Field::age, document.age);
  pack(Field::visits, document.visits);
  pack(Field::balance, document.balance);
  pack(Field::created, document.created);
  pack(Field::active, document.active);
  pack_name(Field::scores);
  packer.pack_array(static_cast<std::uint32_t>(document.scores.size()));
  for (const std::int64_t score : document.scores) packer.pack(score);
}

class LmdbDocuments {
 public:
  void open(const Place& place, Access access) { lmdb_.open(place, access); }
  void close() { lmdb_.close(); }
  void put(std::string_view key, const Document& document) {
    pack_document(document, buffer_);
    lmdb_.put(key, {buffer_.data(), buffer_.size()});
  }
  template <class Use>
  void field(std::string_view key, Field field, Use&& use) {
    FieldSink sink{field};
    // Used before the transaction ends: the text lies in the store.
    (void)lmdb_.get(key, [&](std::string_view bytes) {
      parse(bytes, sink);
      if (sink.is_found) use(sink.found);
    });
    if (!sink.is_found) fail("lmdb: a field is missing");
  }
  bool get(std::string_view key, Document& document) {
    return lmdb_.get(key, [&](std::string_view bytes) {
      if (!parse_whole(bytes, document)) fail("lmdb: a document is not whole");
    });
  }
  void set_visits(std::string_view key, std::int64_t visits) {
    lmdb_.write([&](MDB_txn* txn, MDB_dbi dbi) {
      MDB_val k = to_val(key);
      MDB_val v{};
      lmdb_must(mdb_get(txn, dbi, &k, &v));
      if (!parse_whole(to_view(v), changed_)) fail("lmdb: a document is not whole");
      changed_.visits = visits;
      pack_document(changed_, buffer_);
      MDB_val packed = to_val({buffer_.data(), buffer_.size()});
      lmdb_must(mdb_put(txn, dbi, &k, &packed, 0));
    });
  }

 private:
  Lmdb lmdb_;
  msgpack::sbuffer buffer_;
  Document changed_;
};

}  // namespace

DocumentSystem lmdb_document_system() {
  return {.name = "lmdb",
          .version = lmdb_version() + ", msgpack-c " MSGPACK_VERSION,
          .settings = std::string(kLmdbSettings) +
                      "; a document is one value in MessagePack, names included; one field is parsed for in place by a "
                      "visitor that stops when it has it; an update reads and writes the document in one transaction",
          .kind = System::Kind::store,
          .make = make_document_runner<LmdbDocuments>};
}

}  // namespace bench
