// The part of crash_run.h that opens and closes the store: what is expected of each, and how it is found out what a crash
// left.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "commit/session.h"
#include "object/store.h"
#include "support/crash_run.h"

namespace utan::test {

template <class Subject>
void CrashRun<Subject>::drop(Actor& actor) {
  actor.handles = {};
  actor.held.clear();
  actor.store.reset();
}

template <class Subject>
void CrashRun<Subject>::close(std::size_t index) {
  Actor& actor = actors_[index];
  const std::uint64_t wanted = now()->version;
  const bool last = !others_have_it(index);
  const Result<void> closed = act(index, [&] {
    actor.handles = {};
    actor.held.clear();
    return object::Store::close(std::move(actor.store));
  });
  actor.attempted = nullptr;
  if (!closed.ok()) {
    EXPECT_TRUE(expected_error(closed.code())) << where_ << ": " << closed.error().message();
  } else if (last && !flush_failed_ && written_) {
    made_durable(wanted);
  }
}

template <class Subject>
bool CrashRun<Subject>::open(std::size_t index, commit::OpenMode mode) {
  Actor& actor = actors_[index];
  const bool creates = mode == commit::OpenMode::fresh || (mode == commit::OpenMode::create && !now()->store);
  StatePointer created;
  if (creates) {
    actor.coming = States(std::make_shared<State>(State{++version_, false, {}}));
    created = std::make_shared<State>(State{++version_, true, {}});
    actor.coming.add(created);
    prefix_.forget();
  }
  commit::OpenOptions options;
  options.mode = mode;
  if (creates || random_.one_in(16)) options.chunk_size = plan_.chunk_size;
  Result<std::unique_ptr<object::Store>> opened =
      act(index, [&] { return object::Store::open(*actor.process, store_path, options); });
  const States coming = std::exchange(actor.coming, {});
  if (!opened.ok()) {
    EXPECT_TRUE(expected_error(opened.code())) << where_ << ": " << opened.error().message();
    known_.heads.add(coming);
    known_.possible.add(coming);
    return false;
  }
  actor.store = std::move(opened).value();
  if (creates) {
    known_.heads = created;
    known_.possible.add(created);
    made_durable(created->version);
    prefix_.set_flushed(prefix());
  }
  return true;
}

template <class Subject>
bool CrashRun<Subject>::reopen(std::size_t index, commit::OpenMode mode) {
  if (actors_[index].store != nullptr) close(index);
  if (flush_failed_ && !others_have_it(index)) {
    recover_after_failure();
    return false;
  }
  for (int tries = 0; tries < 2 && !over(); ++tries) {
    if (!open(index, mode)) {
      if (flush_failed_) {
        if (!others_have_it(index)) recover_after_failure();
        return false;
      }
      // It may have been created or replaced all the same.
      if (known_.heads.size() > 1) return recover(Crash::kill);
      continue;
    }
    if (Subject::is_made(content()) && !Subject::open(*this, index)) continue;
    if (!flush_failed_) expect_content(index, *now());
    return !over();
  }
  if (!over() && full_until_ == 0) ADD_FAILURE() << where_ << ": it cannot be opened";
  return false;
}

template <class Subject>
bool CrashRun<Subject>::recover(Crash crash) {
  full_until_ = 0;
  const bool killed = crash == Crash::kill || crash == Crash::kill_no_lock;
  if (!killed) known_.heads = known_.possible;
  const States candidates = known_.heads;
  if (!machine_.exists(store_path)) {
    const StatePointer nothing = candidates.without_store();
    EXPECT_NE(nothing, nullptr) << "the store is gone; expected " << candidates.text();
    if (nothing == nullptr) return false;
    known_.heads = nothing;
    if (!killed) known_.possible = nothing;
    return reopen(0, commit::OpenMode::create) && Subject::open(*this, 0);
  }
  commit::OpenOptions options;
  options.mode = commit::OpenMode::existing;
  Actor& actor = actors_[0];
  Result<std::unique_ptr<object::Store>> opened =
      act(0, [&] { return object::Store::open(*actor.process, store_path, options); });
  if (!opened.ok() && expected_error(opened.code())) {
    opened = act(0, [&] { return object::Store::open(*actor.process, store_path, options); });
  }
  if (!opened.ok()) {
    ADD_FAILURE() << opened.error().message() << "; expected one of " << candidates.text();
    return false;
  }
  actor.store = std::move(opened).value();
  if (!match(crash)) return false;
  expect_sound(0);
  return !over() && Subject::open(*this, 0);
}

template <class Subject>
bool CrashRun<Subject>::match(Crash crash) {
  State found;
  found.store = true;
  quiet_ = true;
  const bool whole = Subject::read(*actors_[0].store, found.content);
  quiet_ = false;
  if (!whole) return false;
  const StatePointer state = known_.heads.nearest(found);
  if (!state->same_content(found)) {
    ADD_FAILURE() << "it holds " << found.content.summary() << " and is none of " << known_.heads.text() << ";"
                  << Subject::difference(found.content, state->content);
    return false;
  }
  known_.heads = state;
  written_ = false;
  if (crash == Crash::kill || crash == Crash::kill_no_lock) {
    // Nothing newer than what it was opened at was ever written where a checkpoint is.
    known_.possible.drop_newer_than(state->version);
  } else {
    known_.possible = state;
    known_.floor = state->version;
  }
  return true;
}

template <class Subject>
void CrashRun<Subject>::finish() {
  const bool was_read_only = flush_failed_;
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    if (actors_[i].store != nullptr) close(i);
  }
  if (was_read_only || flush_failed_) {
    recover_after_failure();
    if (over()) return;
    for (int i = 0; i < 5; ++i) Subject::write(*this, 0);
    sync(0);
    close(0);
  }
  if (over() || !reopen(0, commit::OpenMode::existing)) return;
  if (actors_[0].store != nullptr) close(0);
  // The run may have ended with a call that failed: then there was one more chance.
  if (over()) return;
  take_last_images();
}

template <class Subject>
void CrashRun<Subject>::take_last_images() {
  if (plan_.images_max == 0) return;
  take_image("end");
  examine_images();
}

template <class Subject>
void CrashRun<Subject>::recover_after_failure() {
  flush_failed_ = false;
  known_.heads = known_.possible;
  if (!recover(Crash::kill_no_lock)) ADD_FAILURE() << "after a failed " << failed_call_;
}

template <class Subject>
void CrashRun<Subject>::expect_read_only() {
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    Actor& actor = actors_[i];
    if (actor.store == nullptr) continue;
    if (Subject::is_open(actor.handles)) {
      expect_content(i, *now());
      const Result<void> refused = Subject::try_to_write(actor.handles);
      EXPECT_EQ(refused.code(), Code::read_only) << where_ << ", after a failed " << failed_call_;
      if (!refused.ok()) {
        EXPECT_NE(refused.error().message().find("a flush failed"), std::string::npos) << refused.error().message();
      }
    }
    const std::uint64_t version = now()->version;
    if (actor.store->sync().ok()) made_durable(version);
  }
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    if (actors_[i].store != nullptr) close(i);
  }
  recover_after_failure();
}

}  // namespace utan::test
