// What a crash run knows of its store: what the processes see, and what the disk may hold.
//
// `Content` is what the test keeps in the store: a value that is compared with ==, whose default is what a new store
// holds, and whose summary() is for messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace utan::test {

// The content after some operation. Never changed once it is shared.
template <class Content>
struct CrashState {
  std::uint64_t version = 0;  // grows from operation to operation
  bool store = false;         // there is a file
  Content content;

  bool same_content(const CrashState& other) const { return store == other.store && content == other.content; }
};

// Some of which one is the true one; each is there once.
template <class Content>
class CrashStates {
 public:
  using State = CrashState<Content>;
  using Pointer = std::shared_ptr<const State>;

  CrashStates() = default;
  CrashStates(Pointer only) : states_{std::move(only)} {}

  auto begin() const { return states_.begin(); }
  auto end() const { return states_.end(); }
  bool empty() const { return states_.empty(); }
  std::size_t size() const { return states_.size(); }
  const Pointer& back() const { return states_.back(); }

  void add(const Pointer& state) {
    if (std::find(begin(), end(), state) == end()) states_.push_back(state);
  }
  void add(const CrashStates& others) {
    for (const Pointer& state : others) add(state);
  }
  void drop_older_than(std::uint64_t version) {
    std::erase_if(states_, [version](const Pointer& state) { return state->version < version; });
  }
  void drop_newer_than(std::uint64_t version) {
    std::erase_if(states_, [version](const Pointer& state) { return state->version > version; });
  }

  std::uint64_t newest_version() const {
    std::uint64_t version = 0;
    for (const Pointer& state : states_) version = std::max(version, state->version);
    return version;
  }
  // One without a store; null: in each there is one.
  Pointer without_store() const {
    const auto at = std::find_if(begin(), end(), [](const Pointer& state) { return !state->store; });
    return at == end() ? nullptr : *at;
  }
  // The newest that holds the same as `found`; if none does, the newest of all.
  Pointer nearest(const State& found) const {
    return *std::max_element(begin(), end(), [&](const Pointer& a, const Pointer& b) {
      return std::pair(a->same_content(found), a->version) < std::pair(b->same_content(found), b->version);
    });
  }

  std::string text() const {
    std::string out;
    for (const Pointer& state : states_) {
      out += (out.empty() ? "" : ", ") + std::to_string(state->version) + " (" +
             (state->store ? state->content.summary() : "no store") + ")";
    }
    return "{" + out + "}";
  }

 private:
  std::vector<Pointer> states_;
};

// An operation adds what it leads to; a flush that is over makes it durable; a crash leaves one of what is possible.
template <class Content>
struct CrashKnowledge {
  using States = CrashStates<Content>;

  States heads;             // what readers see; several only before it is known which
  States possible;          // what the disk may hold
  std::uint64_t floor = 0;  // nothing older is on the disk

  void add_possible(const typename States::Pointer& state) {
    // A newer one may have become durable meanwhile: the newest counts.
    if (state->version >= floor) possible.add(state);
  }
  // From here on a power cut leaves nothing older than `version`.
  void made_durable(std::uint64_t version) {
    floor = std::max(floor, version);
    possible.drop_older_than(floor);
  }
};

}  // namespace utan::test
