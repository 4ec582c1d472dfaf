#include "format/header.h"

#include <string>

#include "format/block.h"

namespace utan::format {

Result<FileHeader> choose_header(const FileHeader& first, const FileHeader& second, ByteCount file_size) {
  const FileHeader* best = nullptr;
  bool marked = false;
  for (const FileHeader* header : {&first, &second}) {
    if (std::memcmp(header->magic, magic, sizeof magic) != 0) continue;
    marked = true;
    if (header->checksum != header_checksum(*header)) continue;
    if (best == nullptr || header->sequence > best->sequence) best = header;
  }
  if (!marked) return Error(Code::format, "this is not a Utan store: it does not begin with Utan's mark");
  if (best == nullptr) return Error(Code::corruption, "both copies of the header fail their checksum");
  if (best->version > format_version || best->version < format_version_oldest) {
    return Error(Code::version, "the store has format version " + std::to_string(best->version) +
                                    "; this library reads versions " + std::to_string(format_version_oldest) + " to " +
                                    std::to_string(format_version) + ": use " +
                                    (best->version > format_version ? "a newer" : "the older") + " Utan");
  }
  if (file_size.value < file_size_min) {
    return Error(Code::corruption, "the file is truncated: " + std::to_string(file_size.value) +
                                       " bytes, a store has at least " + std::to_string(file_size_min));
  }
  if (best->chunk_size < chunk_size_min || best->chunk_size > chunk_size_max || best->clean > 1 ||
      best->durability > 2 || best->trusted_from > file_size_max / segment_size ||
      best->number_floor >= commit_number_max) {
    return Error(Code::corruption, "the header holds impossible settings");
  }
  return *best;
}

bool valid_slot(const CheckpointSlot& slot, const StoreId& store) {
  return std::memcmp(slot.magic, magic, sizeof magic) == 0 && slot.checksum == slot_checksum(slot) &&
         slot.store_id == store && slot.number != 0 && slot.number < commit_number_max &&
         slot.file_size >= file_size_min && slot.file_size <= file_size_max && slot.offset >= regions_offset &&
         slot.offset % 16 == 0 && slot.offset <= slot.file_size - commit_block_size;
}

}  // namespace utan::format
