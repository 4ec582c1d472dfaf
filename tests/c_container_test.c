/* Shows what a C program sees of containers: every call, with values of all types, and what each says when it is used
 * wrongly.
 * Labels: small */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utan/utan.h>

static int failures = 0;

static void check(int holds, const char* what, int line) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "c_container_test.c:%d: %s; last error: %s\n", line, what, utan_last_error());
}
#define EXPECT(condition) check((condition) != 0, #condition, __LINE__)
#define EXPECT_CODE(call, expected) check((call) == (expected), #call " is " #expected, __LINE__)
#define EXPECT_OK(call) EXPECT_CODE(call, UTAN_OK)

static utan_value value_of(utan_type type) {
  utan_value out;
  memset(&out, 0, sizeof out);
  out.type = type;
  return out;
}
static utan_value text(const char* bytes) {
  utan_value out = value_of(UTAN_STRING);
  out.data = bytes;
  out.size = strlen(bytes);
  return out;
}
static utan_value integer(int64_t number) {
  utan_value out = value_of(UTAN_INTEGER);
  out.integer = number;
  return out;
}
static utan_value real(double number) {
  utan_value out = value_of(UTAN_REAL);
  out.real = number;
  return out;
}
static utan_value bytes_of(utan_type type, const void* data, size_t size) {
  utan_value out = value_of(type);
  out.data = data;
  out.size = size;
  return out;
}
static utan_value named(utan_container* container) {
  utan_value out = value_of(UTAN_CONTAINER);
  out.container = container;
  return out;
}
static utan_value plain(const utan_data* data) {
  utan_value out = value_of(UTAN_DATA);
  out.plain = data;
  return out;
}
static int is_text(const utan_value* value, const char* expected) {
  return value->type == UTAN_STRING && value->size == strlen(expected) &&
         memcmp(value->data, expected, value->size) == 0;
}
static int has_integer(utan_container* container, utan_value key, int64_t expected) {
  utan_value found;
  int same;
  if (utan_get(container, &key, &found) != UTAN_OK) return 0;
  same = found.type == UTAN_INTEGER && found.integer == expected;
  utan_value_release(&found);
  return same;
}
static uint64_t count_of(utan_container* container) {
  uint64_t out = UINT64_MAX;
  EXPECT_OK(utan_count(container, &out));
  return out;
}

static void test_values(utan_store* store) {
  static const unsigned char uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  static const unsigned char big[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1}; /* 2^64 */
  const utan_value elements[2] = {text("a"), integer(2)};
  utan_value values[16];
  utan_value tuple = value_of(UTAN_TUPLE);
  utan_container* dict;
  utan_value found;
  utan_value key;
  size_t count = 0;
  size_t i;
  EXPECT_OK(utan_named(store, "values", 6, UTAN_DICT, 1, &dict));
  values[count++] = value_of(UTAN_NULL);
  values[count] = value_of(UTAN_BOOLEAN);
  values[count++].integer = 1;
  values[count++] = integer(INT64_MIN);
  values[count++] = integer(INT64_MAX);
  values[count++] = bytes_of(UTAN_BIG_INTEGER, big, sizeof big);
  values[count++] = real(-0.0);
  values[count] = value_of(UTAN_DATETIME);
  values[count++].integer = -62135596800000000;
  values[count] = value_of(UTAN_DATETIME_UTC);
  values[count++].integer = 253402300799999999;
  values[count++] = bytes_of(UTAN_UUID, uuid, sizeof uuid);
  values[count++] = bytes_of(UTAN_BYTES, "a\0b", 3);
  values[count++] = text("");
  values[count++] = text("gr\xc3\xbc\xc3\x9f");
  for (i = 0; i < count; ++i) {
    key = integer((int64_t)i);
    EXPECT_OK(utan_set(dict, &key, &values[i]));
    EXPECT_OK(utan_get(dict, &key, &found));
    EXPECT(found.type == values[i].type);
    switch (found.type) {
      case UTAN_NULL:
        break;
      case UTAN_BIG_INTEGER:
      case UTAN_UUID:
      case UTAN_BYTES:
      case UTAN_STRING:
        EXPECT(found.size == values[i].size &&
               (found.size == 0 || memcmp(found.data, values[i].data, found.size) == 0));
        break;
      default:
        EXPECT(found.integer == values[i].integer); /* bit for bit, reals too */
    }
    utan_value_release(&found);
    utan_value_release(&found);
  }
  /* Keys of all types, one of them in another spelling. */
  tuple.elements = elements;
  tuple.size = 2;
  key = integer(7);
  EXPECT_OK(utan_set(dict, &tuple, &key));
  EXPECT(has_integer(dict, tuple, 7));
  key = real(1.0);
  EXPECT_OK(utan_contains(dict, &key)); /* that of 1 */
  EXPECT_OK(utan_last(dict, &key, &found));
  EXPECT(key.type == UTAN_TUPLE && key.size == 2 && is_text(&key.elements[0], "a") && key.elements[1].integer == 2);
  utan_value_release(&key);
  utan_value_release(&found);
  /* What cannot be. */
  key = real(0.0 / (count == 0 ? 1.0 : 0.0));
  EXPECT_CODE(utan_set(dict, &key, &values[0]), UTAN_TYPE);
  EXPECT(strstr(utan_last_error(), "key") != NULL);
  key = integer(0);
  EXPECT_CODE(utan_set(dict, &key, &tuple), UTAN_TYPE);
  found = bytes_of(UTAN_UUID, uuid, 15);
  EXPECT_CODE(utan_set(dict, &key, &found), UTAN_INVALID);
  found = value_of(99);
  EXPECT_CODE(utan_set(dict, &key, &found), UTAN_INVALID);
  EXPECT_CODE(utan_set(dict, &key, NULL), UTAN_INVALID);
  utan_container_close(dict);
}

static void test_steps(utan_store* store, uint32_t type) {
  const utan_value a = text("a");
  const utan_value b = text("b");
  const utan_value one = integer(1);
  const utan_value one_real = real(1.0);
  const utan_value two = integer(2);
  const utan_value word = text("word");
  utan_container* at;
  utan_value found;
  int added = -1;
  EXPECT_OK(utan_new(store, type, NULL, &at));
  EXPECT(utan_container_type(at) == type && utan_container_id(at) != 0);
  EXPECT_CODE(utan_get(at, &a, &found), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_contains(at, &a), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_erase(at, &a), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_pop(at, &a, &found), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_replace(at, &a, &one, &two), UTAN_NOT_FOUND);
  EXPECT_OK(utan_add(at, &a, &one));
  EXPECT_CODE(utan_add(at, &a, &two), UTAN_EXISTS);
  EXPECT(has_integer(at, a, 1));
  EXPECT_CODE(utan_replace(at, &a, &two, &two), UTAN_NOT_FOUND);
  EXPECT_OK(utan_replace(at, &a, &one_real, &two)); /* equal numbers */
  EXPECT(has_integer(at, a, 2));
  EXPECT_OK(utan_increase(at, &a, &one, &found));
  EXPECT(found.type == UTAN_INTEGER && found.integer == 3);
  EXPECT_OK(utan_increase(at, &b, &one_real, NULL));
  EXPECT_OK(utan_get(at, &b, &found));
  EXPECT(found.type == UTAN_REAL && found.real == 1.0);
  EXPECT_OK(utan_set(at, &b, &word));
  EXPECT_CODE(utan_increase(at, &b, &one, NULL), UTAN_TYPE);
  EXPECT_CODE(utan_increase(at, &b, &word, NULL), UTAN_TYPE);
  EXPECT_OK(utan_set_default(at, &b, &one, &found, &added));
  EXPECT(added == 0 && is_text(&found, "word"));
  utan_value_release(&found);
  EXPECT_OK(utan_erase(at, &b));
  EXPECT_OK(utan_set_default(at, &b, &one, NULL, &added));
  EXPECT(added == 1 && count_of(at) == 2);
  EXPECT_OK(utan_pop(at, &b, &found));
  EXPECT(found.integer == 1);
  EXPECT_OK(utan_pop_last(at, &found, NULL));
  EXPECT(is_text(&found, "a"));
  utan_value_release(&found);
  EXPECT_CODE(utan_pop_last(at, NULL, NULL), UTAN_NOT_FOUND);
  EXPECT_OK(utan_set(at, &a, &one));
  EXPECT_OK(utan_clear(at));
  EXPECT(count_of(at) == 0);
  utan_container_close(at);
}

/* What alter_it() does, and how often it was called. */
typedef struct {
  utan_container* at; /* where somebody else is faster at the first call; null: nobody is */
  utan_code answer;
  int calls;
  utan_data* list;
} change_plan;

/* Adds one to a number, makes 1 of what is absent and a list of everything else. */
static utan_code alter_it(void* context, const utan_value* old, utan_value* now) {
  change_plan* plan = context;
  ++plan->calls;
  EXPECT(now->type == UTAN_NULL);
  if (plan->calls == 1 && plan->at != NULL) {
    utan_value key = text("n");
    utan_value other = integer(100);
    EXPECT_OK(utan_set(plan->at, &key, &other));
  }
  if (plan->answer != UTAN_OK) return plan->answer;
  if (old == NULL) {
    *now = integer(1);
  } else if (old->type == UTAN_INTEGER) {
    *now = integer(old->integer + 1);
  } else if (old->type == UTAN_CONTAINER) {
    *now = *old;
  } else {
    *now = plain(plan->list);
  }
  return UTAN_OK;
}

static void test_alter(utan_store* store, uint32_t type) {
  utan_container* at;
  utan_container* list;
  utan_value key = text("n");
  utan_value found;
  utan_value nan = real(strtod("nan", NULL));
  utan_value number = integer(7);
  change_plan plan = {NULL, UTAN_OK, 0, NULL};
  EXPECT_OK(utan_data_new(&plan.list));
  EXPECT_OK(utan_data_from_json(plan.list, "[5]", 3));
  EXPECT_OK(utan_new(store, type, NULL, &at));
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, &found));
  EXPECT(found.integer == 1 && plan.calls == 1 && has_integer(at, key, 1));
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, NULL));
  EXPECT(plan.calls == 2 && has_integer(at, key, 2));
  /* Somebody else is faster. */
  plan.calls = 0;
  plan.at = at;
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, &found));
  EXPECT(plan.calls == 2 && found.integer == 101 && has_integer(at, key, 101));
  EXPECT_OK(utan_erase(at, &key));
  plan.calls = 0;
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, &found));
  EXPECT(plan.calls == 2 && found.integer == 101);
  plan.at = NULL;
  /* What it answers is handed on, and nothing changes. */
  plan.answer = 1234;
  EXPECT_CODE(utan_alter(at, &key, alter_it, &plan, &found), 1234);
  EXPECT(found.type == UTAN_NULL && has_integer(at, key, 101));
  plan.answer = UTAN_OK;
  /* NaN is what was read, though it equals nothing. */
  EXPECT_OK(utan_set(at, &key, &nan));
  EXPECT_OK(utan_replace(at, &key, &nan, &nan));
  plan.calls = 0;
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, &found));
  EXPECT(plan.calls == 1 && found.type == UTAN_CONTAINER && has_integer(found.container, integer(0), 5));
  list = found.container;
  found.container = NULL;
  EXPECT_OK(utan_alter(at, &key, alter_it, &plan, &found));
  EXPECT(found.type == UTAN_CONTAINER && utan_container_id(found.container) == utan_container_id(list));
  utan_value_release(&found);
  key = integer(0);
  EXPECT_OK(utan_alter(list, &key, alter_it, &plan, &found));
  EXPECT(found.integer == 6 && has_integer(list, key, 6));
  key = integer(1);
  plan.calls = 0;
  EXPECT_CODE(utan_alter(list, &key, alter_it, &plan, &found), UTAN_INVALID);
  EXPECT(plan.calls == 0);
  EXPECT_OK(utan_append(list, &number));
  EXPECT_OK(utan_alter(list, &key, alter_it, &plan, NULL));
  EXPECT(has_integer(list, key, 8));
  utan_container_close(list);
  utan_container_close(at);
  utan_data_free(plan.list);
}

static void test_order(utan_store* store) {
  utan_container* at;
  utan_iterator* iterator;
  utan_range range;
  utan_value key;
  utan_value found;
  utan_value low = text("b");
  utan_value high = text("d");
  uint64_t count = 0;
  int64_t i;
  EXPECT_OK(utan_new(store, UTAN_COLLECTION, NULL, &at));
  EXPECT_CODE(utan_first(at, &key, &found), UTAN_NOT_FOUND);
  for (i = 0; i < 5; ++i) {
    const char name[2] = {(char)('a' + i), 0};
    key = text(name);
    found = integer(i);
    EXPECT_OK(utan_set(at, &key, &found));
  }
  EXPECT_OK(utan_first(at, &key, NULL));
  EXPECT(is_text(&key, "a"));
  utan_value_release(&key);
  key = text("bb");
  EXPECT_OK(utan_floor(at, &key, &found, NULL));
  EXPECT(is_text(&found, "b"));
  utan_value_release(&found);
  EXPECT_OK(utan_ceiling(at, &key, NULL, &found));
  EXPECT(found.integer == 2);
  key = integer(1);
  EXPECT_CODE(utan_floor(at, &key, &found, NULL), UTAN_NOT_FOUND); /* numbers come before strings */
  memset(&range, 0, sizeof range);
  EXPECT_CODE(utan_count_range(at, &range, &count), UTAN_INVALID);
  EXPECT(strstr(utan_last_error(), "struct_size") != NULL);
  range.struct_size = sizeof range;
  range.low = &low;
  range.high = &high;
  EXPECT_OK(utan_count_range(at, &range, &count));
  EXPECT(count == 2);
  range.high_inclusive = 1;
  range.reverse = 1;
  range.skip = 1;
  range.limit = 1;
  EXPECT_OK(utan_iterate(at, &range, &iterator));
  EXPECT_OK(utan_iterator_next(iterator, &key, &found));
  EXPECT(is_text(&key, "c") && found.integer == 2);
  EXPECT_CODE(utan_iterator_next(iterator, &key, &found), UTAN_NOT_FOUND);
  utan_iterator_close(iterator);
  EXPECT_OK(utan_delete_range(at, &range, &count));
  EXPECT(count == 3 && count_of(at) == 2);
  memset(&range, 0, sizeof range);
  range.struct_size = sizeof range;
  range.prefix = &low;
  EXPECT_OK(utan_count_range(at, &range, &count));
  EXPECT(count == 0);
  utan_container_close(at);
}

static void test_lists(utan_store* store) {
  utan_container* list;
  utan_data* data;
  utan_value found;
  utan_value index = integer(-1);
  utan_value number = integer(1);
  EXPECT_OK(utan_new(store, UTAN_LIST, NULL, &list));
  EXPECT_OK(utan_append(list, &number));
  number = integer(0);
  EXPECT_OK(utan_insert(list, 0, &number));
  number = integer(2);
  EXPECT_OK(utan_insert(list, 99, &number));
  EXPECT(has_integer(list, index, 2) && has_integer(list, integer(0), 0) && count_of(list) == 3);
  EXPECT_CODE(utan_set(list, &index, &number), UTAN_OK);
  index = integer(3);
  EXPECT_CODE(utan_get(list, &index, &found), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_set(list, &index, &number), UTAN_INVALID);
  index = text("x");
  EXPECT_CODE(utan_get(list, &index, &found), UTAN_TYPE);
  index = integer(0);
  EXPECT_CODE(utan_add(list, &index, &number), UTAN_TYPE);
  EXPECT_CODE(utan_first(list, &found, NULL), UTAN_TYPE);
  EXPECT_OK(utan_data_new(&data));
  EXPECT_OK(utan_data_from_json(data, "[7, 8, 9]", 9));
  EXPECT_OK(utan_splice(list, 1, 1, data));
  EXPECT(count_of(list) == 5 && has_integer(list, integer(3), 9) && has_integer(list, integer(4), 2));
  EXPECT_OK(utan_splice(list, 1, 100, NULL));
  EXPECT(count_of(list) == 1);
  EXPECT_CODE(utan_update(list, data), UTAN_TYPE);
  {
    utan_container* dict;
    EXPECT_CODE(utan_new(store, UTAN_DICT, data, &dict), UTAN_TYPE);
    EXPECT(strstr(utan_last_error(), "the data is a list, which does not go into a dict") != NULL);
    EXPECT_OK(utan_new(store, UTAN_DICT, NULL, &dict));
    EXPECT_CODE(utan_update(dict, data), UTAN_TYPE);
    utan_container_close(dict);
  }
  utan_data_free(data);
  utan_container_close(list);
}

static void test_nesting(utan_store* store) {
  const char json[] =
      "{\"users\":[{\"name\":\"ada\",\"age\":36}],\"$$x\":{\"$uuid\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\"}}";
  utan_value path[4];
  utan_container* root;
  utan_container* doc;
  utan_container* users;
  utan_data* data;
  utan_iterator* iterator;
  utan_value found;
  utan_value value;
  char* written;
  size_t size = 0;
  uint64_t id;
  EXPECT_OK(utan_root(store, &root));
  EXPECT_OK(utan_data_new(&data));
  EXPECT_OK(utan_data_from_json(data, json, strlen(json)));
  path[0] = text("doc");
  value = plain(data);
  EXPECT_OK(utan_set(root, &path[0], &value));
  path[1] = text("users");
  path[2] = text("0");
  path[3] = text("age");
  EXPECT_OK(utan_get_at(root, path, 4, &found));
  EXPECT(found.integer == 36);
  path[2] = integer(0);
  EXPECT_OK(utan_get_at(root, path, 4, &found));
  EXPECT(found.integer == 36);
  value = integer(37);
  EXPECT_CODE(utan_set_at(root, path, 4, &value, 0), UTAN_EXISTS);
  EXPECT_OK(utan_set_at(root, path, 4, &value, 1));
  path[2] = integer(9);
  EXPECT_CODE(utan_get_at(root, path, 4, &found), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_set_at(root, path, 4, &value, 1), UTAN_INVALID);
  path[1] = text("new");
  path[2] = text("made");
  EXPECT_OK(utan_set_at(root, path, 4, &value, 0));
  EXPECT_OK(utan_get_at(root, path, 1, &found));
  EXPECT(found.type == UTAN_CONTAINER && utan_container_type(found.container) == UTAN_DICT);
  doc = found.container;
  found.container = NULL; /* taken out of the value */
  utan_value_release(&found);
  EXPECT_OK(utan_to_json(doc, 0, &written, &size));
  EXPECT(strcmp(written,
                "{\"$$x\":{\"$uuid\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\"},\"new\":{\"made\":{\"age\":37}},"
                "\"users\":[{\"age\":37,\"name\":\"ada\"}]}") == 0);
  EXPECT(size == strlen(written));
  utan_text_free(written);
  /* The same container twice, and in itself. */
  path[0] = text("again");
  value = named(doc);
  EXPECT_OK(utan_set(root, &path[0], &value));
  EXPECT_OK(utan_set(doc, &path[0], &value));
  EXPECT_CODE(utan_to_json(doc, 0, &written, NULL), UTAN_INVALID);
  /* Held, it stays when its names go; named by itself alone, too. */
  path[0] = text("doc");
  EXPECT_OK(utan_erase(root, &path[0]));
  path[0] = text("again");
  EXPECT_OK(utan_pop(root, &path[0], &found));
  EXPECT(utan_container_id(found.container) == utan_container_id(doc));
  utan_value_release(&found);
  EXPECT_OK(utan_erase(doc, &path[0]));
  path[0] = text("users");
  EXPECT_OK(utan_get(doc, &path[0], &found));
  users = found.container;
  id = utan_container_id(users);
  EXPECT(count_of(users) == 1);
  EXPECT_OK(utan_iterate(users, NULL, &iterator));
  EXPECT_OK(utan_iterator_next(iterator, NULL, &value));
  EXPECT(value.type == UTAN_CONTAINER && count_of(value.container) == 2);
  utan_value_release(&value);
  utan_iterator_close(iterator);
  utan_value_release(&found);
  EXPECT_OK(utan_container_open(store, id, &users));
  utan_container_close(users);
  utan_container_close(doc);
  EXPECT_CODE(utan_container_open(store, 12345, &users), UTAN_GONE);
  EXPECT(users == NULL);
  /* Data that goes wrong says where. */
  utan_data_clear(data);
  EXPECT_OK(utan_data_begin(data, UTAN_DICT, NULL));
  value = text("when");
  EXPECT_OK(utan_data_add(data, &value));
  EXPECT(strcmp(utan_data_path(data), "['when']") == 0);
  EXPECT_CODE(utan_data_end(data), UTAN_INVALID);
  value = plain(data);
  path[0] = text("bad");
  EXPECT_CODE(utan_set(root, &path[0], &value), UTAN_INVALID);
  EXPECT_CODE(utan_data_from_json(data, "{\"a\": ]", 7), UTAN_INVALID);
  EXPECT(strstr(utan_last_error(), "line 1, column 7") != NULL);
  /* Sharing and cycles within data. */
  {
    uint32_t number = 99;
    utan_data_clear(data);
    EXPECT_OK(utan_data_begin(data, UTAN_LIST, &number));
    EXPECT_OK(utan_data_part(data, number));
    EXPECT_OK(utan_data_end(data));
    EXPECT_OK(utan_new(store, UTAN_DICT, NULL, &doc));
    value = plain(data);
    EXPECT_OK(utan_set(doc, &path[0], &value));
    EXPECT_OK(utan_get(doc, &path[0], &found));
    path[1] = integer(0);
    EXPECT_OK(utan_get(found.container, &path[1], &value));
    EXPECT(utan_container_id(value.container) == utan_container_id(found.container));
    utan_value_release(&value);
    utan_value_release(&found);
    utan_container_close(doc);
  }
  utan_data_free(data);
  utan_container_close(root);
}

static void test_names_and_snapshots(utan_store* store) {
  const utan_value key = text("k");
  const utan_value one = integer(1);
  const utan_value two = integer(2);
  utan_store* snapshot;
  utan_container* now;
  utan_container* then;
  EXPECT_CODE(utan_named(store, "none", 4, UTAN_DICT, 0, &now), UTAN_NOT_FOUND);
  EXPECT_CODE(utan_named(store, "none", 4, 77, 1, &now), UTAN_INVALID);
  EXPECT_OK(utan_named(store, "d", 1, UTAN_DICT, 1, &now));
  EXPECT_CODE(utan_named(store, "d", 1, UTAN_LIST, 1, &then), UTAN_TYPE);
  EXPECT(strstr(utan_last_error(), "'d' is a dict, not a list") != NULL);
  EXPECT_OK(utan_set(now, &key, &one));
  EXPECT_OK(utan_snapshot(store, &snapshot));
  EXPECT_OK(utan_set(now, &key, &two));
  EXPECT_OK(utan_named(snapshot, "d", 1, UTAN_DICT, 0, &then));
  EXPECT(has_integer(then, key, 1) && has_integer(now, key, 2));
  EXPECT_CODE(utan_set(then, &key, &two), UTAN_READ_ONLY);
  EXPECT_CODE(utan_clear(then), UTAN_READ_ONLY);
  utan_container_close(then);
  EXPECT_CODE(utan_new(snapshot, UTAN_DICT, NULL, &then), UTAN_READ_ONLY);
  EXPECT(then == NULL);
  utan_container_close(now);
  EXPECT_OK(utan_close(snapshot));
}

static void test_as_seen(utan_store* store) {
  const utan_value one = integer(1);
  utan_value extended = bytes_of(UTAN_EXTENDED, "\7decimal1.5", 11);
  utan_value found;
  utan_store* snapshot;
  utan_container* list;
  utan_container* seen;
  utan_container* later;
  utan_data* data;
  EXPECT_OK(utan_new(store, UTAN_LIST, NULL, &list));
  EXPECT_OK(utan_append(list, &one));
  EXPECT_OK(utan_snapshot(store, &snapshot));
  /* Nothing names the list, and still it is there. */
  EXPECT_OK(utan_container_in(list, snapshot, &seen));
  EXPECT(utan_container_id(seen) == utan_container_id(list) && count_of(seen) == 1);
  EXPECT_OK(utan_new(store, UTAN_LIST, NULL, &later));
  {
    utan_container* none;
    EXPECT_CODE(utan_container_in(later, snapshot, &none), UTAN_GONE);
    /* And back: it can be written again. */
    EXPECT_OK(utan_container_in(seen, store, &none));
    EXPECT_CODE(utan_append(seen, &one), UTAN_READ_ONLY);
    EXPECT_OK(utan_append(none, &one));
    EXPECT(count_of(list) == 2);
    utan_container_close(none);
  }
  EXPECT_OK(utan_data_new(&data));
  EXPECT_OK(utan_data_begin(data, UTAN_LIST, NULL));
  EXPECT_OK(utan_data_add(data, &extended));
  EXPECT_OK(utan_data_add(data, &one));
  EXPECT_OK(utan_data_end(data));
  EXPECT_CODE(utan_splice_unchanged(list, later, 0, 1, data), UTAN_INVALID);
  EXPECT_CODE(utan_splice_unchanged(list, seen, 0, 1, data), UTAN_NOT_FOUND);
  EXPECT(count_of(list) == 2 && count_of(seen) == 1);
  utan_container_close(seen);
  EXPECT_OK(utan_close(snapshot));
  EXPECT_OK(utan_snapshot(store, &snapshot));
  EXPECT_OK(utan_container_in(list, snapshot, &seen));
  EXPECT_OK(utan_splice_unchanged(list, seen, 0, 1, data));
  EXPECT(count_of(list) == 3 && count_of(seen) == 2);
  {
    const utan_value first = integer(0);
    EXPECT_OK(utan_get(list, &first, &found));
    EXPECT(found.type == UTAN_EXTENDED && found.size == 11 && memcmp(found.data, "\7decimal1.5", 11) == 0);
    utan_value_release(&found);
    EXPECT_CODE(utan_set(list, &extended, &one), UTAN_TYPE);
  }
  utan_data_free(data);
  utan_container_close(seen);
  utan_container_close(later);
  utan_container_close(list);
  EXPECT_OK(utan_close(snapshot));
}

static void test_assign(utan_store* store, uint32_t type) {
  const utan_value a = text("a");
  const utan_value b = text("b");
  const utan_value one = integer(1);
  utan_container* container;
  utan_data* data;
  EXPECT_OK(utan_new(store, type, NULL, &container));
  EXPECT_OK(utan_set(container, &a, &one));
  EXPECT_OK(utan_data_new(&data));
  EXPECT_OK(utan_data_begin(data, UTAN_DICT, NULL));
  EXPECT_OK(utan_data_add(data, &b));
  EXPECT_OK(utan_data_add(data, &one));
  EXPECT_OK(utan_data_end(data));
  EXPECT_OK(utan_assign(container, data));
  EXPECT(count_of(container) == 1);
  EXPECT(has_integer(container, b, 1));
  utan_data_clear(data);
  EXPECT_OK(utan_data_begin(data, UTAN_LIST, NULL));
  EXPECT_OK(utan_data_end(data));
  EXPECT_CODE(utan_assign(container, data), UTAN_TYPE);
  EXPECT(count_of(container) == 1);
  utan_data_clear(data);
  EXPECT_OK(utan_data_begin(data, UTAN_DICT, NULL));
  EXPECT_OK(utan_data_end(data));
  EXPECT_OK(utan_assign(container, data));
  EXPECT(count_of(container) == 0);
  utan_data_free(data);
  utan_container_close(container);
}

/* What is not there, what was never handed out, and what is of another store. */
static void test_strangers(utan_store* store, const char* other_path) {
  const utan_value key = text("strangers");
  utan_value found = text("");
  utan_store* other;
  utan_container* root;
  utan_container* list;
  utan_data* data;
  EXPECT_OK(utan_root(store, &root));
  EXPECT_CODE(utan_get(root, &key, &found), UTAN_NOT_FOUND);
  EXPECT(strcmp(utan_last_error(), "not found") == 0);
  found.reserved[1] = 99;
  utan_value_release(&found);
  EXPECT(found.reserved[1] == 0);
  EXPECT_OK(utan_open(other_path, NULL, &other));
  EXPECT_OK(utan_new(other, UTAN_LIST, NULL, &list));
  EXPECT_OK(utan_data_new(&data));
  EXPECT_OK(utan_data_begin(data, UTAN_LIST, NULL));
  {
    const utan_value stranger = named(list);
    EXPECT_OK(utan_data_add(data, &stranger));
  }
  EXPECT_OK(utan_data_end(data));
  {
    const utan_value strangers = plain(data);
    EXPECT_CODE(utan_set(root, &key, &strangers), UTAN_INVALID);
    EXPECT(strstr(utan_last_error(), "containers of another store") != NULL);
  }
  EXPECT_CODE(utan_get(root, &key, &found), UTAN_NOT_FOUND);
  utan_data_free(data);
  utan_container_close(list);
  utan_container_close(root);
  EXPECT_OK(utan_close(other));
}

int main(void) {
  char folder[] = "/tmp/utan-c-XXXXXX";
  char path[64];
  char lock[64];
  char other[64];
  char other_lock[64];
  utan_store* store;
  if (mkdtemp(folder) == NULL) return 2;
  snprintf(path, sizeof path, "%s/store", folder);
  snprintf(lock, sizeof lock, "%s/store-lock", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  snprintf(other_lock, sizeof other_lock, "%s/other-lock", folder);
  EXPECT_OK(utan_open(path, NULL, &store));
  test_values(store);
  test_steps(store, UTAN_DICT);
  test_steps(store, UTAN_COLLECTION);
  test_steps(store, UTAN_TABLE);
  test_alter(store, UTAN_DICT);
  test_alter(store, UTAN_COLLECTION);
  test_alter(store, UTAN_TABLE);
  test_order(store);
  test_lists(store);
  test_nesting(store);
  test_names_and_snapshots(store);
  test_as_seen(store);
  test_assign(store, UTAN_DICT);
  test_assign(store, UTAN_COLLECTION);
  test_assign(store, UTAN_TABLE);
  test_strangers(store, other);
  EXPECT_OK(utan_close(store));
  unlink(path);
  unlink(lock);
  unlink(other);
  unlink(other_lock);
  rmdir(folder);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
