// Shows that containers of all types behave as the standard ones do under random operations: nested, linked to each other
// in cycles too, with values and keys of all types, with snapshots that stay as they were, through closing and reopening;
// and that nothing but cycles is left behind.
// Labels: small
// Timeout: 240 s
#include "object/container.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "object/number.h"
#include "object/orphans.h"
#include "object/quick.h"
#include "support/model.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;
using test::Comparison;
using test::ModelValue;
using test::Node;
using test::Scalar;
using test::Scalars;
using test::Viewed;

#define EXPECT_DONE(expression)                                     \
  do {                                                              \
    const auto& expect_done = (expression);                         \
    ASSERT_TRUE(expect_done.ok()) << expect_done.error().message(); \
  } while (false)

class ContainerTest : public ::testing::Test {
 protected:
  struct Handle {
    std::unique_ptr<Container> container;
    std::shared_ptr<Node> node;
  };
  struct Held {
    std::unique_ptr<object::Store> store;
    std::shared_ptr<Node> root;
  };

  // Nodes name each other in cycles: who made them takes them apart.
  void TearDown() override {
    for (const std::weak_ptr<Node>& made : made_) {
      if (const std::shared_ptr<Node> node = made.lock(); node != nullptr) {
        std::map<std::string, Node::Entry> entries = std::move(node->entries);
        std::vector<ModelValue> elements = std::move(node->elements);
        node->entries.clear();
        node->elements.clear();
      }
    }
  }
  std::shared_ptr<Node> make_node(const Node& node) {
    auto out = std::make_shared<Node>(node);
    made_.push_back(out);
    return out;
  }

  void open() { store_ = test::open_store(folder_.path("store")); }

  // A deep copy: the graph as it is.
  std::shared_ptr<Node> copy_of(const std::shared_ptr<Node>& root) {
    std::map<const Node*, std::shared_ptr<Node>> copies;
    std::vector<std::pair<const Node*, Node*>> open;
    const auto copied = [&](const std::shared_ptr<Node>& node) {
      auto& copy = copies[node.get()];
      if (copy == nullptr) {
        copy = make_node(*node);
        open.emplace_back(node.get(), copy.get());
      }
      return copy;
    };
    std::shared_ptr<Node> out = copied(root);
    while (!open.empty()) {
      Node* const copy = open.back().second;
      open.pop_back();
      for (auto& [order, entry] : copy->entries) {
        if (entry.value.node != nullptr) entry.value.node = copied(entry.value.node);
      }
      for (ModelValue& value : copy->elements) {
        if (value.node != nullptr) value.node = copied(value.node);
      }
    }
    return out;
  }

  // Random plain data, in both forms.
  ModelValue random_data(Data& data, int depth) {
    if (depth == 0 || random_() % 3 != 0) {
      ModelValue out{scalars_.value(), nullptr};
      const Viewed viewed(out.scalar);
      EXPECT_TRUE(data.add(viewed.value()).ok());
      return out;
    }
    return random_container(data, depth, static_cast<ContainerType>(1 + random_() % 4));
  }
  ModelValue random_container(Data& data, int depth, ContainerType type) {
    const std::shared_ptr<Node> node = make_node(Node{type, {}, {}});
    EXPECT_TRUE(data.begin(type).ok());
    const std::uint64_t size = random_() % (random_() % 20 == 0 ? 120 : 9);
    for (std::uint64_t i = 0; i < size; ++i) {
      if (node->is_list()) {
        node->elements.push_back(random_data(data, depth - 1));
        continue;
      }
      const Scalar key = scalars_.key(40);
      const Viewed viewed(key);
      EXPECT_TRUE(data.add(viewed.value()).ok());
      node->put(key, random_data(data, depth - 1));
    }
    EXPECT_TRUE(data.end().ok());
    return {{}, node};
  }

  // Links to another container that is at hand, makes data, or takes a scalar: as model and as input.
  struct Offered {
    ModelValue model;
    std::unique_ptr<Scalar> scalar;
    std::unique_ptr<Viewed> viewed;
    std::unique_ptr<Data> data;
    std::unique_ptr<Input> input;
  };
  Offered offer() {
    Offered out;
    const std::uint64_t choice = random_() % 10;
    if (choice == 0) {
      const Handle& other = handles_[random_() % handles_.size()];
      out.model.node = other.node;
      out.input = std::make_unique<Input>(Value::container(other.container->id()));
    } else if (choice <= 3) {
      out.data = std::make_unique<Data>();
      out.model = random_data(*out.data, 3);
      out.input = std::make_unique<Input>(*out.data);
    } else {
      out.scalar = std::make_unique<Scalar>(scalars_.value());
      out.model.scalar = *out.scalar;
      out.viewed = std::make_unique<Viewed>(*out.scalar);
      out.input = std::make_unique<Input>(out.viewed->value());
    }
    return out;
  }

  void expect_value(const Loan& loan, const ModelValue& wanted) {
    if (wanted.node == nullptr) {
      ASSERT_EQ(Scalar::of(loan.value()), wanted.scalar);
    } else {
      ASSERT_EQ(loan.value().tag, format::Tag::container);
      ASSERT_EQ(loan.type(), wanted.node->type);
    }
  }

  void change(Handle& handle) {
    if (handle.node->is_list()) {
      change_list(*handle.container, *handle.node);
    } else {
      change_mapping(*handle.container, *handle.node);
    }
  }

  void change_mapping(Container& container, Node& node) {
    const Scalar key = scalars_.key(key_range_);
    const Viewed viewed(key);
    const Value& plain = viewed.value();
    const auto found = node.entries.find(test::order_of(plain));
    const bool there = found != node.entries.end();
    const bool ordered = node.type != ContainerType::table;
    switch (random_() % 16) {
      case 0:
      case 1:
      case 2:
      case 3: {
        Offered offered = offer();
        EXPECT_DONE(container.set(plain, *offered.input));
        node.put(key, offered.model);
        break;
      }
      case 4: {
        Offered offered = offer();
        const Result<bool> added = container.add(plain, *offered.input);
        EXPECT_DONE(added);
        ASSERT_EQ(added.value(), !there);
        if (!there) node.put(key, offered.model);
        break;
      }
      case 5:
      case 6: {
        const Result<bool> erased = container.erase(plain);
        EXPECT_DONE(erased);
        ASSERT_EQ(erased.value(), there);
        if (there) node.entries.erase(found);
        break;
      }
      case 7: {
        Loan loan;
        const Result<bool> popped = container.pop(plain, loan);
        EXPECT_DONE(popped);
        ASSERT_EQ(popped.value(), there);
        if (!there) break;
        expect_value(loan, found->second.value);
        node.entries.erase(found);
        break;
      }
      case 8: {
        Loan loan;
        const Result<bool> got = container.get(plain, loan);
        EXPECT_DONE(got);
        ASSERT_EQ(got.value(), there);
        if (there) expect_value(loan, found->second.value);
        break;
      }
      case 9: {
        if (!there) break;
        const bool right = random_() % 2 == 0;
        const Scalar other = Scalars::text(format::Tag::string, "not what is there");
        const Viewed expected(right && found->second.value.node == nullptr ? found->second.value.scalar : other);
        Offered offered = offer();
        const Result<bool> replaced = container.replace(plain, expected.value(), *offered.input);
        EXPECT_DONE(replaced);
        ASSERT_EQ(replaced.value(), right && found->second.value.node == nullptr);
        if (replaced.value()) found->second.value = offered.model;
        break;
      }
      case 10: {
        Offered offered = offer();
        Loan loan;
        const Result<bool> added = container.set_default(plain, *offered.input, loan);
        EXPECT_DONE(added);
        ASSERT_EQ(added.value(), !there);
        if (!there) node.put(key, offered.model);
        expect_value(loan, node.entries.find(test::order_of(plain))->second.value);
        break;
      }
      case 11: {
        const std::int64_t by = static_cast<std::int64_t>(random_() % 2000) - 1000;
        Loan loan;
        const Result<void> increased = container.increase(plain, Value::integer(by), loan);
        std::vector<std::byte> scratch;
        const ModelValue before = there ? found->second.value : ModelValue{Scalar::of(Value::integer(0)), nullptr};
        const Viewed old(before.scalar);
        if (before.node != nullptr || !object::is_number(old.value())) {
          ASSERT_EQ(increased.code(), Code::type);
          break;
        }
        EXPECT_DONE(increased);
        const Result<Value> sum = object::add(old.value(), Value::integer(by), scratch);
        ASSERT_EQ(Scalar::of(loan.value()), Scalar::of(*sum));
        node.put(key, {Scalar::of(*sum), nullptr});
        break;
      }
      case 12: {
        Data data;
        const ModelValue more = random_container(data, 2, ContainerType::dict);
        EXPECT_DONE(container.update(data));
        for (const auto& [order, entry] : more.node->entries) node.put(entry.key, entry.value);
        break;
      }
      case 13:
        if (ordered) check_order(container, node, plain);
        break;
      case 14: {
        if (!ordered || random_() % 4 != 0) break;
        const Scalar other = scalars_.key(key_range_);
        const Viewed high(other);
        object::Range range;
        range.low = plain;
        range.high = high.value();
        range.low_inclusive = random_() % 2 == 0;
        range.high_inclusive = random_() % 2 == 0;
        const auto [from, to] = range_of(node, range);
        const auto size = static_cast<std::uint64_t>(std::distance(from, to));
        const Result<Count> counted = container.count_range(range);
        EXPECT_DONE(counted);
        ASSERT_EQ(counted->value, size);
        const Result<Count> deleted = container.delete_range(range);
        EXPECT_DONE(deleted);
        ASSERT_EQ(deleted->value, size);
        node.entries.erase(from, to);
        break;
      }
      default:
        if (random_() % 30 == 0) {
          EXPECT_DONE(container.clear());
          node.entries.clear();
        } else {
          Loan last_key;
          Loan last_value;
          const Result<bool> popped = container.pop_last(last_key, last_value);
          EXPECT_DONE(popped);
          ASSERT_EQ(popped.value(), !node.entries.empty());
          if (node.entries.empty()) break;
          const auto taken = node.entries.find(test::order_of(last_key.value()));
          ASSERT_NE(taken, node.entries.end());
          if (ordered) {
            ASSERT_EQ(taken, std::prev(node.entries.end()));
          }
          ASSERT_EQ(Scalar::of(last_key.value()), taken->second.key);
          expect_value(last_value, taken->second.value);
          node.entries.erase(taken);
        }
    }
  }

  using Iterators =
      std::pair<std::map<std::string, Node::Entry>::iterator, std::map<std::string, Node::Entry>::iterator>;
  static Iterators range_of(Node& node, const object::Range& range) {
    const std::string low = test::order_of(*range.low);
    const std::string high = test::order_of(*range.high);
    const auto from = range.low_inclusive ? node.entries.lower_bound(low) : node.entries.upper_bound(low);
    const auto to = range.high_inclusive ? node.entries.upper_bound(high) : node.entries.lower_bound(high);
    const bool empty = low > high || (low == high && !(range.low_inclusive && range.high_inclusive));
    return {from, empty ? from : to};
  }

  void check_order(const Container& container, Node& node, const Value& plain) {
    const std::string order = test::order_of(plain);
    const auto at_or_after = node.entries.lower_bound(order);
    const auto expect_at = [&](Container::Where where, bool there,
                               std::map<std::string, Node::Entry>::iterator wanted) {
      Loan key;
      Loan value;
      const Result<bool> got = container.nearest(where, &plain, key, value);
      EXPECT_DONE(got);
      ASSERT_EQ(got.value(), there);
      if (!there) return;
      ASSERT_EQ(Scalar::of(key.value()), wanted->second.key);
      expect_value(value, wanted->second.value);
    };
    expect_at(Container::Where::ceiling, at_or_after != node.entries.end(), at_or_after);
    const auto after = node.entries.upper_bound(order);
    expect_at(Container::Where::floor, after != node.entries.begin(),
              after == node.entries.begin() ? after : std::prev(after));
    expect_at(Container::Where::first, !node.entries.empty(), node.entries.begin());
    expect_at(Container::Where::last, !node.entries.empty(),
              node.entries.empty() ? node.entries.end() : std::prev(node.entries.end()));
    // A range backwards, with a part left out.
    object::IteratorOptions options;
    options.range.high = plain;
    options.reverse = true;
    options.skip = random_() % 3;
    options.limit = 1 + random_() % 5;
    object::Iterator iterator(container);
    const Result<void> opened = iterator.open(options);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    auto wanted = at_or_after;
    for (std::uint64_t i = 0; i < options.skip && wanted != node.entries.begin(); ++i) --wanted;
    for (std::uint64_t i = 0;; ++i) {
      Value key;
      Value value;
      const Result<bool> more = iterator.next(key, value);
      EXPECT_DONE(more);
      ASSERT_EQ(more.value(), i < options.limit && wanted != node.entries.begin());
      if (!more.value()) break;
      ASSERT_EQ(Scalar::of(key), (--wanted)->second.key);
    }
  }

  void change_list(Container& container, Node& node) {
    const std::size_t size = node.elements.size();
    const std::size_t at = size == 0 ? 0 : random_() % size;
    const Value index =
        Value::integer(random_() % 2 == 0 ? static_cast<std::int64_t>(at)
                                          : static_cast<std::int64_t>(at) - static_cast<std::int64_t>(size));
    switch (random_() % 8) {
      case 0:
      case 1: {
        Offered offered = offer();
        EXPECT_DONE(container.append(*offered.input));
        node.elements.push_back(offered.model);
        break;
      }
      case 2: {
        Offered offered = offer();
        const auto place = static_cast<std::int64_t>(random_() % (size + 3)) - 1;
        EXPECT_DONE(container.insert(place, *offered.input));
        const auto size_signed = static_cast<std::int64_t>(size);
        const std::int64_t real = std::clamp<std::int64_t>(place < 0 ? place + size_signed : place, 0, size_signed);
        node.elements.insert(node.elements.begin() + real, offered.model);
        break;
      }
      case 3: {
        Offered offered = offer();
        const Result<void> set = container.set(index, *offered.input);
        if (size == 0) {
          ASSERT_EQ(set.code(), Code::invalid);
          break;
        }
        EXPECT_DONE(set);
        node.elements[at] = offered.model;
        break;
      }
      case 4: {
        const Result<bool> erased = container.erase(index);
        EXPECT_DONE(erased);
        ASSERT_EQ(erased.value(), size != 0);
        if (size != 0) node.elements.erase(node.elements.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      case 5: {
        Loan loan;
        const Result<bool> popped = container.pop(index, loan);
        EXPECT_DONE(popped);
        ASSERT_EQ(popped.value(), size != 0);
        if (size == 0) break;
        expect_value(loan, node.elements[at]);
        node.elements.erase(node.elements.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      case 6: {
        Loan loan;
        const Result<bool> got = container.get(index, loan);
        EXPECT_DONE(got);
        ASSERT_EQ(got.value(), size != 0);
        if (size != 0) expect_value(loan, node.elements[at]);
        break;
      }
      default: {
        Data data;
        const ModelValue more = random_container(data, 2, ContainerType::list);
        const std::size_t from = random_() % (size + 1);
        const std::size_t taken = std::min(random_() % 6 == 0 ? size : random_() % 4, size - from);
        EXPECT_DONE(container.splice(from, taken, data));
        node.elements.erase(node.elements.begin() + static_cast<std::ptrdiff_t>(from),
                            node.elements.begin() + static_cast<std::ptrdiff_t>(from + taken));
        node.elements.insert(node.elements.begin() + static_cast<std::ptrdiff_t>(from), more.node->elements.begin(),
                             more.node->elements.end());
      }
    }
  }

  // A handle on some container that is linked from one that is at hand.
  void follow_link() {
    const Handle& handle = handles_[random_() % handles_.size()];
    std::vector<std::pair<Value, std::shared_ptr<Node>>> links;
    std::vector<std::unique_ptr<Viewed>> keys;
    for (const auto& [order, entry] : handle.node->entries) {
      if (entry.value.node == nullptr) continue;
      keys.push_back(std::make_unique<Viewed>(entry.key));
      links.emplace_back(keys.back()->value(), entry.value.node);
    }
    for (std::size_t i = 0; i < handle.node->elements.size(); ++i) {
      if (handle.node->elements[i].node != nullptr)
        links.emplace_back(Value::integer(static_cast<std::int64_t>(i)), handle.node->elements[i].node);
    }
    if (links.empty()) return;
    const auto& [key, node] = links[random_() % links.size()];
    Loan loan;
    const Result<bool> got = handle.container->get_at(std::span(&key, 1), loan);
    EXPECT_DONE(got);
    ASSERT_TRUE(got.value());
    std::unique_ptr<Container> container = Container::of(store_->attachment(), nullptr, std::move(loan));
    for (const Handle& other : handles_) ASSERT_EQ(other.node == node, other.container->id() == container->id());
    handles_.push_back({std::move(container), node});
  }

  void compare_all() {
    Comparison comparison;
    comparison.compare(*store_->root(), *root_);
    if (HasFatalFailure()) return;
    for (const Handle& handle : handles_) {
      comparison.compare(*handle.container, *handle.node);
      if (HasFatalFailure()) return;
    }
  }

  void restart() {
    handles_.clear();
    snapshots_.clear();
    handles_.push_back({store_->root(), root_});
  }

  test::TemporaryFolder folder_;
  std::mt19937_64 random_;
  Scalars scalars_{random_};
  std::uint64_t key_range_ = 60;
  std::unique_ptr<object::Store> store_;
  std::vector<std::weak_ptr<Node>> made_;
  std::shared_ptr<Node> root_ = make_node(Node{ContainerType::collection, {}, {}});
  std::vector<Handle> handles_;
  std::vector<Held> snapshots_;
};

TEST_F(ContainerTest, RandomOperations) {
  UTAN_SEEDED(seed);
  random_.seed(seed);
  open();
  restart();
  const std::uint64_t operations = test::scaled(20'000, 1'000'000);
  for (std::uint64_t i = 0; i < operations; ++i) {
    change(handles_[random_() % handles_.size()]);
    if (HasFatalFailure()) FAIL() << "operation " << i;
    if (random_() % 12 == 0) follow_link();
    if (handles_.size() > 20) handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(1 + random_() % 19));
    if (i % 500 == 0) key_range_ = random_() % 4 == 0 ? 3000 : 60;
    if (i % 300 == 0) {
      auto snapshot = store_->snapshot();
      ASSERT_TRUE(snapshot.ok()) << snapshot.error().message();
      snapshots_.push_back({std::move(*snapshot), copy_of(root_)});
      if (snapshots_.size() > 3) snapshots_.erase(snapshots_.begin() + static_cast<std::ptrdiff_t>(random_() % 3));
    }
    if (i % 1000 == 999) {
      compare_all();
      for (const Held& held : snapshots_) {
        Comparison comparison;
        comparison.compare(*held.store->root(), *held.root);
        if (HasFatalFailure()) FAIL() << "a snapshot, after operation " << i;
      }
      if (HasFatalFailure()) FAIL() << "after operation " << i;
    }
    if (i % 5000 == 4999) {
      handles_.clear();
      snapshots_.clear();
      ASSERT_TRUE(object::Store::close(std::move(store_)).ok());
      open();
      restart();
      test::walk(*store_);
    }
  }
  compare_all();
  test::walk(*store_);
}

// --- What not every container has, and what not every store knows ------------------------------------------------------

class ContainerErrorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Container> make(ContainerType type) {
    return store_->container(object::name_of(type), type, true).value();
  }
  static void set(Container& container, const Value& key, const Value& value) {
    Input input(value);
    EXPECT_DONE(container.set(key, input));
  }
  const heap::Heap& heap() { return store_->attachment().session().value()->heap(); }
  // The topmost block of a container, in the newest commit.
  Offset root_of(const Container& container) {
    const format::HeadWord head{heap().coordination().fixed().head.load()};
    const auto* const leaf =
        heap().at<format::ObjectLeaf>(Offset{heap().at<format::CommitBlock>(head.block())->object_table_root});
    return Offset{leaf->entries()[container.id().index()].root};
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_ = test::open_store(folder_.path("s"));
};

TEST_F(ContainerErrorTest, ListsAndTablesHaveNoRangesOfKeys) {
  EXPECT_STREQ(object::name_of(ContainerType::none), "no container");
  object::Range range;
  range.low = Value::integer(1);
  for (const ContainerType type : {ContainerType::list, ContainerType::table}) {
    const std::unique_ptr<Container> container = make(type);
    const Result<Count> counted = container->count_range(range);
    EXPECT_EQ(counted.code(), Code::type);
    EXPECT_NE(counted.error().message().find(std::string("a ") + object::name_of(type) + " has no ranges of keys"),
              std::string::npos)
        << counted.error().message();
    EXPECT_EQ(container->delete_range(range).code(), Code::type);
  }
}

TEST_F(ContainerErrorTest, AnEmptyPrefixIsThatOfAllKeysOfItsKind) {
  const std::unique_ptr<Container> dict = make(ContainerType::dict);
  const Value part[] = {Value::string("a")};
  for (const Value& key : {Value::integer(1), Value::binary(test::bytes("b")), Value::string(""), Value::string("a"),
                           Value::string("\xf4\x8f\xbf\xbf"), Value::tuple(part)})
    set(*dict, key, Value::null());
  object::Range range;
  range.prefix = Value::string("");
  EXPECT_EQ(dict->count_range(range)->value, 3U);
  range.prefix = Value::binary({});
  EXPECT_EQ(dict->count_range(range)->value, 1U);
}

TEST_F(ContainerErrorTest, AContainerIsSeenInItsOwnStoreAlone) {
  const std::unique_ptr<Container> dict = make(ContainerType::dict);
  const std::unique_ptr<object::Store> other = test::open_store(folder_.path("other"));
  EXPECT_EQ(other->view_of(*dict).code(), Code::invalid);
  EXPECT_TRUE(store_->view_of(*dict).ok());
}

TEST_F(ContainerErrorTest, DataThatRefersToItselfIsNotMerged) {
  const std::unique_ptr<Container> dict = make(ContainerType::dict);
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::dict).ok());
  EXPECT_DONE(data.add(Value::string("self")));
  EXPECT_DONE(data.add_part(0));
  EXPECT_DONE(data.end());
  const Result<void> merged = dict->update(data);
  EXPECT_EQ(merged.code(), Code::invalid);
  EXPECT_NE(merged.error().message().find("data that refers to itself"), std::string::npos) << merged.error().message();
  EXPECT_EQ(dict->count()->value, 0U);
  // Stored whole, it names itself.
  Input input(data);
  EXPECT_DONE(dict->set(Value::string("whole"), input));
  const Value path[] = {Value::string("whole"), Value::string("self"), Value::string("self")};
  Loan loan;
  ASSERT_TRUE(*dict->get_at(path, loan));
  EXPECT_EQ(loan.type(), ContainerType::dict);
}

// An entry of a small dict that does not lie in its block.
TEST_F(ContainerErrorTest, AnEntryThatIsNotThereIsDamageToWhoeverTakesAllOfThem) {
  const std::unique_ptr<Container> dict = make(ContainerType::dict);
  for (int i = 0; i < 30; ++i) set(*dict, Value::integer(i), Value::integer(i));
  auto* const sorted = heap().at<format::Sorted>(root_of(*dict));
  ASSERT_EQ(sorted->header.kind, format::Kind::sorted);
  const format::SortedSlot right = sorted->slots()[0];
  sorted->slots()[0] = right.with_end(4095);
  object::Range range;
  range.low = Value::integer(20);
  {
    const ExpectDamage damage_expected;
    EXPECT_EQ(dict->delete_range(range).code(), Code::corruption);
  }
  sorted->slots()[0] = right;
  EXPECT_EQ(dict->delete_range(range)->value, 10U);
}

// What a list of a damaged file has in the place of a value.
TEST_F(ContainerErrorTest, AWordOfNoValueIsDamage) {
  const std::unique_ptr<Container> list = make(ContainerType::list);
  Input input(Value::integer(1));
  EXPECT_DONE(list->append(input));
  auto* const words = heap().at<format::ListLeaf>(root_of(*list))->words();
  Loan loan;
  ASSERT_TRUE(*list->get(Value::integer(0), loan));
  words[0] = format::Word::make(format::WordKind::constant, 3);
  const ExpectDamage damage_expected;
  const Value key = Value::integer(0);
  object::QuickValue value;
  EXPECT_EQ(list->get_quickly(std::span(&key, 1), value), tree::Quick::unusual);
  EXPECT_EQ(list->get(key, loan).code(), Code::corruption);
}

}  // namespace
}  // namespace utan
