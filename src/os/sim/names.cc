#include "os/sim/names.h"

#include <filesystem>
#include <utility>

#include "base/check.h"

namespace utan::os::sim {

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  CHECK(slash != std::string::npos);
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string normalized(const std::string& path) {
  std::string result = (std::filesystem::path("/") / path).lexically_normal().string();
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

std::shared_ptr<Node> Names::find(const std::string& path) const {
  const auto found = now_.find(path);
  return found == now_.end() ? nullptr : found->second;
}

void Names::make_folder(const std::string& path) {
  CHECK(!now_.contains(path));
  for (std::string folder = path; folders_.insert(folder).second;) folder = folder_of(folder);
}

void Names::create(const std::string& path, std::shared_ptr<Node> node) {
  node->file.status().link_count = 1;
  perform({.from = {}, .to = path, .node = std::move(node)});
}

void Names::rename(const std::string& from, const std::string& to) {
  if (from == to) return;
  if (const auto replaced = find(to)) replaced->file.status().link_count = 0;
  perform({.from = from, .to = to, .node = find(from)});
}

void Names::remove(const std::string& path) {
  find(path)->file.status().link_count = 0;
  perform({.from = path, .to = {}, .node = nullptr});
}

void Names::perform(Operation operation) {
  apply(now_, operation);
  journal_.push_back(std::move(operation));
}

void Names::apply(Map& names, const Operation& operation) {
  if (!operation.from.empty()) names.erase(operation.from);
  if (!operation.to.empty()) names[operation.to] = operation.node;
}

void Names::flush_folder(const std::string& folder) {
  const auto is_in = [&folder](const std::string& path) { return !path.empty() && folder_of(path) == folder; };
  auto count = static_cast<std::ptrdiff_t>(journal_.size());
  while (count > 0) {
    const Operation& last = journal_[static_cast<std::size_t>(count - 1)];
    if (is_in(last.from) || is_in(last.to)) break;
    --count;
  }
  durable_ = after_crash(static_cast<std::size_t>(count));
  journal_.erase(journal_.begin(), journal_.begin() + count);
}

void Names::flush_all() {
  durable_ = now_;
  journal_.clear();
}

std::set<std::shared_ptr<Node>> Names::reachable() const {
  std::set<std::shared_ptr<Node>> nodes;
  for (const Map* names : {&now_, &durable_}) {
    for (const auto& [path, node] : *names) nodes.insert(node);
  }
  for (const Operation& operation : journal_) {
    if (operation.node != nullptr) nodes.insert(operation.node);
  }
  return nodes;
}

Names Names::copied(const std::map<std::shared_ptr<Node>, std::shared_ptr<Node>>& copies) const {
  Names result = *this;
  for (Map* names : {&result.now_, &result.durable_}) {
    for (auto& [path, node] : *names) node = copies.at(node);
  }
  for (Operation& operation : result.journal_) {
    if (operation.node != nullptr) operation.node = copies.at(operation.node);
  }
  return result;
}

Names::Map Names::after_crash(std::size_t count) const {
  Map names = durable_;
  for (std::size_t i = 0; i < count; ++i) apply(names, journal_[i]);
  return names;
}

}  // namespace utan::os::sim
