// Blocks, the object table, and links between containers.
#include "check/commit.h"

#include <algorithm>
#include <array>

namespace utan::check {

using format::BlockHeader;
using format::CommitBlock;
using format::ContainerType;
using format::Kind;
using format::ObjectEntry;
using format::ObjectId;

namespace {

constexpr std::uint64_t blocks_per_progress = 1 << 16;
constexpr std::uint64_t blocks_per_question = 1 << 10;
// Indices below a node of the object table, by its height.
constexpr auto object_spans = [] {
  std::array<std::uint64_t, format::object_table_depth_max + 1> out{};
  out[0] = format::object_leaf_fanout;
  for (std::size_t i = 1; i < out.size(); ++i) out[i] = out[i - 1] * format::object_branch_fanout;
  return out;
}();

const char* type_name(ContainerType type) {
  static constexpr const char* names[] = {"no container", "dict", "list", "collection", "table"};
  const auto number = static_cast<std::size_t>(type);
  return number < std::size(names) ? names[number] : "container of no known type";
}

std::string count_of_times(std::uint64_t count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

}  // namespace

// --- Blocks ------------------------------------------------------------------------------------------------------------

std::string CommitWalk::name_of(const Container& container) const {
  return std::string(type_name(container.type())) + " " + std::to_string(container.index);
}

void CommitWalk::problem(Offset offset, const std::string& text) {
  findings_->add(offset, (present_ == nullptr ? std::string() : "in " + name_of(*present_) + ": ") + text);
}

ByteCount& CommitWalk::size_of(Kind kind) {
  switch (kind) {
    case Kind::record:
      return record_size_;
    case Kind::value:
    case Kind::list:
    case Kind::extent:
      return value_size_;
    case Kind::commit:
    case Kind::object_leaf:
    case Kind::object_branch:
      return commit_size_;
    default:
      return node_size_;
  }
}

CommitWalk::Found CommitWalk::follow(Offset offset, Kind kind, const char* what) {
  const auto wrong = [&](const std::string& text) {
    problem(offset, std::string(what) + ": " + text);
    lost_some_ = true;
    return Found{};
  };
  if (stopped_) return {};
  const Place place = blocks_->place_of(offset);
  if (!place) return wrong("no block begins there");
  const auto* header = blocks_->at<BlockHeader>(offset);
  if (header->kind != kind) {
    return wrong("is of kind " + std::to_string(static_cast<unsigned>(header->kind)) + ", not " +
                 std::to_string(static_cast<unsigned>(kind)));
  }
  if (header->size_class != place.size_class) return wrong("its size class is not its segment's");
  if (header->birth == 0 || header->birth > number_) {
    return wrong("was born in commit " + std::to_string(header->birth) + " and is read in commit " +
                 std::to_string(number_));
  }
  if (!seen_.insert(place.bit)) return wrong("two ways lead to it in one commit");
  if (!blocks_->handed_out(place)) problem(offset, std::string(what) + ": is in use, and its bit says that it is free");
  ByteCount& size = size_of(kind);
  size = size + ByteCount{place.room};
  if (progress_.say != nullptr && seen_.count() % blocks_per_progress == 0)
    progress_.say(progress_.context, seen_.count());
  if (progress_.stop != nullptr && seen_.count() % blocks_per_question == 0) {
    stopped_ = progress_.stop(progress_.context);
    lost_some_ = lost_some_ || stopped_;
  }
  return {header, offset, place.room};
}

bool CommitWalk::check_node_sum(const Found& block, std::uint64_t words) {
  if (words * 8 > block.room) {
    problem(block.offset, "is longer than its block");
    lost_some_ = true;
    return false;
  }
  if (format::checksum_header(*block.header) + format::checksum_words(block.header, 2, words - 2) !=
      block.header->checksum)
    problem(block.offset, "checksum does not match");
  return true;
}

bool CommitWalk::check_payload_sum(const Found& block, std::uint64_t bytes) {
  if (bytes > block.room) {
    problem(block.offset, "is longer than its block");
    lost_some_ = true;
    return false;
  }
  if (format::checksum_header(*block.header) +
          format::checksum_payload(block.header + 1, bytes - sizeof(BlockHeader)) !=
      block.header->checksum)
    problem(block.offset, "checksum does not match");
  return true;
}

// --- The commit and its object table -----------------------------------------------------------------------------------

void CommitWalk::run(Offset offset, CommitNumber number, Report* newest) {
  seen_.clear();
  containers_.clear();
  links_.clear();
  present_ = nullptr;
  lost_some_ = false;
  entry_count_ = element_count_ = 0;
  record_size_ = value_size_ = node_size_ = commit_size_ = ByteCount{};
  number_ = number.value;
  const Found block = follow(offset, Kind::commit, "commit block");
  if (!block) return;
  if (block.room < sizeof(CommitBlock)) {
    problem(offset, "a commit block is shorter than it can be");
    return;
  }
  const auto* commit = block.as<CommitBlock>();
  if (newest != nullptr) newest->number = number;
  if (commit->header.birth != number.value) {
    problem(offset, "is the block of commit " + std::to_string(commit->header.birth) + ", not of " +
                        std::to_string(number.value));
  }
  if (format::checksum_header(commit->header) +
          format::checksum_words(commit, format::commit_checksum_first_word, format::commit_checksum_words) !=
      commit->header.checksum)
    problem(offset, "checksum does not match");
  object_index_high_ = commit->object_index_high;
  if (commit->object_table_depth > format::object_table_depth_max) {
    problem(offset, "the object table cannot have " + std::to_string(commit->object_table_depth) + " levels");
    lost_some_ = true;
  } else if (commit->object_table_root != 0) {
    walk_objects(Offset{commit->object_table_root}, commit->object_table_depth, 0);
  }
  if (commit->container_count != containers_.size() && !lost_some_) {
    problem(offset, "the commit says that there are " + std::to_string(commit->container_count) +
                        " containers, and there are " + std::to_string(containers_.size()));
  }
  for (Container& container : containers_) walk_container(container);
  present_ = nullptr;
  compare_links();
  if (newest != nullptr) count_containers(*newest);
}

void CommitWalk::walk_objects(Offset offset, std::uint64_t depth, std::uint64_t first_index) {
  if (depth == 0) {
    const Found block = follow(offset, Kind::object_leaf, "leaf of the object table");
    if (!block) return;
    const auto* leaf = block.as<format::ObjectLeaf>();
    const std::uint64_t count = leaf->count();
    if (count > format::object_leaf_fanout) {
      problem(offset, "a leaf of the object table cannot have " + std::to_string(count) + " entries");
      lost_some_ = true;
      return;
    }
    if (!check_node_sum(block, 2 + count * 2)) return;
    for (std::uint64_t i = 0; i < count; ++i) note_container(offset, first_index + i, leaf->entries()[i]);
    return;
  }
  const Found block = follow(offset, Kind::object_branch, "branch of the object table");
  if (!block) return;
  const auto* branch = block.as<format::ObjectBranch>();
  const std::uint64_t count = branch->count();
  if (count > format::object_branch_fanout) {
    problem(offset, "a branch of the object table cannot have " + std::to_string(count) + " entries");
    lost_some_ = true;
    return;
  }
  if (!check_node_sum(block, 2 + count)) return;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Offset child{branch->entries()[i]};
    if (child) walk_objects(child, depth - 1, first_index + i * object_spans[depth - 1]);
  }
}

void CommitWalk::note_container(Offset leaf, std::uint64_t index, ObjectEntry entry) {
  const std::string place = "object table: container " + std::to_string(index);
  if (entry.type() == ContainerType::none) {
    if (entry.root != 0) problem(leaf, place + " is not there, and has contents");
    return;
  }
  if (entry.type() > ContainerType::table) {
    problem(leaf,
            place + " has the type " + std::to_string(static_cast<unsigned>(entry.type())) + ", which there is not");
    lost_some_ = true;
    return;
  }
  if (entry.generation() == 0) problem(leaf, place + " has no generation");
  if (entry.is_emptied() && !entry.is_orphan()) problem(leaf, place + " is being emptied, and others name it");
  if (index >= object_index_high_ || index > format::object_index_max) {
    problem(leaf, place + " is beyond the highest index that the commit knows, " + std::to_string(object_index_high_));
  }
  if (index == 0 && (entry.type() != ContainerType::collection || entry.generation() != 1))
    problem(leaf, place + " is the root, and not a collection of generation 1");
  Container container;
  container.index = index;
  container.root = entry.root;
  container.what = entry.what;
  container.link_count = entry.link_count();
  containers_.push_back(container);
}

void CommitWalk::walk_container(Container& container) {
  present_ = &container;
  container.links_begin = links_.size();
  const Offset root{container.root};
  if (root) {
    switch (container.type()) {
      case ContainerType::list:
        element_count_ += walk_list(root);
        break;
      case ContainerType::table:
        walk_table(root);
        break;
      default: {
        // A small one is one block. What kind of block it is, is read before it is known to be one.
        const Place place = blocks_->place_of(root);
        if (place && blocks_->at<BlockHeader>(root)->kind == Kind::sorted) {
          walk_sorted(root);
        } else {
          walk_ordered(root);
        }
      }
    }
  }
  container.links_end = links_.size();
}

// --- Links -------------------------------------------------------------------------------------------------------------

void CommitWalk::note_link(Offset from, ObjectId to) {
  const auto name = [to] {
    return "container " + std::to_string(to.index()) + " of generation " + std::to_string(to.generation());
  };
  const auto found = std::lower_bound(containers_.begin(), containers_.end(), to.index(),
                                      [](const Container& one, std::uint64_t index) { return one.index < index; });
  if (to.value >> (format::object_index_bits + format::object_generation_bits) != 0) {
    problem(from, "names a container by " + std::to_string(to.value) + ", which is no id");
  } else if (found == containers_.end() || found->index != to.index()) {
    problem(from, "names " + name() + ", which is not there");
  } else if (found->generation() != to.generation()) {
    problem(from, "names " + name() + ", and its place has generation " + std::to_string(found->generation()));
  } else {
    ++found->found_count;
    links_.push_back(static_cast<std::uint64_t>(found - containers_.begin()));
  }
}

void CommitWalk::compare_links() {
  for (const Container& container : containers_) {
    // The root is named by the store itself, too.
    const std::uint64_t found = container.found_count + (container.index == 0 ? 1 : 0);
    if (found == container.link_count) continue;
    // What could not be entered may have named it.
    if (lost_some_ && found < container.link_count) continue;
    findings_->add(name_of(container) + ": says that it is named " + count_of_times(container.link_count) +
                   ", and is named " + count_of_times(found));
  }
}

void CommitWalk::reach_from(std::uint64_t container) {
  std::vector<std::uint64_t> waiting{container};
  containers_[container].reached = true;
  while (!waiting.empty()) {
    const Container& from = containers_[waiting.back()];
    waiting.pop_back();
    for (std::uint64_t i = from.links_begin; i < from.links_end; ++i) {
      if (containers_[links_[i]].reached) continue;
      containers_[links_[i]].reached = true;
      waiting.push_back(links_[i]);
    }
  }
}

void CommitWalk::count_containers(Report& report) {
  report.container_count = containers_.size();
  for (std::uint64_t i = 0; i < containers_.size(); ++i) {
    const Container& container = containers_[i];
    ++report.containers_by_type[static_cast<std::size_t>(container.type())];
    if (container.link_count == 0) ++report.orphan_count;
    if ((container.link_count == 0 || container.index == 0) && !container.reached) reach_from(i);
  }
  for (const Container& container : containers_) {
    if (!container.reached) ++report.unreachable_count;
  }
  report.record_count = entry_count_;
  report.element_count = element_count_;
  report.record_size = record_size_;
  report.value_size = value_size_;
  report.node_size = node_size_;
  report.commit_size = commit_size_;
}

}  // namespace utan::check
