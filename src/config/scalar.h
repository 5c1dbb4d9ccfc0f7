// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/rate.h"
#include "common/result.h"

namespace lb::config {

using std::chrono::milliseconds;

// How one kind of value is read: what it must be, in words that follow "must be", and how its text
// becomes a T. The errors of `parse` say what is wrong and what is allowed.
template <typename T>
struct Scalar {
  std::string expected;
  std::function<Result<T>(std::string_view)> parse;
  bool any_bytes = false;  // control characters are allowed
};

// "off", "false" and "no" are one word: YAML 1.1 tools write the one for the other.
bool is_off(std::string_view text);

Scalar<bool> boolean();                                             // true on yes | false off no
Scalar<uint32_t> whole_number(uint32_t min, uint32_t max);          // decimal
Scalar<milliseconds> duration(milliseconds min, milliseconds max);  // 250ms 2s 5m 1h 1d
Scalar<milliseconds> whole_seconds(milliseconds min, milliseconds max);
Scalar<uint64_t> size(uint64_t min, uint64_t max);  // 512B 64KiB 10MiB 1GiB kB MB GB; bytes
Scalar<uint32_t> percentage();                      // 0% to 100%, whole
Scalar<std::string> text(size_t min, size_t max);   // any bytes
Scalar<std::string> absolute_path();
Scalar<std::string> file_path();  // absolute or relative

Scalar<Rate> rate();  // 100/s 600/m, with a burst of one second's worth, at least 1

std::string to_string(milliseconds duration);  // 90s as "90s", 120s as "2m"

// A word of an enumeration that is known and still refused; one that ends in ':' stands for all
// that begin with it.
struct RefusedWord {
  std::string_view word;
  std::string_view why;
};

inline constexpr std::string_view kNotBuilt = "known, but not built into this version";

// "'x' is not one of a, b, c; did you mean 'a'?"
std::string not_one_of(std::string_view text, const std::vector<std::string_view>& words);

template <typename T>
struct Word {
  std::string_view word;
  T value;
  bool is_alias = false;  // understood, not listed
};

template <typename T>
Scalar<T> one_of(std::vector<Word<T>> words, std::vector<RefusedWord> refused = {}) {
  std::vector<std::string_view> listed;
  for (const Word<T>& word : words) {
    if (!word.is_alias) listed.push_back(word.word);
  }
  std::string expected = "one of";
  for (size_t i = 0; i < listed.size(); ++i) {
    expected.append(i == 0 ? " " : ", ").append(listed[i]);
  }
  auto parse = [words = std::move(words), refused = std::move(refused),
                listed = std::move(listed)](std::string_view text) -> Result<T> {
    for (const Word<T>& word : words) {
      if (word.word == text) return word.value;
    }
    for (const RefusedWord& word : refused) {
      bool is_prefix = word.word.ends_with(':');
      if (is_prefix ? text.starts_with(word.word) : text == word.word) {
        return fail("'" + std::string(text.substr(0, 60)) + "' is " + std::string(word.why));
      }
    }
    return fail(not_one_of(text, listed));
  };
  return {std::move(expected), std::move(parse)};
}

// `off` besides what `scalar` reads.
template <typename T>
Scalar<T> or_off(Scalar<T> scalar, T off) {
  std::string expected = scalar.expected + ", or off";
  auto parse = [inner = std::move(scalar.parse), off = std::move(off)](std::string_view text) {
    return is_off(text) ? Result<T>(off) : inner(text);
  };
  return {std::move(expected), std::move(parse)};
}

// The same where `off` leaves the value absent.
template <typename T>
Scalar<std::optional<T>> optional_or_off(Scalar<T> scalar) {
  std::string expected = scalar.expected + ", or off";
  auto parse = [inner =
                    std::move(scalar.parse)](std::string_view text) -> Result<std::optional<T>> {
    if (is_off(text)) return std::optional<T>();
    auto value = inner(text);
    if (!value) return Unexpected{value.error()};
    return std::optional<T>(std::move(*value));
  };
  return {std::move(expected), std::move(parse)};
}

}  // namespace lb::config
