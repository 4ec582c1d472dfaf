// A model of containers in plain memory: what a store should hold, whatever was done to it.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "format/key.h"
#include "format/value.h"
#include "object/container.h"
#include "object/data.h"
#include "object/iterator.h"

namespace utan::test {

// A value without parts, with bytes of its own.
struct Scalar {
  format::Tag tag = format::Tag::null;
  std::uint64_t bits = 0;
  std::string bytes;
  std::vector<Scalar> elements;  // of a tuple

  static Scalar of(const format::Value& value) {
    Scalar out{value.tag, value.bits, {}, {}};
    if (!value.bytes.empty()) out.bytes.assign(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    for (const format::Value& element : value.as_tuple()) out.elements.push_back(of(element));
    return out;
  }
  bool operator==(const Scalar&) const = default;
};

// A Scalar as a format::Value, as long as this and the scalar live.
class Viewed {
 public:
  explicit Viewed(const Scalar& scalar) {
    value_.tag = scalar.tag;
    value_.bits = scalar.bits;
    value_.bytes = std::as_bytes(std::span(scalar.bytes));
    for (const Scalar& element : scalar.elements) {
      parts_.push_back(std::make_unique<Viewed>(element));
      elements_.push_back(parts_.back()->value());
    }
    value_.elements = elements_.data();
    value_.element_count = elements_.size();
  }
  const format::Value& value() const { return value_; }

 private:
  format::Value value_;
  std::vector<std::unique_ptr<Viewed>> parts_;
  std::vector<format::Value> elements_;
};

// The bytes by which keys are ordered: equal for equal keys.
inline std::string order_of(const format::Value& key) {
  format::KeyBuffer buffer;
  const Result<format::EncodedKey> encoded = buffer.encode(key);
  EXPECT_TRUE(encoded.ok()) << (encoded.ok() ? "" : encoded.error().message());
  if (!encoded.ok()) return {};
  return std::string(1, static_cast<char>(encoded->key_class)) +
         std::string(reinterpret_cast<const char*>(encoded->order.data()), encoded->order.size());
}

struct Node;
struct ModelValue {
  Scalar scalar;
  std::shared_ptr<Node> node;  // a container instead of a scalar
};
struct Node {
  format::ContainerType type;
  struct Entry {
    Scalar key;  // as it was spelled first
    ModelValue value;
  };
  std::map<std::string, Entry> entries;
  std::vector<ModelValue> elements;
  bool is_list() const { return type == format::ContainerType::list; }
  std::uint64_t size() const { return is_list() ? elements.size() : entries.size(); }
  void put(const Scalar& key, ModelValue value) {
    const Viewed viewed(key);
    auto& entry = entries.try_emplace(order_of(viewed.value()), Entry{key, {}}).first->second;
    entry.value = std::move(value);
  }
};

// Scalars and keys of all types, small and large, many of them equal to others.
class Scalars {
 public:
  explicit Scalars(std::mt19937_64& random) : random_(random) {}

  Scalar key(std::uint64_t range) {
    const std::uint64_t n = random_() % range;
    switch (random_() % 16) {
      case 0:
        return Scalar::of(format::Value::integer(static_cast<std::int64_t>(n) - 5));
      case 1:
        return Scalar::of(format::Value::real(static_cast<double>(n) / 2));
      case 2:
        return Scalar::of(format::Value::boolean(n % 2 == 0));
      case 3:
        return text(format::Tag::bytes, "k" + std::to_string(n));
      case 4:
        return Scalar::of(format::Value::datetime(static_cast<std::int64_t>(n) * 1'000'000));
      case 5:
        return text(format::Tag::uuid, std::string(15, 'u') + static_cast<char>(n));
      case 6:
        return Scalar::of(format::Value::null());
      case 7: {
        Scalar out{format::Tag::tuple, 0, {}, {}};
        out.elements.push_back(text(format::Tag::string, "t"));
        out.elements.push_back(n % 2 == 0 ? Scalar::of(format::Value::integer(static_cast<std::int64_t>(n / 2)))
                                          : Scalar::of(format::Value::real(static_cast<double>(n / 2))));
        return out;
      }
      case 8:
        return text(format::Tag::string, std::string(100 + n % 3 * 200, 'x') + std::to_string(n));
      default:
        return text(format::Tag::string, "key " + std::to_string(n));
    }
  }

  Scalar value() {
    const std::uint64_t n = random_();
    switch (n % 13) {
      case 0:
        return Scalar::of(format::Value::null());
      case 1:
        return Scalar::of(format::Value::boolean(n % 2 == 0));
      case 2:
        return Scalar::of(format::Value::integer(static_cast<std::int64_t>(random_())));
      case 3:
        return Scalar::of(format::Value::integer(static_cast<std::int64_t>(n % 100)));
      case 4:
        return Scalar::of(format::Value::real(std::bit_cast<double>(random_())));
      case 5:
        return Scalar::of(format::Value::datetime_utc(static_cast<std::int64_t>(random_())));
      case 6:
        return text(format::Tag::uuid, bytes(16));
      case 7:
        return text(format::Tag::bytes, bytes(random_() % 12));
      case 8:
        return text(format::Tag::bytes, bytes(random_() % 3000));
      case 9: {
        std::string big = bytes(9 + random_() % 20);
        big.back() = static_cast<char>(1 + random_() % 100);
        return text(format::Tag::big_integer, big);
      }
      case 10:
        return text(format::Tag::string, n % 977 == 0 ? std::string(40'000, 'l') : std::string());
      default:
        return text(format::Tag::string, std::string(random_() % 40, static_cast<char>('a' + n % 26)));
    }
  }

  static Scalar text(format::Tag tag, std::string bytes) { return {tag, 0, std::move(bytes), {}}; }

 private:
  std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  std::mt19937_64& random_;
};

// Compares a container, and all below it, with the model; each container once.
class Comparison {
 public:
  // Which container of the store is which of the model: one to one.
  std::map<std::uint64_t, const Node*> nodes;

  void compare(const object::Container& container, const Node& node) {
    std::vector<std::pair<std::unique_ptr<object::Container>, const Node*>> open;
    compare_one(container, node, open);
    while (!open.empty()) {
      auto [next, below] = std::move(open.back());
      open.pop_back();
      compare_one(*next, *below, open);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

 private:
  using Open = std::vector<std::pair<std::unique_ptr<object::Container>, const Node*>>;

  void compare_one(const object::Container& container, const Node& node, Open& open) {
    const auto [known, fresh] = nodes.try_emplace(container.id().value, &node);
    ASSERT_EQ(known->second, &node) << "two containers of the model are one in the store";
    if (!fresh) return;
    ASSERT_EQ(container.type(), node.type);
    const Result<Count> count = container.count();
    ASSERT_TRUE(count.ok()) << count.error().message();
    ASSERT_EQ(count->value, node.size());
    object::Iterator iterator(container);
    const Result<void> opened = iterator.open({});
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    std::set<std::string> seen;
    auto expected = node.entries.begin();
    for (std::uint64_t i = 0;; ++i) {
      format::Value key;
      format::Value value;
      const Result<bool> more = iterator.next(key, value);
      ASSERT_TRUE(more.ok()) << more.error().message();
      if (!more.value()) {
        ASSERT_EQ(i, node.size());
        break;
      }
      ASSERT_LT(i, node.size());
      const ModelValue* wanted;
      if (node.is_list()) {
        ASSERT_EQ(key.as_integer(), static_cast<std::int64_t>(i));
        wanted = &node.elements[i];
      } else {
        const Node::Entry* entry;
        if (node.type == format::ContainerType::table) {
          const auto found = node.entries.find(order_of(key));
          ASSERT_NE(found, node.entries.end());
          ASSERT_TRUE(seen.insert(found->first).second);
          entry = &found->second;
        } else {
          entry = &(expected++)->second;
        }
        ASSERT_EQ(Scalar::of(key), entry->key);
        wanted = &entry->value;
      }
      if (wanted->node == nullptr) {
        ASSERT_EQ(Scalar::of(value), wanted->scalar);
        continue;
      }
      ASSERT_EQ(value.tag, format::Tag::container);
      Result<object::Loan> lent = iterator.lend(value.as_container());
      ASSERT_TRUE(lent.ok()) << lent.error().message();
      open.emplace_back(object::Container::of(container.attachment(), container.snapshot(), std::move(*lent)),
                        wanted->node.get());
    }
  }
};

}  // namespace utan::test
