// Shows that the checker finds each kind of damage, and says where it is and what it is.
//
// Damage is planted into the image of a store that is sound; where it is not the checksum that is to be found, the
// checksum is made right again.
#include <gtest/gtest.h>

#include "support/check_fixture.h"

namespace utan {
namespace {

using checking::Image;
using format::ContainerType;
using format::Kind;
using format::ObjectEntry;
using format::ObjectId;
using format::OrderedAux;

class Check : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const test::TemporaryFolder folder;
    auto store = test::open_store(folder.path("s"));
    made_.fill(*store);
    ASSERT_TRUE(object::Store::close(std::move(store)).ok());
    content_ = new std::vector<std::byte>(Image::read(folder.path("s")));
  }
  static void TearDownTestSuite() { delete content_; }

  // What `plant` changes is found, and the first or any other problem has `text` and, if it is told, the place.
  void expect(const std::string& text, const std::function<void(Image&)>& plant, std::uint64_t offset = 0) {
    SCOPED_TRACE("to be found: " + text);
    Image image(*content_);
    plant(image);
    expect_in(image.walk(), text, offset);
  }
  static void expect_in(const check::Report& report, const std::string& text, std::uint64_t offset = 0) {
    bool found = false;
    std::string all;
    for (const std::string& problem : report.problems) {
      all += "\n  " + problem;
      found |= problem.find(text) != std::string::npos &&
               (offset == 0 || problem.find("block " + std::to_string(offset) + ":") == 0);
    }
    EXPECT_TRUE(found) << "problems:" << all;
    EXPECT_EQ(report.problems.size(), std::min<std::uint64_t>(report.problem_count, check::problem_count_max));
  }
  Image& sound() {
    if (sound_ == nullptr) sound_ = std::make_unique<Image>(*content_);
    return *sound_;
  }

  static inline checking::Everything made_;
  static inline std::vector<std::byte>* content_ = nullptr;
  std::unique_ptr<Image> sound_;
};

TEST_F(Check, ASoundStoreHasNoProblems) {
  const check::Report report = sound().walk();
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  EXPECT_TRUE(report.whole);
  EXPECT_EQ(report.leaked_count, 0U);
  EXPECT_EQ(report.container_count, 8U);
  EXPECT_EQ(report.containers_by_type, (std::array<std::uint64_t, 5>{0, 3, 2, 2, 1}));
  EXPECT_EQ(report.orphan_count, 0U);
  EXPECT_EQ(report.unreachable_count, 0U);
  EXPECT_EQ(report.record_count, 7U + 902 + 4500 + 600 + 400 + 5);
  EXPECT_EQ(report.element_count, 1003U);
  EXPECT_GT(report.record_size.value, 5000U * 32);
  EXPECT_GE(report.value_size.value, 500U);
  // The tests below need these.
  EXPECT_EQ(sound().shape(sound().root_of(made_.tree)).height, 2U);
  EXPECT_NE(sound().shape(sound().root_of(made_.texts)).text_size, 0U);
  EXPECT_NE(sound().shape(sound().root_of(made_.cuts)).text_size, 0U);
}

// --- Blocks ------------------------------------------------------------------------------------------------------------

TEST_F(Check, ChecksumsOfAllKinds) {
  const std::uint64_t bucket = sound().bucket(sound().root_of(made_.table));
  const std::uint64_t tree = sound().root_of(made_.tree);
  const std::uint64_t deep = sound().root_of(made_.deep);
  const std::uint64_t list_leaf = sound().list_leaf(sound().root_of(made_.list));
  const std::uint64_t value = sound().at<format::ListLeaf>(list_leaf)->words()[0].payload() * 8;
  ASSERT_EQ(sound().block(value)->kind, Kind::value);
  for (const std::uint64_t offset :
       {sound().leaf_offset(), sound().root_of(made_.table), bucket, sound().record_in(bucket, 0), tree,
        sound().ordered_leaf(tree), deep, list_leaf, value, sound().root_of(made_.small)}) {
    expect(
        "checksum does not match", [&](Image& image) { image.block(offset)->checksum ^= 1; }, offset);
  }
  const std::uint64_t commit = sound().commit_offset();
  expect(
      "commit block is damaged", [&](Image& image) { image.block(commit)->checksum ^= 1; }, commit);
}

TEST_F(Check, ABytesOfAValue) {
  const std::uint64_t record = sound().record_in(sound().bucket(sound().root_of(made_.table)), 0);
  const auto change = [&](Image& image) {
    *const_cast<std::byte*>(image.at<format::Record>(record)->value()) ^= std::byte{1};
  };
  expect("in table " + std::to_string(made_.table.index()) + ": checksum does not match", change, record);
}

TEST_F(Check, HeadersOfBlocks) {
  const std::uint64_t record = sound().record_in(sound().bucket(sound().root_of(made_.table)), 1);
  expect(
      "was born in commit",
      [&](Image& image) {
        image.block(record)->birth = image.commit()->header.birth + 1;
        image.seal(record);
      },
      record);
  expect(
      "was born in commit 0",
      [&](Image& image) {
        image.block(record)->birth = 0;
        image.seal(record);
      },
      record);
  expect(
      "is of kind 3, not 2", [&](Image& image) { image.block(record)->kind = Kind::bucket; }, record);
  expect(
      "size class", [&](Image& image) { ++image.block(record)->size_class; }, record);
}

TEST_F(Check, BitsAndWays) {
  const std::uint64_t bucket = sound().bucket(sound().root_of(made_.table));
  const std::uint64_t record = sound().record_in(bucket, 0);
  expect(
      "its bit says that it is free",
      [&](Image& image) {
        const SegmentIndex segment = format::segment_of(Offset{record});
        for (auto& word : image.at<format::Bitmap>(format::bitmap_offset(segment).value)->words) word.store(0);
      },
      record);
  expect(
      "two ways lead to it",
      [&](Image& image) {
        auto* slots = image.at<format::Bucket>(bucket);
        slots->entries()[1] = slots->entries()[0];
        image.seal(bucket);
      },
      record);
  expect(
      "no block begins there",
      [&](Image& image) {
        image.at<format::Bucket>(bucket)->entries()[0] += 1;
        image.seal(bucket);
      },
      record + 8);
  expect("no block begins there", [&](Image& image) {
    image.at<format::Bucket>(bucket)->entries()[0] |= (std::uint64_t{1} << 44);
    image.seal(bucket);
  });
  expect(
      "there is no size class",
      [&](Image& image) {
        auto& word =
            image.at<format::SegmentDescriptor>(format::descriptor_offset(format::segment_of(Offset{bucket})).value)
                ->class_word;
        word.store(word.load() ^ 255);
      },
      0);
}

// --- Object table and links --------------------------------------------------------------------------------------------

TEST_F(Check, Containers) {
  const std::uint64_t leaf = sound().leaf_offset();
  const auto change = [&](const std::string& text, ObjectId id, const std::function<void(ObjectEntry&)>& how) {
    expect(text, [&](Image& image) {
      how(*image.entry(id));
      image.seal(leaf);
    });
  };
  const std::string table = std::to_string(made_.table.index());
  change("table " + table + ": says that it is named 3 times, and is named 2 times", made_.table,
         [](ObjectEntry& entry) { ++entry.links; });
  change("list " + std::to_string(made_.list.index()) + ": says that it is named once, and is named 2 times",
         made_.list, [](ObjectEntry& entry) { --entry.links; });
  change("collection 0: says that it is named 0 times", format::root_object,
         [](ObjectEntry& entry) { entry.links = ObjectEntry::orphan_since(0); });
  change("its place has generation 2", made_.table,
         [](ObjectEntry& entry) { entry.what = ObjectEntry::make_what(2, ContainerType::table); });
  change("has no generation", made_.table,
         [](ObjectEntry& entry) { entry.what = ObjectEntry::make_what(0, ContainerType::table); });
  change("has the type 9", made_.table,
         [](ObjectEntry& entry) { entry.what = ObjectEntry::make_what(1, static_cast<ContainerType>(9)); });
  change("is being emptied, and others name it", made_.table,
         [](ObjectEntry& entry) { entry.what |= ObjectEntry::emptied_flag; });
  change("is not there, and has contents", made_.table,
         [](ObjectEntry& entry) { entry.what = ObjectEntry::make_what(1, ContainerType::none); });
  change("is the root", format::root_object,
         [](ObjectEntry& entry) { entry.what = ObjectEntry::make_what(1, ContainerType::dict); });
  change("names container " + table + " of generation 1, which is not there", made_.table,
         [](ObjectEntry& entry) { entry = ObjectEntry{}; });
  change("is of kind", made_.list, [](ObjectEntry& entry) {
    entry.what = ObjectEntry::make_what(1, ContainerType::table);  // of a list's root
  });
}

TEST_F(Check, TheCommit) {
  const auto change = [&](const std::string& text, const std::function<void(format::CommitBlock&)>& how) {
    expect(text, [&](Image& image) {
      how(*image.commit());
      image.seal(image.commit_offset());
    });
  };
  change("the commit says that there are 9 containers, and there are 8",
         [](format::CommitBlock& commit) { ++commit.container_count; });
  change("beyond the highest index", [](format::CommitBlock& commit) { commit.object_index_high = 2; });
  change("cannot have 7 levels", [](format::CommitBlock& commit) { commit.object_table_depth = 7; });
  change("branch of the object table: is of kind", [](format::CommitBlock& commit) { commit.object_table_depth = 1; });
  const std::uint64_t leaf = sound().leaf_offset();
  expect(
      "a branch of the object table cannot have 63 entries",
      [&](Image& image) {
        image.block(leaf)->kind = Kind::object_branch;
        image.block(leaf)->aux = format::object_branch_fanout + 1;
        image.commit()->object_table_depth = 1;
        image.seal(image.commit_offset());
      },
      leaf);
}

// --- Tables ------------------------------------------------------------------------------------------------------------

TEST_F(Check, Tables) {
  const std::uint64_t root = sound().root_of(made_.table);
  const std::uint64_t bucket = sound().bucket(root);
  expect(
      "says that it has 903 records, and has 902",
      [&](Image& image) {
        ++image.at<format::TableRoot>(root)->record_count;
        image.seal(root);
      },
      root);
  expect(
      "cannot have 0 buckets", [&](Image& image) { image.at<format::TableRoot>(root)->bucket_count = 0; }, root);
  expect(
      "cannot have", [&](Image& image) { image.at<format::TableRoot>(root)->bucket_count = ~0ULL; }, root);
  expect(
      "below 7 levels", [&](Image& image) { image.block(root)->aux = 7; }, root);
  expect(
      "has another hash",
      [&](Image& image) {
        image.at<format::Bucket>(bucket)->entries()[0] ^= std::uint64_t{1} << 50;
        image.seal(bucket);
      },
      bucket);
  expect("and its key belongs in", [&](Image& image) {
    const std::uint64_t other = image.bucket(root, 1);
    std::swap(image.at<format::Bucket>(bucket)->entries()[0], image.at<format::Bucket>(other)->entries()[0]);
    image.seal(bucket);
    image.seal(other);
  });
  expect(
      "a bucket has no entries",
      [&](Image& image) {
        image.block(bucket)->aux = format::Bucket::make_aux(0, 0);
        image.seal(bucket);
      },
      bucket);
  expect("directory has", [&](Image& image) {
    const std::uint64_t directory = image.at<format::TableRoot>(root)->entries()[0];
    ASSERT_EQ(image.block(directory)->kind, Kind::directory);
    --image.block(directory)->aux;
    image.seal(directory);
  });
}

TEST_F(Check, AKeyThatIsInATableTwice) {
  const std::uint64_t bucket = sound().bucket(sound().root_of(made_.table));
  expect(
      "a key is in a bucket twice",
      [&](Image& image) {
        auto* slots = image.at<format::Bucket>(bucket);
        const std::uint64_t from = image.record_in(bucket, 0);
        const std::uint64_t to = image.record_in(bucket, 1);
        auto* record = image.at<format::Record>(to);
        ASSERT_EQ(record->key_size(), image.at<format::Record>(from)->key_size()) << "the test needs two of one size";
        std::memcpy(const_cast<std::byte*>(record->key()), image.at<format::Record>(from)->key(), record->key_size());
        image.seal(to);
        slots->entries()[1] =
            format::BucketEntry::make(format::BucketEntry{slots->entries()[0]}.tag(), Offset{to}).word;
        image.seal(bucket);
      },
      bucket);
}

TEST_F(Check, KeysAndValuesOfRecords) {
  const std::uint64_t record = sound().record_in(sound().bucket(sound().root_of(made_.table)), 0);
  const auto change_tags = [&](const std::string& text, format::Tag key, format::Tag value) {
    expect(
        text,
        [&](Image& image) {
          image.block(record)->aux =
              static_cast<std::uint16_t>(static_cast<unsigned>(key) | static_cast<unsigned>(value) << 8);
          image.seal(record);
        },
        record);
  };
  using format::Tag;
  change_tags("a key is none", Tag::integer, Tag::integer);
  change_tags("a key is none", Tag::spelled_tuple, Tag::integer);
  change_tags("a key is none", Tag::container, Tag::integer);
  change_tags("a UUID has 16 bytes", Tag::string, Tag::uuid);
  change_tags("a boolean is 0 or 1", Tag::string, Tag::boolean);
  change_tags("null has no bytes", Tag::string, Tag::null);
  change_tags("no value has its tag", Tag::string, Tag::tuple);
  change_tags("a big integer is none", Tag::string, Tag::big_integer);
  change_tags("names container 0 of generation", Tag::string, Tag::container);
  expect(
      "a key cannot have", [&](Image& image) { image.at<format::Record>(record)->set_sizes(65537, 1); }, record);
  expect(
      "is longer than its block", [&](Image& image) { image.at<format::Record>(record)->set_sizes(3, 65537); }, record);
  expect(
      "a value cannot have " + std::to_string(format::value_size_max + 1) + " bytes",
      [&](Image& image) {
        image.block(record)->aux = static_cast<std::uint16_t>(static_cast<unsigned>(Tag::string) |
                                                              static_cast<unsigned>(Tag::string | Tag::large) << 8);
        image.at<format::Record>(record)->set_sizes(3, format::value_size_max + 1);
      },
      record);
}

// --- Ordered trees -----------------------------------------------------------------------------------------------------

TEST_F(Check, LeavesOfOrderedTrees) {
  const std::uint64_t leaf = sound().ordered_leaf(sound().root_of(made_.tree));
  expect("a key is not above the one before it", [&](Image& image) {
    std::swap(*image.ordered_entry(leaf, 3), *image.ordered_entry(leaf, 4));
    image.seal(leaf);
  });
  expect(
      "its head is not that of its record's key",
      [&](Image& image) {
        ++image.ordered_entry(leaf, 3)->head;
        image.seal(leaf);
      },
      leaf);
  expect("does not begin with the leaf's prefix", [&](Image& image) {
    const std::uint64_t text_leaf = image.ordered_leaf(image.root_of(made_.cuts));
    *image.at<std::byte>(text_leaf + image.shape(text_leaf).prefix_at()) ^= std::byte{1};
    image.seal(text_leaf);
  });
  expect(
      "cannot have 0 entries",
      [&](Image& image) {
        image.block(leaf)->aux = OrderedAux::make(0, 0).word;
        image.seal(leaf);
      },
      leaf);
  expect(
      "bytes of prefix", [&](Image& image) { image.block(leaf)->aux = OrderedAux::make(5, 241).word; }, leaf);
}

TEST_F(Check, BranchesOfOrderedTrees) {
  const std::uint64_t root = sound().root_of(made_.tree);
  const std::uint64_t branch = sound().ordered_child(root, 0);
  ASSERT_EQ(sound().shape(branch).height, 1U);
  const auto change = [&](const std::string& text, std::uint64_t node, const std::function<void(Image&)>& how,
                          std::uint64_t offset) {
    expect(
        text,
        [&](Image& image) {
          how(image);
          image.seal(node);
        },
        offset);
  };
  change(
      "a branch says that child 1 has", branch,
      [&](Image& image) { image.ordered_entry(branch, 1)->word += std::uint64_t{1} << 45; }, branch);
  change(
      "the first child of a branch has a separator", branch,
      [&](Image& image) { image.ordered_entry(branch, 0)->head = 1; }, branch);
  change(
      "a key is below the separator before it", branch,
      [&](Image& image) { image.ordered_entry(branch, 2)->head += std::uint64_t{1} << 40; }, 0);
  change(
      "a key is not below the separator behind it", branch,
      [&](Image& image) { image.ordered_entry(branch, 2)->head = image.ordered_entry(branch, 1)->head + 1; }, 0);
  change(
      "is not above the one before it", branch,
      [&](Image& image) { std::swap(image.ordered_entry(branch, 1)->head, image.ordered_entry(branch, 2)->head); },
      branch);
  change(
      "a key is not above the one before it", branch,
      [&](Image& image) { std::swap(image.ordered_entry(branch, 1)->word, image.ordered_entry(branch, 2)->word); }, 0);
  change(
      "has height 2, and must have 1", branch,
      [&](Image& image) { image.at<format::OrderedBranch>(branch)->height = 2; }, branch);
  change(
      "cannot have 13 levels", root, [&](Image& image) { image.at<format::OrderedBranch>(root)->height = 13; }, root);
  change(
      "has another beside the offset of child 0", root,
      [&](Image& image) {
        image.at<format::OrderedBranch>(root)->height = format::ordered_wide_height;
        // One child alone, so that there is room for its count.
        image.block(root)->aux = OrderedAux::make(1, image.shape(root).prefix_size).word;
      },
      root);
  change(
      "what is reserved in a branch", branch,
      [&](Image& image) { image.at<format::OrderedBranch>(branch)->reserved = 1; }, branch);
  change(
      "has a single child", root, [&](Image& image) { image.block(root)->aux = OrderedAux::make(1, 0).word; }, root);
}

TEST_F(Check, SeparatorsThatAreNotPlain) {
  const std::uint64_t root = sound().root_of(made_.texts);
  const auto change_end = [&](const std::string& text, format::OrderedEnd end) {
    expect(
        text,
        [&](Image& image) {
          image.at<format::OrderedEnd>(root + image.shape(root).text_at())[1] = end;
          image.seal(root);
        },
        root);
  };
  change_end("has a tail that is not inside the text", format::OrderedEnd::make(8, 4000));
  change_end("has another head than it says", format::OrderedEnd::make(9, 1));
  change_end("has another head than it says", format::OrderedEnd::make(0, 0));
  expect("the separator", [&](Image& image) {
    // The first byte of the first tail.
    const format::OrderedShape shape = image.shape(root);
    *image.at<std::byte>(root + shape.text_at() + shape.count * sizeof(format::OrderedEnd)) = std::byte{0xff};
    image.seal(root);
  });
}

// --- Blocks of small containers, lists ---------------------------------------------------------------------------------

TEST_F(Check, SortedBlocks) {
  const std::uint64_t root = sound().root_of(made_.small);
  const auto change = [&](const std::string& text, const std::function<void(Image&, format::Sorted*)>& how,
                          bool sealed = true) {
    expect(
        text,
        [&](Image& image) {
          how(image, image.at<format::Sorted>(root));
          if (sealed) image.seal(root);
        },
        sealed ? 0 : root);
  };
  // Items: 2.5, "a", "b", "c", "d". Behind an item's tag comes its key.
  const auto key = [&](Image& image, std::uint64_t index) {
    return image.at<std::byte>(root + image.at<format::Sorted>(root)->slots()[index - 1].end() + 1);
  };
  const auto rehash = [&](Image& image, std::uint64_t index) {
    auto& slot = image.at<format::Sorted>(root)->slots()[index];
    const std::uint64_t hash = format::sorted_hash({key(image, index), slot.key_size()});
    slot = format::SortedSlot::make(slot.end(), slot.key_tag(), slot.key_size(), hash);
  };
  change("another hash", [&](Image& image, format::Sorted*) { *key(image, 1) = std::byte{'c'}; });
  change("not in order", [&](Image& image, format::Sorted*) {
    *key(image, 1) = std::byte{'c'};
    rehash(image, 1);
  });
  change("not in order", [&](Image& image, format::Sorted*) {
    *key(image, 1) = *key(image, 2);
    rehash(image, 1);
  });
  change(
      "not inside it", [&](Image&, format::Sorted* sorted) { sorted->slots()[4] = sorted->slots()[4].with_end(1020); },
      false);
  change(
      "a count that it cannot have", [&](Image&, format::Sorted* sorted) { sorted->header.aux = 0; }, false);
  change(
      "a count that it cannot have", [&](Image&, format::Sorted* sorted) { sorted->header.aux = 202; }, false);
  change("a UUID has 16 bytes", [&](Image&, format::Sorted* sorted) {
    const format::SortedSlot slot = sorted->slots()[1];
    sorted->slots()[1] = format::SortedSlot::make(slot.end(), format::Tag::uuid, slot.key_size(), slot.hash());
  });
  change("a value is damaged", [&](Image& image, format::Sorted*) { *(key(image, 1) - 1) = std::byte{100}; });
  change("and where it belongs 8", [&](Image& image, format::Sorted*) { *(key(image, 3) - 1) = std::byte{8 | 128}; });
  change("value: no block begins there", [&](Image& image, format::Sorted*) { *(key(image, 3) + 1) ^= std::byte{1}; });
  change("names a container by", [&](Image& image, format::Sorted*) { *(key(image, 4) + 8) = std::byte{255}; });
  change("the offset of a value has", [&](Image& image, format::Sorted*) {
    *(key(image, 1) - 1) = std::byte{9 | 128};
    auto& slot = image.at<format::Sorted>(root)->slots()[1];
    slot = slot.with_end(slot.end() - 1);
  });
}

TEST_F(Check, Lists) {
  const std::uint64_t leaf = sound().list_leaf(sound().root_of(made_.list));
  const std::uint64_t deep = sound().root_of(made_.deep);
  const auto set_word = [&](const std::string& text, std::uint64_t index, format::Word word) {
    expect(text, [&](Image& image) {
      image.at<format::ListLeaf>(leaf)->words()[index] = word;
      image.seal(leaf);
    });
  };
  set_word("a word of no known kind", 1, format::Word{15});
  set_word("a word of no known kind", 1, format::Word::make(format::WordKind::constant, 3));
  set_word("a word of no known kind", 1, format::Word::make(format::WordKind::string, 9));
  set_word("value: no block begins there", 0, format::Word::make(format::WordKind::block, 77));
  set_word("value: is of kind", 0, format::Word::make(format::WordKind::block, leaf / 8));
  set_word("names container 0 of generation 0", 2, format::Word::make(format::WordKind::container, 0));
  const auto change = [&](const std::string& text, std::uint64_t node, const std::function<void(Image&)>& how) {
    expect(
        text,
        [&](Image& image) {
          how(image);
          image.seal(node);
        },
        node);
  };
  ASSERT_EQ(sound().block(deep)->kind, Kind::list_branch);
  change("says that child 0 has", deep,
         [&](Image& image) { ++image.at<format::ListBranch>(deep)->children()[0].count; });
  const std::uint64_t second = sound().at<format::ListBranch>(deep)->children()[1].offset;
  change("not of the height", second,
         [&](Image& image) { image.block(second)->aux = format::ListAux::make(40, 1).aux; });
  change("a count that it cannot have", second,
         [&](Image& image) { image.block(second)->aux = format::ListAux::make(0, 0).aux; });
  change("a count that it cannot have", second,
         [&](Image& image) { image.block(second)->aux = format::ListAux::make(127, 0).aux; });
  change("fewer than 32", second, [&](Image& image) { image.block(second)->aux = format::ListAux::make(5, 0).aux; });
  expect(
      "cannot have 13 levels", [&](Image& image) { image.block(deep)->aux = format::ListAux::make(8, 13).aux; }, deep);
}

// --- Checkpoints -------------------------------------------------------------------------------------------------------

TEST_F(Check, CheckpointsAndHeaders) {
  expect("no checkpoint slot is whole", [](Image& image) {
    for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) *image.block(format::slot_offset(i).value) = {};
  });
  expect("the file is truncated", [](Image& image) {
    for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
      auto* slot = image.at<format::CheckpointSlot>(format::slot_offset(i).value);
      if (slot->number == 0) continue;
      slot->file_size += 1;
      image.seal_slot(i);
    }
  });
  const std::uint64_t size = format::regions_offset - 1;
  expect_in(check::Walk(sound().data(), ByteCount{size}, format::Coordination{}, 0).run(),
            "the file ends at " + std::to_string(size) + " bytes, inside its description");
}

}  // namespace
}  // namespace utan
