#include <unistd.h>

#include <cmath>

#include "sections.h"

namespace bench {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

Journal::Journal(const std::string& path) : file_(std::fopen(path.c_str(), "we")) {
  if (file_ == nullptr) fail("cannot write " + path);
}

Journal::~Journal() { std::fclose(file_); }

void Journal::line(const Texts& texts, const Numbers& numbers) {
  std::string out = "{";
  const auto field = [&out](const std::string& name) { out += (out.size() > 1 ? ", " : "") + quoted(name) + ": "; };
  for (const auto& [name, text] : texts) {
    field(name);
    out += quoted(text);
  }
  for (const auto& [name, number] : numbers) {
    field(name);
    char text[40];
    if (std::isfinite(number)) {
      std::snprintf(text, sizeof text, "%.12g", number);
    } else {
      std::snprintf(text, sizeof text, "null");
    }
    out += text;
  }
  out += "}\n";
  std::fwrite(out.data(), 1, out.size(), file_);
  std::fflush(file_);
}

void Bench::record(const std::string& section, const std::string& system, const std::string& what, unsigned round,
                   const Outcome& outcome) {
  Journal::Texts texts = {{"section", section}, {"system", system}, {"what", what}};
  if (!outcome.error.empty()) {
    texts.emplace_back("error", outcome.error);
    ++error_count;
    std::fprintf(stderr, "bench: %s, %s %s: ERROR: %s\n", section.c_str(), system.c_str(), what.c_str(),
                 outcome.error.c_str());
  }
  Journal::Numbers numbers = {{"round", static_cast<double>(round)}};
  numbers.insert(numbers.end(), outcome.numbers.begin(), outcome.numbers.end());
  journal.line(texts, numbers);
}

void Bench::say(const std::string& text) const { std::fprintf(stderr, "bench: %s\n", text.c_str()); }

}  // namespace bench
