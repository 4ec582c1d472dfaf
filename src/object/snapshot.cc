#include "object/snapshot.h"

namespace utan::object {

using commit::Attachment;
using commit::Session;

Result<std::shared_ptr<SnapshotPin>> SnapshotPin::take(Attachment& attachment) {
  UTAN_ASSIGN(Session* const session, attachment.session());
  UTAN_TRY(session->still_current());
  auto out = std::make_shared<SnapshotPin>(attachment);
  UTAN_ASSIGN(out->place_, session->claim_pin());
  out->session_id_ = session->unique_id();
  attachment.share();
  UTAN_TRY(out->place_.thread->pin_extra(out->place_.index, out->pinned_));
  return out;
}

SnapshotPin::~SnapshotPin() {
  if (session_id_ == 0) return;
  const Result<Session*> session = attachment_->session();
  if (session.ok() && session.value()->unique_id() == session_id_) place_.thread->unpin_extra(place_.index);
  Attachment::close_quietly(attachment_);
}

Result<void> SnapshotPin::check_usable() const {
  UTAN_ASSIGN(const Session* session, attachment_->session());
  if (session->unique_id() == session_id_) return session->still_current();
  return Error(Code::closed,
               attachment_->path() + ": a snapshot or iterator is not inherited by a child process: take a new one");
}

}  // namespace utan::object
