// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/overlay.h"
#include "common/result.h"

namespace lb {

// What was changed at run time and shall survive a restart: the content of admin.state_file.
struct SavedState {
  // A configuration that was put in the place of the file.
  struct Replacement {
    std::string text;          // ConfigDocument::to_store()
    uint64_t in_place_of = 0;  // the fingerprint of the file that it replaces

    friend bool operator==(const Replacement&, const Replacement&) = default;
  };

  Overlay overlay;
  std::optional<Replacement> replacement;
  std::string cookie_key;  // that signs the cookies of pools without keys of their own

  friend bool operator==(const SavedState&, const SavedState&) = default;
};

std::string to_text(const SavedState& state);
// The error says what is wrong with a text that to_text() has not made.
Result<SavedState> parse_state(std::string_view text);

}  // namespace lb
