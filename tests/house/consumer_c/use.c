/* Opens the store that is named, writes a record and reads it back. */
#include <stdio.h>
#include <string.h>
#include <utan/utan.h>

static int expect_ok(utan_code code, const char* what) {
  if (code != UTAN_OK) fprintf(stderr, "use: %s: %s: %s\n", what, utan_code_name(code), utan_last_error());
  return code == UTAN_OK;
}

int main(int argc, char** argv) {
  utan_store* store = NULL;
  utan_table* words = NULL;
  utan_value value = {0};
  int right = 0;

  if (argc != 2) return 2;
  if (!expect_ok(utan_open(argv[1], NULL, &store), "utan_open")) return 1;
  if (expect_ok(utan_table_open(store, "words", 5, 1, &words), "utan_table_open") &&
      expect_ok(utan_table_put(words, "forest", 6, "hutan", 5), "utan_table_put") &&
      expect_ok(utan_table_get(words, "forest", 6, &value), "utan_table_get")) {
    right = value.size == 5 && memcmp(value.data, "hutan", 5) == 0;
    if (!right) fprintf(stderr, "use: the value is not what was put\n");
    utan_value_release(&value);
  }
  utan_table_close(words);
  if (!expect_ok(utan_close(store), "utan_close")) right = 0;
  return right ? 0 : 1;
}
