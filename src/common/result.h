// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace lb {

// What went wrong, in words for the person who has to mend it.
struct Error {
  std::string message;
};

// Marks a value as the failure of a Result, as std::unexpected does in C++23.
template <typename E>
struct Unexpected {
  E error;
};
template <typename E>
Unexpected(E) -> Unexpected<E>;

inline Unexpected<Error> fail(std::string message) {
  return {Error{std::move(message)}};
}

// A value or the reason why there is none: the names of C++23's std::expected. Reading the value of
// a failure throws std::bad_variant_access, a programmer's error.
template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  template <typename F>
  Result(Unexpected<F> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  E& error() & { return std::get<1>(state_); }
  const E& error() const& { return std::get<1>(state_); }
  E&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, E> state_;
};

// The result of an action that yields nothing but success.
struct Done {};
template <typename E = Error>
using Status = Result<Done, E>;

}  // namespace lb
