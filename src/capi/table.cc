// Tables of bytes in the C interface. utan_table_get, which is short, lies with the values.
#include "capi/handles.h"

using utan::Code;
using utan::Result;
using utan::capi::bytes;
using utan::capi::fail;
using utan::capi::guarded;
using utan::capi::not_found;
using utan::object::Cursor;
using utan::object::Table;

extern "C" {

utan_code utan_table_open(utan_store* store, const void* name, size_t name_size, int create, utan_table** table) {
  return guarded([&]() -> utan_code {
    *table = nullptr;
    Result<std::unique_ptr<Table>> opened =
        store->store->table(std::string_view(static_cast<const char*>(name), name_size), create != 0);
    if (!opened.ok()) return fail(opened.error());
    *table = new utan_table{std::move(opened).value()};
    return UTAN_OK;
  });
}

void utan_table_close(utan_table* table) { delete table; }

utan_code utan_table_contains(utan_table* table, const void* key, size_t key_size) {
  return guarded([&]() -> utan_code {
    const Result<bool> found = table->table->contains(bytes(key, key_size));
    if (!found.ok()) return fail(found.error());
    return found.value() ? UTAN_OK : not_found();
  });
}

utan_code utan_table_put(utan_table* table, const void* key, size_t key_size, const void* value, size_t value_size) {
  return guarded([&]() -> utan_code {
    const Result<bool> done = table->table->put(bytes(key, key_size), bytes(value, value_size), Table::Put::always);
    return done.ok() ? UTAN_OK : fail(done.error());
  });
}

utan_code utan_table_add(utan_table* table, const void* key, size_t key_size, const void* value, size_t value_size) {
  return guarded([&]() -> utan_code {
    const Result<bool> done = table->table->put(bytes(key, key_size), bytes(value, value_size), Table::Put::if_absent);
    if (!done.ok()) return fail(done.error());
    return done.value() ? UTAN_OK : fail(Code::exists, "the key is there already");
  });
}

utan_code utan_table_replace(utan_table* table, const void* key, size_t key_size, const void* expected,
                             size_t expected_size, const void* value, size_t value_size) {
  return guarded([&]() -> utan_code {
    const Result<bool> done =
        table->table->replace(bytes(key, key_size), bytes(expected, expected_size), bytes(value, value_size));
    if (!done.ok()) return fail(done.error());
    return done.value() ? UTAN_OK : not_found();
  });
}

utan_code utan_table_erase(utan_table* table, const void* key, size_t key_size) {
  return guarded([&]() -> utan_code {
    const Result<bool> done = table->table->erase(bytes(key, key_size));
    if (!done.ok()) return fail(done.error());
    return done.value() ? UTAN_OK : not_found();
  });
}

utan_code utan_table_count(utan_table* table, uint64_t* count) {
  return guarded([&]() -> utan_code {
    const Result<utan::Count> found = table->table->count();
    if (!found.ok()) return fail(found.error());
    *count = found->value;
    return UTAN_OK;
  });
}

utan_code utan_table_iterate(utan_table* table, utan_iterator** iterator) {
  return guarded([&]() -> utan_code {
    *iterator = nullptr;
    Result<std::unique_ptr<Cursor>> opened = Cursor::open(*table->table);
    if (!opened.ok()) return fail(opened.error());
    auto out = std::make_unique<utan_iterator>();
    out->over = std::move(opened).value();
    *iterator = out.release();
    return UTAN_OK;
  });
}

}  // extern "C"
