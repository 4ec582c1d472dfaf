// What tests of the checker share: stores of all containers, and images of them to plant damage into.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "check/walk.h"
#include "commit/session.h"
#include "format/header.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "format/positional.h"
#include "format/sorted.h"
#include "object/container.h"
#include "object/data.h"
#include "support/store_fixture.h"

namespace utan::checking {

using format::ContainerType;
using format::ObjectId;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Store;

inline void expect_done(const Result<void>& done) { ASSERT_TRUE(done.ok()) << done.error().message(); }

inline void set(Container& container, const Value& key, const Value& value) {
  Input input(value);
  expect_done(container.set(key, input));
}
inline void set(Container& container, std::string_view key, const Value& value) {
  set(container, Value::string(key), value);
}
inline std::unique_ptr<Container> make(const Store& store, std::string_view name, ContainerType type) {
  auto made = store.container(name, type, true);
  EXPECT_TRUE(made.ok()) << made.error().message();
  return std::move(made).value();
}

// A store's file in memory, copied, with a page behind it that nobody may touch.
class Image {
 public:
  explicit Image(std::span<const std::byte> content) : size_(content.size()) {
    mapped_ = (size_ + format::page_size - 1) / format::page_size * format::page_size + format::page_size;
    void* at = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    base_ = static_cast<std::byte*>(at);
    EXPECT_EQ(::mprotect(base_ + mapped_ - format::page_size, format::page_size, PROT_NONE), 0);
    std::memcpy(base_, content.data(), size_);
  }
  static std::vector<std::byte> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.is_open()) << path;
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { ::munmap(base_, mapped_); }

  std::byte* data() { return base_; }
  ByteCount size() const { return ByteCount{size_}; }
  template <class T>
  T* at(std::uint64_t offset) {
    return reinterpret_cast<T*>(base_ + offset);
  }

  format::FileHeader header() {
    return *format::choose_header(*at<format::FileHeader>(0), *at<format::FileHeader>(format::page_size), size());
  }
  check::Report walk() { return check::Walk(base_, size(), format::Coordination{}, header().hash_seed).run(); }

  // --- Where things are
  std::uint64_t commit_offset() { return check::checkpoints_of(base_, nullptr).front().offset; }
  format::CommitBlock* commit() { return at<format::CommitBlock>(commit_offset()); }
  std::uint64_t leaf_offset() { return commit()->object_table_root; }
  format::ObjectEntry* entry(ObjectId id) { return &at<format::ObjectLeaf>(leaf_offset())->entries()[id.index()]; }
  std::uint64_t root_of(ObjectId id) { return entry(id)->root; }
  format::BlockHeader* block(std::uint64_t offset) { return at<format::BlockHeader>(offset); }

  // Entry `index` of a node of an ordered tree, and what it leads to.
  format::OrderedShape shape(std::uint64_t node) {
    return block(node)->kind == format::Kind::ordered_leaf ? format::OrderedShape::of(at<format::OrderedLeaf>(node))
                                                           : format::OrderedShape::of(at<format::OrderedBranch>(node));
  }
  format::OrderedEntry* ordered_entry(std::uint64_t node, std::uint64_t index) {
    return at<format::OrderedEntry>(node + shape(node).entries_at()) + index;
  }
  std::uint64_t ordered_child(std::uint64_t node, std::uint64_t index) {
    return format::OrderedChild{ordered_entry(node, index)->word}.child().value;
  }
  std::uint64_t ordered_leaf(std::uint64_t root) {
    while (block(root)->kind == format::Kind::ordered_branch) root = ordered_child(root, 0);
    return root;
  }
  std::uint64_t list_leaf(std::uint64_t root) {
    while (block(root)->kind == format::Kind::list_branch) root = at<format::ListBranch>(root)->children()[0].offset;
    return root;
  }
  // A bucket with at least two entries.
  std::uint64_t bucket(std::uint64_t table_root, std::uint64_t skip = 0) {
    const auto* root = at<format::TableRoot>(table_root);
    const bool has_directories = root->depth() != 0;
    const std::uint64_t* entries =
        has_directories ? at<format::Directory>(root->entries()[0])->entries() : root->entries();
    for (std::uint64_t i = 0;; ++i) {
      if (entries[i] != 0 && at<format::Bucket>(entries[i])->count() >= 2 && skip-- == 0) return entries[i];
    }
  }
  std::uint64_t record_in(std::uint64_t bucket_offset, std::uint64_t index) {
    return format::BucketEntry{at<format::Bucket>(bucket_offset)->entries()[index]}.record().value;
  }

  // How many bytes of a block mean something.
  std::uint64_t used_size(std::uint64_t offset) {
    switch (block(offset)->kind) {
      case format::Kind::commit:
        return offsetof(format::CommitBlock, owner_next);
      case format::Kind::record:
        return at<format::Record>(offset)->size();
      case format::Kind::value:
        return at<format::ValueBlock>(offset)->used();
      case format::Kind::sorted: {
        const auto* sorted = at<format::Sorted>(offset);
        return sorted->slots()[sorted->count() - 1].end();
      }
      case format::Kind::bucket:
        return format::Bucket::size_for(at<format::Bucket>(offset)->count());
      case format::Kind::directory:
        return format::Directory::size_for(at<format::Directory>(offset)->count());
      case format::Kind::table_root: {
        const auto* root = at<format::TableRoot>(offset);
        std::uint64_t span = 1;
        for (std::uint64_t i = 0; i < std::min(root->depth(), format::table_depth_max); ++i)
          span *= format::directory_fanout;
        return format::TableRoot::size_for((root->bucket_count + span - 1) / span);
      }
      case format::Kind::object_leaf:
        return format::ObjectLeaf::size_for(at<format::ObjectLeaf>(offset)->count());
      case format::Kind::list_leaf:
      case format::Kind::list_branch: {
        const format::ListAux aux{block(offset)->aux};
        return format::list_node_size(aux.count(), aux.height());
      }
      case format::Kind::ordered_leaf:
      case format::Kind::ordered_branch:
        return shape(offset).size();
      default:
        ADD_FAILURE() << "no size is known of kind " << static_cast<int>(block(offset)->kind);
        return 16;
    }
  }
  // Is it one of the zeros behind a prefix, which are part of no sum?
  bool is_padding(std::uint64_t offset, std::uint64_t byte) {
    const format::Kind kind = block(offset)->kind;
    if (kind != format::Kind::ordered_leaf && kind != format::Kind::ordered_branch) return false;
    const format::OrderedShape of = shape(offset);
    return byte >= of.prefix_at() + of.prefix_size && byte < of.entries_at();
  }

  // --- The checksum of a block that was changed, so that it is not the checksum that is found
  void seal(std::uint64_t offset) {
    format::BlockHeader* header = block(offset);
    header->checksum = format::checksum_header(*header) + content_sum(offset);
  }
  void seal_slot(std::uint64_t index) {
    auto* slot = at<format::CheckpointSlot>(format::slot_offset(index).value);
    slot->checksum = format::slot_checksum(*slot);
  }

 private:
  std::uint32_t words_sum(std::uint64_t offset) {
    return format::checksum_words(block(offset), 2, used_size(offset) / 8 - 2);
  }
  std::uint32_t payload_sum(std::uint64_t offset) {
    return format::checksum_payload(block(offset) + 1, used_size(offset) - sizeof(format::BlockHeader));
  }
  std::uint32_t content_sum(std::uint64_t offset) {
    switch (block(offset)->kind) {
      case format::Kind::commit:
        return format::checksum_words(block(offset), format::commit_checksum_first_word, format::commit_checksum_words);
      case format::Kind::record:
      case format::Kind::value:
      case format::Kind::sorted:
        return payload_sum(offset);
      case format::Kind::ordered_leaf:
      case format::Kind::ordered_branch:
        return format::ordered_content_checksum(block(offset), shape(offset));
      case format::Kind::list:
        return format::checksum_words(block(offset), format::list_checksum_first_word,
                                      1 + at<format::List>(offset)->count);
      default:
        return words_sum(offset);
    }
  }

  std::byte* base_ = nullptr;
  std::uint64_t size_;
  std::uint64_t mapped_;
};

// What every kind of container and block is in.
struct Everything {
  ObjectId table;
  ObjectId tree;   // of two levels of branches
  ObjectId texts;  // whose branch has separators that are not plain
  ObjectId cuts;   // whose keys agree in more bytes than a separator has
  ObjectId small;
  ObjectId list;  // of words of all kinds
  ObjectId deep;  // a list of several leaves

  void fill(const Store& store) {
    const std::string medium(500, 'm');
    const auto a_table = make(store, "table", ContainerType::table);
    table = a_table->id();
    for (int i = 100; i < 1000; ++i) set(*a_table, "key " + std::to_string(i), Value::integer(i));
    set(*a_table, "run", Value::string(std::string(20'000, 'r')));
    set(*a_table, Value::integer(7), Value::real(0.5));
    const auto a_tree = make(store, "tree", ContainerType::collection);
    tree = a_tree->id();
    for (int i = 0; i < 4500; ++i) set(*a_tree, Value::integer(i), Value::boolean(i % 2 == 0));
    const auto a_text = make(store, "texts", ContainerType::dict);
    texts = a_text->id();
    for (int i = 0; i < 600; ++i) {
      set(*a_text, std::string(1, static_cast<char>('a' + i % 20)) + std::string(12, 'x') + std::to_string(1000 + i),
          Value::null());
    }
    const auto a_cut = make(store, "cuts", ContainerType::dict);
    cuts = a_cut->id();
    for (int i = 0; i < 400; ++i) set(*a_cut, std::string(300, 'c') + std::to_string(1000 + i), Value::integer(i));
    const auto a_list = make(store, "list", ContainerType::list);
    list = a_list->id();
    append(*a_list, Value::string("longer than a word"));
    append(*a_list, Value::integer(1));
    append(*a_list, Value::container(table));
    const auto a_deep = make(store, "deep", ContainerType::list);
    deep = a_deep->id();
    for (int i = 0; i < 1000; ++i) append(*a_deep, Value::integer(i));
    const auto a_small = make(store, "small", ContainerType::dict);
    small = a_small->id();
    set(*a_small, "a", Value::integer(1));
    set(*a_small, "b", Value::integer(2));
    set(*a_small, "c", Value::string(medium));
    set(*a_small, "d", Value::container(list));
    set(*a_small, Value::real(2.5), Value::null());
  }
  static void append(Container& list, const Value& value) {
    Input input(value);
    expect_done(list.append(input));
  }
};

}  // namespace utan::checking
