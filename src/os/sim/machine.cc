#include "os/sim/machine.h"

#include "base/check.h"
#include "os/sim/world.h"

namespace utan::os::sim {
namespace {

// Files of `names` in the world `to`, each filled by `fill`.
template <class Fill>
void copy_files(World& to, const Names::Map& names, Fill fill) {
  for (const auto& [path, node] : names) {
    auto copy = std::make_shared<Node>(node->file.status(), to.reservation);
    fill(node->file, copy->file);
    to.names.create(path, std::move(copy));
  }
  to.names.flush_all();
}

std::shared_ptr<Node> find_or_die(const World& world, const std::string& path) {
  auto node = world.names.find(normalized(path));
  CHECK(node != nullptr);
  return node;
}

}  // namespace

const char* call_name(CallKind kind) {
  static constexpr const char* names[] = {
#define UTAN_SIM_CALL_NAME(name) #name,
      UTAN_SIM_CALL_LIST(UTAN_SIM_CALL_NAME)
#undef UTAN_SIM_CALL_NAME
  };
  return names[static_cast<unsigned>(kind)];
}

Machine::Machine(std::uint64_t seed, ByteCount reservation) : world_(std::make_unique<World>(seed, reservation)) {}

Machine::Machine(std::unique_ptr<World> world) : world_(std::move(world)) {}

Machine::~Machine() = default;

Process& Machine::start_process() {
  const std::lock_guard lock(world_->mutex);
  const auto id = static_cast<std::uint32_t>(world_->processes.size() + 1);
  return *world_->processes.emplace_back(std::make_unique<Process>(*world_, id));
}

void Machine::on_call(CallHook hook) {
  const std::lock_guard lock(world_->mutex);
  world_->hook = hook ? std::make_shared<const CallHook>(std::move(hook)) : nullptr;
}

std::uint64_t Machine::call_count() const {
  const std::lock_guard lock(world_->mutex);
  return world_->call_next;
}

void Machine::capture() {
  const std::lock_guard lock(world_->mutex);
  // Also files that have lost their name, if a crash can give it back.
  for (const auto& node : world_->names.reachable()) node->file.capture();
}

std::unique_ptr<Machine> Machine::crash_image(Random& random) {
  capture();
  const std::lock_guard lock(world_->mutex);
  auto next = world_->successor(false, random.next());
  const Names& names = world_->names;
  const auto kept = static_cast<std::size_t>(random.below(names.unflushed_count() + 1));
  copy_files(*next, names.after_crash(kept),
             [&random](const DiskFile& from, DiskFile& to) { from.fill_after_crash(to, random); });
  return std::unique_ptr<Machine>(new Machine(std::move(next)));
}

std::unique_ptr<Machine> Machine::reboot_image() {
  const std::lock_guard lock(world_->mutex);
  auto next = world_->successor(false, world_->image_random.next());
  copy_files(*next, world_->names.now(), [](const DiskFile& from, DiskFile& to) { from.fill_as_is(to); });
  return std::unique_ptr<Machine>(new Machine(std::move(next)));
}

std::unique_ptr<Machine> Machine::kill_image() {
  capture();
  const std::lock_guard lock(world_->mutex);
  auto next = world_->successor(true, world_->image_random.next());
  std::map<std::shared_ptr<Node>, std::shared_ptr<Node>> copies;
  for (const auto& node : world_->names.reachable()) {
    auto copy = std::make_shared<Node>(node->file.status(), next->reservation);
    node->file.fill_with_history(copy->file);
    copies.emplace(node, std::move(copy));
  }
  next->names = world_->names.copied(copies);
  return std::unique_ptr<Machine>(new Machine(std::move(next)));
}

void Machine::advance(Nanoseconds duration) {
  const std::lock_guard lock(world_->mutex);
  world_->advance(duration);
}

void Machine::set_wall(Nanoseconds now) {
  const std::lock_guard lock(world_->mutex);
  world_->wall = now;
}

void Machine::set_medium(const Medium& medium) {
  const std::lock_guard lock(world_->mutex);
  world_->medium = medium;
}

void Machine::fill_disk_after(std::uint64_t growths, int system_error) {
  const std::lock_guard lock(world_->mutex);
  world_->growth_max = world_->growth_count + growths;
  world_->full_error = system_error;
}

void Machine::free_disk() {
  const std::lock_guard lock(world_->mutex);
  world_->growth_max = std::nullopt;
}

std::uint64_t Machine::growth_count() const {
  const std::lock_guard lock(world_->mutex);
  return world_->growth_count;
}

std::uint64_t Machine::refused_growth_count() const {
  const std::lock_guard lock(world_->mutex);
  return world_->refused_growth_count;
}

void Machine::set_environment(const std::string& name, const std::string& value) {
  const std::lock_guard lock(world_->mutex);
  world_->environment[name] = value;
}

void Machine::make_folder(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  world_->names.make_folder(normalized(path));
}

void Machine::make_fifo(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  world_->names.create(normalized(path), world_->make_node(FileKind::other, 0600));
  world_->names.flush_all();
}

bool Machine::exists(const std::string& path) const {
  const std::lock_guard lock(world_->mutex);
  const std::string name = normalized(path);
  return world_->names.is_folder(name) || world_->names.find(name) != nullptr;
}

std::vector<std::string> Machine::file_names() const {
  const std::lock_guard lock(world_->mutex);
  std::vector<std::string> result;
  for (const auto& [path, node] : world_->names.now()) result.push_back(path);
  return result;
}

std::vector<std::byte> Machine::content(const std::string& path) const {
  const std::lock_guard lock(world_->mutex);
  const auto bytes = find_or_die(*world_, path)->file.content();
  return {bytes.begin(), bytes.end()};
}

void Machine::put_file(const std::string& path, std::span<const std::byte> content) {
  const std::lock_guard lock(world_->mutex);
  const std::string name = normalized(path);
  CHECK(world_->names.is_folder(folder_of(name)));
  auto node = world_->make_node(FileKind::regular, 0600);
  node->file.replace_content(content);
  if (world_->names.find(name) != nullptr) world_->names.remove(name);
  world_->names.create(name, std::move(node));
  world_->names.flush_all();
}

void Machine::copy_file(const std::string& from, const std::string& to) { put_file(to, content(from)); }

void Machine::rename_file(const std::string& from, const std::string& to) {
  const std::lock_guard lock(world_->mutex);
  (void)find_or_die(*world_, from);
  world_->names.rename(normalized(from), normalized(to));
  world_->names.flush_all();
}

void Machine::remove_file(const std::string& path) {
  const std::lock_guard lock(world_->mutex);
  (void)find_or_die(*world_, path);
  world_->names.remove(normalized(path));
  world_->names.flush_all();
}

void Machine::restore_in_place(const std::string& path, std::span<const std::byte> content) {
  const std::lock_guard lock(world_->mutex);
  find_or_die(*world_, path)->file.replace_content(content);
}

std::size_t Machine::version_count(const std::string& path, std::size_t page_index) const {
  const std::lock_guard lock(world_->mutex);
  return find_or_die(*world_, path)->file.version_count(page_index);
}

}  // namespace utan::os::sim
