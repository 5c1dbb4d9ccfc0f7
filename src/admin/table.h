// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lb::admin {

// Rows for a terminal, in columns as wide as they need to be; numbers stand at the right.
class Table {
 public:
  struct Column {
    std::string title;
    bool is_number = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lb::admin
