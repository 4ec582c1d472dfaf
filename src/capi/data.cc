// Data in the C interface.
#include <string_view>

#include "capi/handles.h"
#include "object/json.h"

using utan::Result;
using utan::capi::done;
using utan::capi::fail;
using utan::capi::Given;
using utan::capi::guarded;
using utan::format::Value;

extern "C" {

utan_code utan_data_new(utan_data** data) {
  return guarded([&]() -> utan_code {
    *data = nullptr;
    *data = new utan_data;
    return UTAN_OK;
  });
}

void utan_data_free(utan_data* data) { delete data; }

void utan_data_clear(utan_data* data) {
  data->data.clear();
  data->holds.clear();
  data->attachment = nullptr;
}

utan_code utan_data_add(utan_data* data, const utan_value* value) {
  return guarded([&]() -> utan_code {
    if (Value usual; utan::capi::plain_quickly(*value, usual)) [[likely]]
      return done(data->data.add(usual));
    Given given;
    const Result<Value> plain = given.value(value, data->attachment);
    if (!plain.ok()) return fail(plain.error());
    if (plain->tag != utan::format::Tag::container) return done(data->data.add(plain.value()));
    // Held from before it is named here, also where a snapshot had it: from then on this is a way to it.
    utan::object::Container& container = value->container->container;
    Result<utan::object::Hold> hold = utan::object::Hold::take(container.attachment(), container.id());
    if (!hold.ok()) return fail(hold.error());
    data->holds.push_back(std::move(hold).value());
    data->attachment = &container.attachment();
    return done(data->data.add(plain.value()));
  });
}

utan_code utan_data_begin(utan_data* data, uint32_t type, uint32_t* number) {
  return guarded([&]() -> utan_code {
    const Result<std::uint32_t> begun = data->data.begin(utan::capi::type_of(type));
    if (!begun.ok()) return fail(begun.error());
    if (number != nullptr) *number = begun.value();
    return UTAN_OK;
  });
}

utan_code utan_data_end(utan_data* data) {
  return guarded([&] { return done(data->data.end()); });
}

utan_code utan_data_part(utan_data* data, uint32_t number) {
  return guarded([&] { return done(data->data.add_part(number)); });
}

const char* utan_data_path(utan_data* data) {
  static_cast<void>(guarded([&]() -> utan_code {
    data->path = data->data.path();
    return UTAN_OK;
  }));
  return data->path.c_str();
}

utan_code utan_data_from_json(utan_data* data, const char* text, size_t size) {
  return guarded([&] { return done(utan::object::read_json(std::string_view(text, size), data->data)); });
}

}  // extern "C"
