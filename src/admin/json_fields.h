// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/result.h"

namespace lb::admin {

// What is wrong with a request's body, and where: "servers[2].weight".
struct FieldError {
  std::string path;
  std::string message;
};

// The fields of a JSON object, asked for one by one, as config::Section is for the file. finish()
// tells the first problem; fields that were not asked for are one.
class JsonFields {
 public:
  explicit JsonFields(const Json& body);

  std::optional<std::string> text(std::string_view name, size_t longest);
  std::optional<uint32_t> whole_number(std::string_view name, uint32_t min, uint32_t max);
  std::optional<bool> boolean(std::string_view name);
  // One of these words.
  std::optional<std::string> word(std::string_view name,
                                  const std::vector<std::string_view>& allowed);
  // The value as it is; null when absent.
  const Json* any(std::string_view name);

  // The body must hold this field.
  void require(std::string_view name);
  // A problem that the caller found.
  void error(std::string path, std::string message);
  std::optional<FieldError> finish();

 private:
  const Json& body_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> required_;
  std::optional<FieldError> error_;
};

}  // namespace lb::admin
