// A list of plain values that holds its first N in place and the rest on the heap.
//
// Adding costs a comparison and a store while there are no more than N. Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace utan {

template <class T, std::size_t N>
class SmallList {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return i < N ? near_[i] : far_[i - N]; }
  const T& operator[](std::size_t i) const { return i < N ? near_[i] : far_[i - N]; }
  // The first of them, up to N: a copy of all N is cheaper than one of as many as there are.
  const std::array<T, N>& near() const { return near_; }
  void push_back(T value) {
    if (size_ < N) [[likely]] {
      near_[size_++] = value;
    } else {
      push_far(value);
    }
  }
  // `count` at most size().
  void shrink(std::size_t count) {
    size_ = count;
    if (!far_.empty()) [[unlikely]]
      far_.resize(count > N ? count - N : 0);
  }
  void clear() { shrink(0); }

 private:
  [[gnu::noinline]] void push_far(T value) {
    far_.push_back(value);
    ++size_;
  }

  std::size_t size_ = 0;
  std::array<T, N> near_;
  std::vector<T> far_;
};

}  // namespace utan
