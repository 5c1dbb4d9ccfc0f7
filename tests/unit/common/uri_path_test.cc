// SPDX-License-Identifier: MIT
#include "common/uri_path.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(UriPath, IsBroughtIntoOneForm) {
  struct Row {
    const char* path;
    const char* form;  // null: refused
  };
  const Row rows[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/", "/a/"},
      {"//a//b", "//a//b"},
      {"/%61", "/a"},
      {"/%41%7e%2d%2E%5f", "/A~-._"},
      {"/%2f", "/%2F"},
      {"/a%2Fb", "/a%2Fb"},
      {"/a%5cb", "/a%5Cb"},
      {"/a%00b", "/a%00b"},
      {"/%c3%a4", "/%C3%A4"},
      {"/%2561", "/%2561"},
      {"/.", "/"},
      {"/./a", "/a"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/../b", "/b"},
      {"/a/b/../../c", "/c"},
      {"/a/%2e%2e/b", "/b"},
      {"/a/.%2E/b", "/b"},
      {"/a/..b", "/a/..b"},
      {"/a/...", "/a/..."},
      {"/.a", "/.a"},
      {"/a//../b", "/a/b"},
      {"/a/..%2fb", "/a/..%2Fb"},
      {"/..", nullptr},
      {"/../a", nullptr},
      {"/a/../..", nullptr},
      {"/a/../../b", nullptr},
      {"/%2e%2e/a", nullptr},
      {"/%", nullptr},
      {"/%2", nullptr},
      {"/%zz", nullptr},
      {"/a%2", nullptr},
  };
  for (const Row& row : rows) {
    auto form = normalized_path(row.path);
    ASSERT_EQ(form.has_value(), row.form != nullptr) << row.path;
    if (!form) continue;
    EXPECT_EQ(*form, row.form) << row.path;
    EXPECT_EQ(normalized_path(*form), form) << row.path << ": twice is once";
    EXPECT_TRUE(!is_normalized(row.path) || *form == row.path) << row.path;
  }
}

}  // namespace
}  // namespace lb
