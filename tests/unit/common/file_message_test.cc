// SPDX-License-Identifier: MIT
#include "common/file_message.h"

#include <gtest/gtest.h>

#include <climits>
#include <string>

namespace lb {
namespace {

constexpr size_t kRequestHead = 16;

std::string request_bytes(const std::string& path) {
  return *to_bytes(FileRequest{.id = 7, .use = FileUse::append, .path = path});
}

TEST(FileMessage, IsReadAsItWasWritten) {
  for (const std::string& path : {std::string("/a"), std::string(PATH_MAX - 1, 'x')}) {
    auto request = parse_file_request(request_bytes(path));
    ASSERT_TRUE(request);
    EXPECT_EQ(request->id, 7U);
    EXPECT_EQ(request->use, FileUse::append);
    EXPECT_EQ(request->path, path);
    EXPECT_LE(request_bytes(path).size(), kMaxFileMessage);
  }
  auto answer = parse_file_answer(to_bytes(FileAnswer{.id = 8, .problem = "no"}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, 8U);
  EXPECT_EQ(answer->problem, "no");
}

TEST(FileMessage, IsNotWrittenForWhatNobodyWouldTake) {
  const FileRequest rows[] = {{.path = ""},
                              {.path = std::string(PATH_MAX, 'x')},
                              {.path = std::string("/a\0b", 4)},
                              {.use = FileUse::replace, .path = "/a"}};
  for (const FileRequest& row : rows) EXPECT_FALSE(to_bytes(row)) << row.path.size();
}

TEST(FileMessage, AProblemIsCut) {
  auto answer = parse_file_answer(to_bytes(FileAnswer{.problem = std::string(9'000, 'x')}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->problem.size(), 500U);
}

TEST(FileMessage, OtherBytesAreNone) {
  std::string whole = request_bytes("/a");
  for (size_t size = 0; size <= kRequestHead; ++size) {
    EXPECT_FALSE(parse_file_request(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_file_request(whole + '\0'));
  EXPECT_FALSE(parse_file_request(whole + std::string(PATH_MAX, 'x')));
  for (size_t at = 8; at < kRequestHead; ++at) {  // the use: neither of the two
    std::string other = whole;
    other[at] = '\x02';
    EXPECT_FALSE(parse_file_request(other)) << at;
  }
  EXPECT_FALSE(parse_file_answer("1234567"));
  EXPECT_FALSE(parse_file_answer(std::string(8 + 501, 'x')));
}

}  // namespace
}  // namespace lb
