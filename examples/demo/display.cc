#include "display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace demo {

namespace {

constexpr double redraw_interval_s = 0.1;
constexpr std::size_t bar_width = 20;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

std::string bar(std::uint64_t part, std::uint64_t whole) {
  const std::size_t full = whole == 0 ? bar_width : std::min<std::uint64_t>(bar_width, part * bar_width / whole);
  return "[" + std::string(full, '#') + std::string(bar_width - full, '.') + "]";
}

double rate(std::uint64_t count, double seconds) { return static_cast<double>(count) / std::max(seconds, 0.001); }

}  // namespace

Display::Display() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Display::show(const Progress& progress, bool now) {
  const double time_s = since_start_.seconds();
  if (!finished_before_) finished_before_ = progress.finished;
  if (!terminal_) {
    const auto quarter = static_cast<unsigned>(4 * progress.finished / std::max<std::uint64_t>(1, progress.file_count));
    if (quarter <= quarters_said_) return;
    quarters_said_ = quarter;
    say(formatted("  %3llu %%  %s of %s files, %.0f files/s",
                  static_cast<unsigned long long>(100 * progress.finished / progress.file_count),
                  grouped(progress.finished).c_str(), grouped(progress.file_count).c_str(),
                  rate(progress.finished - *finished_before_, time_s)));
    return;
  }
  if (!now && shown_at_s_ >= 0 && time_s - shown_at_s_ < redraw_interval_s) return;
  shown_at_s_ = time_s;
  draw(progress);
}

void Display::say(const std::string& line) {
  erase();
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void Display::draw(const Progress& progress) {
  const double time_s = since_start_.seconds();
  // A worker's bar is full when it has done its equal share of the files; with one killed, the others do more.
  const std::uint64_t share = progress.file_count / std::max<std::size_t>(1, progress.workers.size());
  std::vector<std::string> lines;
  for (const WorkerProgress& worker : progress.workers) {
    lines.push_back(formatted("  worker %-2u %s %7s files %6.0f/s %11s identifiers  ", worker.id,
                              bar(worker.file_count, share).c_str(), grouped(worker.file_count).c_str(),
                              rate(worker.file_count, time_s), grouped(worker.occurrences).c_str()) +
                    (worker.end.empty() ? printable(worker.in_hand) : worker.end));
  }
  lines.push_back(formatted("  all       %s %7s of %s files", bar(progress.finished, progress.file_count).c_str(),
                            grouped(progress.finished).c_str(), grouped(progress.file_count).c_str()));
  erase();
  const std::size_t width = terminal_width() - 1;
  std::string text;
  for (const std::string& line : lines) text += line.substr(0, width) + "\n";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  lines_drawn_ = lines.size();
}

// Up to the first line drawn, and clear from there.
void Display::erase() {
  if (lines_drawn_ != 0) std::fputs(formatted("\x1b[%zuA\x1b[J", lines_drawn_).c_str(), stdout);
  lines_drawn_ = 0;
}

}  // namespace demo
