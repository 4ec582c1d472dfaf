// Shows that shapes which no accident makes, with checksums that are right, end in bounded time and with an error, too: nodes
// that are their own children or that many name, trees as high as they may be and higher, counts of 2^60, queues and lists
// that are circles, containers that have each other's contents, lengths that lead over the end.
//
// Each shape is a change of the files of a small store, which is then used in every way (support/damage_exercise.h), in a child
// whose crash or hang is reported with the shape's name. UTAN_SHAPE='name' does that one in this process.
//
// Labels: small
// Timeout: 120 s
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <string>

#include "support/damage_run.h"
#include "support/damage_shapes.h"

namespace utan::damage {
namespace {

using format::Kind;

constexpr std::uint64_t huge = std::uint64_t{1} << 60;
constexpr std::uint64_t all_ones = std::numeric_limits<std::uint64_t>::max();

struct Shape {
  std::string name;
  std::function<void(Files&)> make;
};

class DamagedShapes : public testing::Test {
 protected:
  static Images& images() {
    static Images all;
    return all;
  }
  static Files base(bool killed) { return killed ? images().killed() : images().closed(); }

  // A shape of what lies there after a clean close, and one of what a kill leaves.
  void add(const std::string& name, const std::function<void(Shaper&)>& make) {
    for (const bool killed : {false, true}) {
      shapes_.push_back({name + (killed ? ", killed" : ""), [make](Files& files) {
                           Shaper shaper(files);
                           make(shaper);
                         }});
    }
  }
  void add_killed(const std::string& name, const std::function<void(Files&)>& make) {
    shapes_.push_back({name + ", killed", make});
  }

  void run() {
    const char* const only = ::getenv("UTAN_SHAPE");
    const auto one = [this](std::uint64_t i) {
      const ExpectDamage expected;
      Files files = base(shapes_[i].name.ends_with(", killed"));
      shapes_[i].make(files);
      images().restore(files);
      return use(images().machine(), Use::everything);
    };
    for (std::uint64_t i = 0; only != nullptr && i < shapes_.size(); ++i) {
      if (shapes_[i].name != only) continue;
      const Outcome outcome = one(i);
      std::printf("opening: %d; %llu failures, the first one: %s\n", static_cast<int>(outcome.opened),
                  static_cast<unsigned long long>(outcome.tally.failure_count), outcome.tally.first_failure.c_str());
    }
    if (only != nullptr) GTEST_SKIP() << "UTAN_SHAPE names a shape";
    Batch batch(images());
    batch.run(shapes_.size(), one, [this](std::uint64_t i) { return "UTAN_SHAPE='" + shapes_[i].name + "'"; });
    EXPECT_GT(batch.opened_count(), 0U);
  }

  std::vector<Shape> shapes_;
};

// Of every kind of block there is one at least, so that no shape is of nothing.
TEST_F(DamagedShapes, ThereIsEveryKind) {
  for (const bool killed : {false, true}) {
    Files files = base(killed);
    const Shaper shaper(files);
    for (const Kind kind :
         {Kind::commit, Kind::record, Kind::bucket, Kind::directory, Kind::table_root, Kind::object_leaf, Kind::value,
          Kind::sorted, Kind::ordered_branch, Kind::ordered_leaf, Kind::list_branch, Kind::list_leaf}) {
      EXPECT_FALSE(shaper.of(kind).empty()) << "kind " << static_cast<unsigned>(kind);
    }
    for (const Kind kind : {Kind::list, Kind::waiting})
      EXPECT_EQ(shaper.of(kind).empty(), !killed) << "kind " << static_cast<unsigned>(kind);
  }
}

// --- Trees -------------------------------------------------------------------------------------------------------------

// Every offset in every inner node of a kind.
void each_child(Shaper& shaper, Kind kind, const std::function<std::uint64_t(const Span&, std::uint64_t)>& child_of) {
  for (const Span& node : shaper.of(kind)) {
    const std::uint16_t aux = shaper.header(node)->aux;
    if (kind == Kind::list_branch) {
      auto* const children = shaper.at<format::ListBranch>(node.from)->children();
      for (std::uint64_t i = 0; i < format::ListAux{aux}.count(); ++i)
        children[i].offset = child_of(node, children[i].offset);
    } else if (kind == Kind::ordered_branch || kind == Kind::ordered_leaf) {
      const bool is_leaf = kind == Kind::ordered_leaf;
      const auto shape = is_leaf ? format::OrderedShape::of(shaper.at<format::OrderedLeaf>(node.from))
                                 : format::OrderedShape::of(shaper.at<format::OrderedBranch>(node.from));
      auto* const entries = shaper.at<format::OrderedEntry>(node.from + shape.entries_at());
      for (std::uint64_t i = 0; i < shape.count; ++i) {
        const format::OrderedChild child{entries[i].word};
        entries[i].word =
            is_leaf ? child_of(node, entries[i].word)
                    : format::OrderedChild::make(Offset{child_of(node, child.child().value)}, child.count()).word;
      }
    } else if (kind == Kind::bucket) {
      auto* const bucket = shaper.at<format::Bucket>(node.from);
      for (std::uint64_t i = 0; i < bucket->count(); ++i) {
        const format::BucketEntry entry{bucket->entries()[i]};
        bucket->entries()[i] =
            format::BucketEntry::make(entry.tag(), Offset{child_of(node, entry.record().value)}).word;
      }
    } else {
      const bool is_root = kind == Kind::table_root;
      auto* const words = shaper.at<std::uint64_t>(node.from + (is_root ? sizeof(format::TableRoot) : 16));
      const std::uint64_t count = is_root ? (node.size - sizeof(format::TableRoot)) / 8 : aux;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (words[i] != 0) words[i] = child_of(node, words[i]);
      }
    }
    shaper.mend(node);
  }
}

TEST_F(DamagedShapes, NodesThatAreNamedOften) {
  for (const Kind kind :
       {Kind::list_branch, Kind::ordered_branch, Kind::ordered_leaf, Kind::bucket, Kind::directory, Kind::table_root}) {
    const std::string name = "kind " + std::to_string(static_cast<unsigned>(kind));
    add(name + ": every child is the node itself", [kind](Shaper& shaper) {
      each_child(shaper, kind, [](const Span& node, std::uint64_t) { return node.from; });
    });
    add(name + ": every child is the first one", [kind](Shaper& shaper) {
      std::uint64_t first = 0;
      each_child(shaper, kind,
                 [&first](const Span&, std::uint64_t child) { return first == 0 ? first = child : first; });
    });
    add(name + ": every child is the commit", [kind](Shaper& shaper) {
      const std::uint64_t commit = shaper.offset_of(shaper.commit());
      each_child(shaper, kind, [commit](const Span&, std::uint64_t) { return commit; });
    });
    add(name + ": every child is behind the end", [kind](Shaper& shaper) {
      const std::uint64_t end = shaper.file_size();
      each_child(shaper, kind, [end](const Span&, std::uint64_t) { return end; });
    });
    add(name + ": every child ends behind the end", [kind](Shaper& shaper) {
      const std::uint64_t end = shaper.file_size();
      each_child(shaper, kind, [end](const Span&, std::uint64_t) { return end - 16; });
    });
  }
  run();
}

TEST_F(DamagedShapes, HighTrees) {
  for (const std::uint64_t height : {2U, 4U, 11U, 12U, 13U, 40U}) {
    const std::string name = " of height " + std::to_string(height);
    add("a list" + name + ", each child says 1", [height](Shaper& shaper) {
      shaper.put_roots(Kind::list_branch, shaper.make_list(height, [](std::uint64_t) { return 1; }));
    });
    add("a list" + name + ", each child says what is below", [height](Shaper& shaper) {
      const auto product = [](std::uint64_t of) {
        std::uint64_t out = format::list_leaf_fanout;
        for (std::uint64_t i = 1; i < of; ++i) out *= format::list_branch_fanout;
        return out;
      };
      shaper.put_roots(Kind::list_branch, shaper.make_list(height, product));
    });
    add("a list" + name + ", each child says 2^60", [height](Shaper& shaper) {
      shaper.put_roots(Kind::list_branch, shaper.make_list(height, [](std::uint64_t) { return huge; }));
    });
    for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{62}, std::uint64_t{19}, huge, all_ones}) {
      add("an ordered tree" + name + ", each child says " + std::to_string(count), [height, count](Shaper& shaper) {
        shaper.put_roots(Kind::ordered_branch, shaper.make_ordered(height, count));
      });
    }
  }
  for (const std::uint64_t depth : {0U, 1U, 2U, 3U, 6U, 7U}) {
    for (const std::uint64_t count : {std::uint64_t{60}, std::uint64_t{3'000}, std::uint64_t{70'000}, huge}) {
      add("a table of depth " + std::to_string(depth) + " and " + std::to_string(count) + " buckets",
          [depth, count](Shaper& shaper) { shaper.put_roots(Kind::table_root, shaper.make_table(depth, count)); });
    }
    if (depth == 0) continue;
    add("an object table of depth " + std::to_string(depth),
        [depth](Shaper& shaper) { shaper.make_object_table(depth); });
  }
  run();
}

// --- Counts ------------------------------------------------------------------------------------------------------------

TEST_F(DamagedShapes, Counts) {
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, huge, all_ones, all_ones - 6}) {
    const std::string name = std::to_string(count);
    add("tables of so many records: " + name, [count](Shaper& shaper) {
      for (const Span& root : shaper.of(Kind::table_root)) {
        shaper.at<format::TableRoot>(root.from)->record_count = count;
        shaper.mend(root);
      }
    });
    add("tables of so many buckets: " + name, [count](Shaper& shaper) {
      for (const Span& root : shaper.of(Kind::table_root)) {
        shaper.at<format::TableRoot>(root.from)->bucket_count = count;
        shaper.mend(root);
      }
    });
    add("children of lists with so many words: " + name, [count](Shaper& shaper) {
      for (const Span& node : shaper.of(Kind::list_branch)) {
        auto* const branch = shaper.at<format::ListBranch>(node.from);
        for (std::uint64_t i = 0; i < format::ListAux{branch->header.aux}.count(); ++i)
          branch->children()[i].count = count;
        shaper.mend(node);
      }
    });
    add("lists of so many blocks: " + name, [count](Shaper& shaper) {
      for (const Span& list : shaper.of(Kind::list)) shaper.at<format::List>(list.from)->count = count;
    });
    add("lists of which so many are freed: " + name, [count](Shaper& shaper) {
      for (const Span& list : shaper.of(Kind::list)) shaper.at<format::List>(list.from)->drained = count;
    });
    add("commits with so many replaced: " + name, [count](Shaper& shaper) {
      for (const Span& commit : shaper.of(Kind::commit))
        shaper.at<format::CommitBlock>(commit.from)->replaced_count = count;
    });
    add("chunks with so many entries: " + name, [count](Shaper& shaper) {
      for (const Span& chunk : shaper.of(Kind::waiting)) shaper.at<format::WaitingChunk>(chunk.from)->count = count;
    });
    add("values of so many bytes: " + name, [count](Shaper& shaper) {
      for (const Span& value : shaper.of(Kind::value)) shaper.at<format::ValueBlock>(value.from)->size = count;
    });
    add("an object table so deep: " + name, [count](Shaper& shaper) {
      shaper.commit()->object_table_depth = count;
      shaper.mend_commit();
    });
    add("so many names were used: " + name, [count](Shaper& shaper) {
      shaper.commit()->object_index_high = count;
      shaper.mend_commit();
    });
    add("so many containers: " + name, [count](Shaper& shaper) {
      shaper.commit()->container_count = count;
      shaper.mend_commit();
    });
  }
  // What counts are in, of every kind of block at once.
  for (const unsigned aux : {0U, 1U, 0x3fU, 0xffU, 0x100U, 0x3ffU, 0x0cffU, 0xfc00U, 0xffffU}) {
    for (const Kind kind :
         {Kind::record, Kind::bucket, Kind::directory, Kind::table_root, Kind::object_leaf, Kind::value, Kind::sorted,
          Kind::ordered_branch, Kind::ordered_leaf, Kind::list_branch, Kind::list_leaf}) {
      add("kind " + std::to_string(static_cast<unsigned>(kind)) + " with aux " + std::to_string(aux),
          [kind, aux](Shaper& shaper) {
            for (const Span& block : shaper.of(kind)) {
              shaper.header(block)->aux = static_cast<std::uint16_t>(aux);
              shaper.mend(block);
            }
          });
    }
  }
  run();
}

TEST_F(DamagedShapes, LengthsOverTheEnd) {
  for (const std::uint32_t packed : {0U, 0xfffU, 0xfffff000U, 0xffffeffeU, 0xfffffffeU, 0xffffffffU}) {
    add("records whose sizes are " + std::to_string(packed), [packed](Shaper& shaper) {
      for (const Span& block : shaper.of(Kind::record)) {
        shaper.at<format::Record>(block.from)->packed = packed;
        std::memset(shaper.at<std::byte>(block.from + format::Record::head_size_min), 0xff, 8);
      }
    });
  }
  for (const unsigned tag : {0x80U, 0x88U, 0x89U, 0x8bU, 0x1fU, 0xffU, 14U, 13U, 12U, 11U, 10U}) {
    add("records whose values have the tag " + std::to_string(tag), [tag](Shaper& shaper) {
      for (const Span& block : shaper.of(Kind::record)) {
        auto& aux = shaper.header(block)->aux;
        aux = static_cast<std::uint16_t>((aux & 0xff) | tag << 8);
        shaper.mend(block);
      }
    });
    add("records whose keys have the tag " + std::to_string(tag), [tag](Shaper& shaper) {
      for (const Span& block : shaper.of(Kind::record)) {
        auto& aux = shaper.header(block)->aux;
        aux = static_cast<std::uint16_t>((aux & 0xff00) | tag);
        shaper.mend(block);
      }
    });
    add("values with the tag " + std::to_string(tag), [tag](Shaper& shaper) {
      for (const Span& block : shaper.of(Kind::value)) {
        shaper.header(block)->aux = static_cast<std::uint16_t>(tag);
        shaper.mend(block);
      }
    });
  }
  for (const std::uint32_t slot : {0U, 0x7ffU, 0xffff07ffU, 0xffffffffU, 0x00ff0010U}) {
    add("sorted blocks whose slots are all " + std::to_string(slot), [slot](Shaper& shaper) {
      for (const Span& block : shaper.of(Kind::sorted)) {
        auto* const sorted = shaper.at<format::Sorted>(block.from);
        for (std::uint64_t i = 0; i < sorted->count(); ++i) sorted->slots()[i].word = slot;
        shaper.mend(block);
      }
    });
  }
  run();
}

// --- Containers --------------------------------------------------------------------------------------------------------

void each_entry(Shaper& shaper, const std::function<void(format::ObjectEntry&, format::ObjectEntry&)>& change) {
  auto* const leaf = shaper.leaf();
  const std::uint64_t count = leaf->count();
  for (std::uint64_t i = 0; i < count; ++i) change(leaf->entries()[i], leaf->entries()[(i + 1) % count]);
  shaper.mend_leaf();
}

TEST_F(DamagedShapes, Containers) {
  add("each has the next one's contents",
      [](Shaper& shaper) { each_entry(shaper, [](auto& entry, auto& next) { entry.root = next.root; }); });
  add("each has the next one's contents and type", [](Shaper& shaper) {
    each_entry(shaper, [](auto& entry, auto& next) {
      entry.root = next.root;
      entry.what = next.what;
    });
  });
  add("all have the contents of the root", [](Shaper& shaper) {
    const std::uint64_t root = shaper.leaf()->entries()[0].root;
    each_entry(shaper, [root](auto& entry, auto&) { entry.root = root; });
  });
  add("all have the object table as their contents", [](Shaper& shaper) {
    each_entry(shaper, [&](auto& entry, auto&) { entry.root = shaper.commit()->object_table_root; });
  });
  for (std::uint32_t type = 0; type < 8; ++type) {
    add("all are of type " + std::to_string(type), [type](Shaper& shaper) {
      each_entry(shaper, [type](auto& entry, auto&) { entry.what = (entry.what & 0xffffff) | type << 24; });
    });
    add("of two kinds of tree, each has the other's type " + std::to_string(type), [type](Shaper& shaper) {
      std::uint32_t at = 0;
      each_entry(shaper, [type, &at](auto& entry, auto&) {
        if (at++ != 0) entry.what = (entry.what & 0xffffff) | ((at + type) % 4 + 1) << 24;
      });
    });
  }
  for (const std::uint32_t links : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    add("all are named so often: " + std::to_string(links),
        [links](Shaper& shaper) { each_entry(shaper, [links](auto& entry, auto&) { entry.links = links; }); });
  }
  // In the words of lists, which hold an id in 60 bits.
  for (std::uint64_t index = 0; index < 20; ++index) {
    add("all that lists hold is container " + std::to_string(index), [index](Shaper& shaper) {
      const format::ObjectId id = format::ObjectId::make(index, 1);
      for (const Span& block : shaper.of(Kind::list_leaf)) {
        auto* const leaf = shaper.at<format::ListLeaf>(block.from);
        for (std::uint64_t i = 0; i < format::ListAux{leaf->header.aux}.count(); ++i)
          leaf->words()[i] = format::Word::make(format::WordKind::container, id.value);
        shaper.mend(block);
      }
    });
  }
  run();
}

// --- Queues ------------------------------------------------------------------------------------------------------------

TEST_F(DamagedShapes, QueuesOfTheKilled) {
  add("each commit comes behind itself", [](Shaper& shaper) {
    for (const Span& block : shaper.of(Kind::commit))
      shaper.at<format::CommitBlock>(block.from)->owner_next = block.from;
  });
  add("commits in a circle", [](Shaper& shaper) {
    const std::vector<Span> all = shaper.of(Kind::commit);
    for (std::size_t i = 0; i < all.size(); ++i)
      shaper.at<format::CommitBlock>(all[i].from)->owner_next = all[(i + 1) % all.size()].from;
  });
  add("chunks in a circle", [](Shaper& shaper) {
    const std::vector<Span> all = shaper.of(Kind::waiting);
    for (std::size_t i = 0; i < all.size(); ++i)
      shaper.at<format::WaitingChunk>(all[i].from)->next = all[(i + 1) % all.size()].from;
  });
  add("lists that hold themselves", [](Shaper& shaper) {
    for (const Span& block : shaper.of(Kind::list)) {
      auto* const list = shaper.at<format::List>(block.from);
      for (std::uint64_t i = 0; i < std::min(list->count, format::list_entries_max); ++i)
        list->entries()[i] = format::ReplacedEntry::make(Offset{block.from}, format::ReplacedEntry::How::list).word;
    }
  });
  for (const auto how : {format::ReplacedEntry::How::block, format::ReplacedEntry::How::list}) {
    for (const Kind kind :
         {Kind::commit, Kind::waiting, Kind::list, Kind::object_leaf, Kind::record, Kind::table_root}) {
      add("commits replaced kind " + std::to_string(static_cast<unsigned>(kind)) + " in the way " +
              std::to_string(static_cast<unsigned>(how)),
          [how, kind](Shaper& shaper) {
            const std::vector<Span> victims = shaper.of(kind);
            if (victims.empty()) return;
            std::size_t at = 0;
            for (const Span& block : shaper.of(Kind::commit)) {
              auto* const commit = shaper.at<format::CommitBlock>(block.from);
              commit->replaced_count = format::replaced_max;
              for (auto& word : commit->replaced)
                word = format::ReplacedEntry::make(Offset{victims[at++ % victims.size()].from}, how).word;
            }
          });
    }
  }
  run();
}

TEST_F(DamagedShapes, LinesOfTheKilled) {
  using format::Line;
  const auto words_of = [](const Files& files) {
    Files copy = files;
    const Shaper shaper(copy);
    std::vector<std::uint64_t> out = {8,
                                      16,
                                      copy.data.size() - 16,
                                      copy.data.size(),
                                      huge,
                                      all_ones,
                                      all_ones - 15,
                                      format::regions_offset,
                                      format::regions_offset + 8};
    for (const Kind kind : {Kind::commit, Kind::waiting, Kind::list, Kind::record, Kind::object_leaf}) {
      const std::vector<Span> all = shaper.of(kind);
      if (!all.empty()) out.push_back(all.front().from);
    }
    return out;
  };
  // As it is, and as a place in a chain.
  for (const std::uint64_t word : words_of(images().killed())) {
    for (const std::uint64_t written : {word, word >> 4 << 20}) {
      const auto set = [this, written](const std::string& name, std::uint64_t from, std::uint64_t size) {
        add_killed(name + " " + std::to_string(written), [=](Files& files) {
          for (const Span& span : coordinated(files.coordination)) {
            if (span.size != sizeof(Line)) continue;
            for (std::uint64_t at = from; at < from + size; at += 8)
              std::memcpy(files.coordination.data() + span.from + at, &written, sizeof written);
          }
        });
      };
      set("pending", offsetof(Line, pending), 8);
      set("queue", offsetof(Line, queue), 8);
      set("taken", offsetof(Line, taken), 8);
      set("uncertain", offsetof(Line, uncertain), 8);
      set("open chunks", offsetof(Line, open_chunks), format::open_chunk_count * 8);
      set("build", offsetof(Line, build_count), (1 + format::build_recorded_max) * 8);
      set("allocator", offsetof(Line, allocator), sizeof Line::allocator);
      set("stash", offsetof(Line, stash), sizeof Line::stash);
      set("role and generation", offsetof(Line, generation), 24);
      add_killed("waiting lists " + std::to_string(written), [written](Files& files) {
        for (std::uint64_t i = 0; i < format::waiting_list_count; ++i)
          std::memcpy(files.coordination.data() + format::waiting_lists_offset + i * 8, &written, sizeof written);
      });
    }
  }
  run();
}

// --- Values in extents -------------------------------------------------------------------------------------------------

// Of a store of its own, because such a value has more than 16 MiB.
TEST(DamagedExtents, ThatAreNamedAgainAndAgain) {
  os::sim::Machine machine(1, reservation);
  {
    const auto store = test::open_store(store_path, Images::options(), machine.start_process());
    const auto dict = checking::make(*store, "d", format::ContainerType::dict);
    checking::set(*dict, "v", format::Value::string(std::string(17'000'000, 'v')));
  }
  const Bytes sound = machine.content(store_path);
  for (const std::uint64_t size : {std::uint64_t{17'000'000}, std::uint64_t{100'000'000}, format::value_size_max}) {
    Files files{sound, {}};
    Shaper shaper(files);
    for (const Span& block : shaper.of(Kind::list)) {
      auto* const list = shaper.at<format::List>(block.from);
      list->count = (size + format::extent_payload_max - 1) / format::extent_payload_max;
      ASSERT_LE(format::List::size_for(list->count), format::small_block_size_max);
      for (std::uint64_t i = 1; i < list->count; ++i) list->entries()[i] = list->entries()[0];
    }
    for (const Span& block : shaper.of(Kind::value)) {
      auto* const value = shaper.at<format::ValueBlock>(block.from);
      if (format::is_large(value->tag())) value->size = size;
    }
    for (const Span& block : shaper.of(Kind::record)) {
      auto* const record = shaper.at<format::Record>(block.from);
      const auto small_size = static_cast<std::uint32_t>(size);
      if (format::is_large(record->value_tag()))
        std::memcpy(shaper.at<std::byte>(block.from) + format::Record::head_size_min + 4, &small_size, 4);
    }
    machine.restore_in_place(store_path, files.data);
    if (machine.exists(lock_path)) machine.restore_in_place(lock_path, {});
    const ExpectDamage expected;
    const Outcome outcome = use(machine, Use::reading);
    EXPECT_EQ(outcome.opened, Code::ok);
    EXPECT_EQ(outcome.tally.failure_count == 0, size == 17'000'000) << outcome.tally.first_failure;
  }
}

}  // namespace
}  // namespace utan::damage
