// Finds identifiers in files: what is counted, for the index and for the comparison alike.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

// A longer one is data, and left out. It also keeps keys far below the store's limit.
inline constexpr std::size_t identifier_size_max = 1024;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_word_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

inline bool is_identifier(std::string_view word) {
  if (word.empty() || word.size() > identifier_size_max || is_digit(word.front())) return false;
  for (const char c : word) {
    if (!is_word_byte(c)) return false;
  }
  return true;
}

// Calls visit(identifier) for each [A-Za-z_][A-Za-z0-9_]* in the file that is no part of a number (0x1F has none), in
// order. False if the file cannot be read to its end. Holds one block of it at a time.
template <class Visit>
bool for_each_identifier(const std::filesystem::path& path, Visit&& visit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  std::vector<char> block(64 << 10);
  std::string word;  // the word so far: it may go on in the next block
  const auto end_word = [&] {
    if (is_identifier(word)) visit(std::string_view(word));
    word.clear();
  };
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    for (const char c : std::string_view(block.data(), static_cast<std::size_t>(in.gcount()))) {
      if (!is_word_byte(c)) {
        if (!word.empty()) end_word();
      } else if (word.size() <= identifier_size_max) {  // one byte more than allowed tells that it is too long
        word += c;
      }
    }
  }
  end_word();
  return !in.bad();
}

}  // namespace demo
