// Stores as objects.
//
// Thread safety: with the interpreter's lock held.
#pragma once

#include "state.h"

namespace utan::python {

// Takes over the caller's reference to the attachment, also where it fails.
PyObject* make_store(Attachment* attachment);
// Among the open ones of its attachment, and no longer.
void list_store(StoreObject* store);
void unlist_store(StoreObject* store);
// Closes one handle; with the last one the attachment, and what was made of it. False: an error was set.
bool close_handle(StoreObject* store);

}  // namespace utan::python
