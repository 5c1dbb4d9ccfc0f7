// SPDX-License-Identifier: MIT
#include "admin/json_fields.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "config/suggest.h"

namespace lb::admin {

namespace {

constexpr size_t kShownName = 60;

std::string_view kind_of(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "true or false";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a text";
  return value.is_array() ? "a list" : "an object";
}

}  // namespace

JsonFields::JsonFields(const Json& body) : body_(body) {
  if (!body_.is_object()) error("", fmt::format("must be a JSON object, not {}", kind_of(body_)));
}

const Json* JsonFields::any(std::string_view name) {
  known_.push_back(name);
  if (!body_.is_object()) return nullptr;
  auto found = body_.find(name);
  return found == body_.end() ? nullptr : &*found;
}

std::optional<std::string> JsonFields::text(std::string_view name, size_t longest) {
  const Json* value = any(name);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    error(std::string(name), fmt::format("must be a text, not {}", kind_of(*value)));
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.empty() || text.size() > longest) {
    error(std::string(name), fmt::format("must be a text of 1 to {} bytes", longest));
    return {};
  }
  return text;
}

std::optional<uint32_t> JsonFields::whole_number(std::string_view name, uint32_t min,
                                                 uint32_t max) {
  const Json* value = any(name);
  if (value == nullptr) return {};
  bool in_range =
      value->is_number_unsigned() && value->get<uint64_t>() >= min && value->get<uint64_t>() <= max;
  if (in_range) return value->get<uint32_t>();
  std::string_view what = value->is_number() ? "" : kind_of(*value);
  std::string message = fmt::format("must be a whole number from {} to {}", min, max);
  if (!what.empty()) message += fmt::format(", not {}", what);
  error(std::string(name), std::move(message));
  return {};
}

std::optional<bool> JsonFields::boolean(std::string_view name) {
  const Json* value = any(name);
  if (value == nullptr) return {};
  if (value->is_boolean()) return value->get<bool>();
  error(std::string(name), fmt::format("must be true or false, not {}", kind_of(*value)));
  return {};
}

std::optional<std::string> JsonFields::word(std::string_view name,
                                            const std::vector<std::string_view>& allowed) {
  const Json* value = any(name);
  if (value == nullptr) return {};
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return text;
  }
  error(std::string(name), fmt::format("must be one of {}", fmt::join(allowed, ", ")));
  return {};
}

void JsonFields::require(std::string_view name) {
  required_.push_back(name);
}

void JsonFields::error(std::string path, std::string message) {
  if (!error_) error_ = FieldError{std::move(path), std::move(message)};
}

std::optional<FieldError> JsonFields::finish() {
  if (error_ || !body_.is_object()) return error_;
  for (const auto& [name, value] : body_.items()) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    std::string_view meant = config::closest(name, known_);
    std::string hint = fmt::format("did you mean '{}'?", meant);
    if (meant.empty()) hint = fmt::format("the fields here are {}", fmt::join(known_, ", "));
    if (known_.empty()) hint = "there are none here";
    error(name.substr(0, kShownName), "unknown field; " + hint);
    return error_;
  }
  for (std::string_view name : required_) {
    if (!body_.contains(name)) error(std::string(name), "is missing");
  }
  return error_;
}

}  // namespace lb::admin
