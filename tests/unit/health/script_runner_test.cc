// SPDX-License-Identifier: MIT
#include "health/script_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "../loopback.h"
#include "health/script_message.h"

namespace lb {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;
using Outcome = ScriptRunner::Outcome;
using Words = std::vector<std::string>;
using Pids = std::set<pid_t>;

constexpr milliseconds kLong{10'000};

std::string read_all(const std::filesystem::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

Pids children_of(pid_t pid) {
  auto name = std::to_string(pid);
  std::stringstream listed(
      read_all(std::filesystem::path("/proc") / name / "task" / name / "children"));
  Pids found;
  for (pid_t child = 0; listed >> child;) found.insert(child);
  return found;
}

bool is_alive(pid_t pid) {
  return kill(pid, 0) == 0;
}

// A directory of its own for a test's files.
class Files {
 public:
  Files() {
    char name[] = "/tmp/lb-script-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    directory_ = name;
  }
  ~Files() { std::filesystem::remove_all(directory_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::string path(const std::string& name) const { return directory_ / name; }
  std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(path(name)) << text;
    chmod(path(name).c_str(), mode);
    return path(name);
  }

 private:
  std::filesystem::path directory_;
};

class ScriptRunnerTest : public testing::Test {
 protected:
  ScriptRunnerTest() { start({}); }

  void start(ScriptLimits limits) {
    auto process = ScriptProcess::start(std::move(limits));
    if (!process) throw std::runtime_error(process.error().message);
    host_ = process->pid();
    runner_.emplace(loop_, std::move(*process));
  }

  Outcome run(const Words& command, milliseconds timeout = kLong, CheckedServer server = {}) {
    std::optional<Outcome> outcome;
    runner_->run(command, std::move(server), timeout, [&](const Outcome& o) { outcome = o; });
    EXPECT_FALSE(outcome) << "called back from within run()";
    EXPECT_TRUE(run_until(loop_, [&] { return outcome.has_value(); }));
    return outcome.value_or(Outcome{.detail = "no answer"});
  }
  Outcome sh(const std::string& text, milliseconds timeout = kLong) {
    return run({"/bin/sh", "-c", text}, timeout);
  }
  // The number that a script wrote into a file.
  pid_t pid_in(const std::string& file) {
    pid_t pid = 0;
    run_until(loop_, [&] { return bool(std::ifstream(file) >> pid); });
    return pid;
  }
  bool nothing_runs() {
    return run_until(loop_, [&] { return children_of(host_).empty(); });
  }

  EventLoop loop_;
  pid_t host_ = 0;
  std::optional<ScriptRunner> runner_;
  Files files_;
};

TEST_F(ScriptRunnerTest, RunsNothingElseWhereTheCommandsAreKnown) {
  start({.may_run = [](const Words& command) { return command == Words{"/bin/true"}; }});
  EXPECT_TRUE(run({"/bin/true"}).passed);
  const Words others[] = {{"/bin/echo"}, {"/bin/true", "x"}, {"true"}};
  for (const Words& command : others) {
    auto outcome = run(command);
    EXPECT_FALSE(outcome.passed);
    EXPECT_EQ(outcome.detail, "not run: the file names no such command");
  }
}

TEST_F(ScriptRunnerTest, RunsScriptsAsTheUserThatItIsGiven) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  auto nobody = find_user("nobody");
  ASSERT_TRUE(nobody);
  start({.user = *nobody});
  EXPECT_EQ(sh("id -un; id -G").detail, "nobody");
  EXPECT_EQ(sh("grep -c '^CapEff:.0*$' /proc/self/status").detail, "1");
}

TEST_F(ScriptRunnerTest, TellsHowAScriptEnded) {
  struct Row {
    const char* what;
    std::string text;
    bool passed;
    std::string detail;
  };
  const Row rows[] = {
      {"well, silently", "exit 0", true, "exit status 0"},
      {"well, with a word", "echo all is well", true, "all is well"},
      {"the first line counts", "printf 'one\\ntwo\\n'", true, "one"},
      {"an empty first line", "printf '\\nline two\\n'", true, "exit status 0"},
      {"a line in pieces", "printf 'o'; sleep 0.02; printf 'ne\\ntwo'", true, "one"},
      {"a line as DOS ends it", "printf 'one\\r\\ntwo'", true, "one"},
      {"a line without an end", "printf 'no end'", true, "no end"},
      {"badly", "exit 3", false, "exit status 3"},
      {"badly, with a word", "echo disk full; exit 1", false, "exit status 1: disk full"},
      {"badly, with an error", "echo broken >&2; exit 2", false, "exit status 2: broken"},
      {"by a signal", "kill -SEGV $$", false, "killed by signal 11 (Segmentation fault)"},
      {"by a signal that lb ignores", "kill -TERM $$", false, "killed by signal 15 (Terminated)"},
      {"a long line", "head -c 5000 /dev/zero | tr '\\0' x", true, std::string(200, 'x')},
  };
  for (const Row& row : rows) {
    Outcome outcome = sh(row.text);
    EXPECT_TRUE(outcome.ran) << row.what;
    EXPECT_EQ(outcome.passed, row.passed) << row.what;
    EXPECT_EQ(outcome.detail, row.detail) << row.what;
  }
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ScriptRunnerTest, SaysWhyACommandCannotRun) {
  std::string plain = files_.write("plain", "#!/bin/sh\n", 0600);
  std::string nonsense = files_.write("nonsense", "\x01\x02\x03", 0700);
  std::string lost = files_.write("lost", "#!/no/such/shell\n", 0700);
  struct Row {
    std::string path;
    std::string why;
  };
  const Row rows[] = {
      {files_.path("missing"), "No such file or directory"},
      {"/", "Permission denied"},
      {plain, "Permission denied"},
      {lost, "No such file or directory"},
  };
  for (const Row& row : rows) {
    Outcome outcome = run({row.path});
    EXPECT_TRUE(outcome.ran);
    EXPECT_FALSE(outcome.passed);
    EXPECT_EQ(outcome.detail, "exit status 127: cannot run " + row.path + ": " + row.why);
  }
  // A file without "#!" is a shell's (POSIX, execvp); what the shell says of it is its own.
  EXPECT_FALSE(run({nonsense}).passed);
}

TEST_F(ScriptRunnerTest, AScriptThatHangsIsKilledWithAllThatItStarted) {
  std::string first = files_.path("first");
  std::string second = files_.path("second");
  auto began_ms = monotonic_ms();
  Outcome outcome = sh("echo starting; sleep 1000 & echo $! >" + first +
                           "; (sleep 1000 & echo $! >" + second + "); sleep 1000",
                       milliseconds(2'000));
  EXPECT_FALSE(outcome.passed);
  EXPECT_EQ(outcome.detail, "timeout: starting");
  EXPECT_LT(monotonic_ms() - began_ms, 20'000);
  pid_t pids[] = {pid_in(first), pid_in(second)};
  for (pid_t pid : pids) {
    ASSERT_GT(pid, 0);
    EXPECT_TRUE(run_until(loop_, [&] { return !is_alive(pid); }));
  }
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ScriptRunnerTest, WhatAScriptLeavesBehindIsKilled) {
  std::string file = files_.path("pid");
  Outcome outcome = sh("sleep 1000 & echo $! >" + file + "; echo left one");
  EXPECT_TRUE(outcome.passed);
  EXPECT_EQ(outcome.detail, "left one");
  pid_t pid = pid_in(file);
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(run_until(loop_, [&] { return !is_alive(pid); }));
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ScriptRunnerTest, WhatLeavesItsGroupIsReaped) {
  std::string file = files_.path("pid");
  EXPECT_TRUE(sh("setsid sh -c 'echo $$ >" + file + "; sleep 0.2' & sleep 0.1").passed);
  pid_t pid = pid_in(file);
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(run_until(loop_, [&] { return !is_alive(pid); })) << "not even a zombie";
}

TEST_F(ScriptRunnerTest, AScriptThatPrintsTooMuchIsKilled) {
  for (const char* text :
       {"head -c 1000000 /dev/zero | tr '\\0' x; sleep 1000", "yes", "yes >&2"}) {
    Outcome outcome = sh(text);
    EXPECT_FALSE(outcome.passed) << text;
    EXPECT_THAT(outcome.detail, StartsWith("printed more than 64 KiB: ")) << text;
    EXPECT_LE(outcome.detail.size(), 230U);
  }
  EXPECT_TRUE(nothing_runs());
  EXPECT_TRUE(sh("head -c 60000 /dev/zero").passed) << "that much is allowed";
}

TEST_F(ScriptRunnerTest, AScriptHasNoDescriptorOfOurs) {
  int leaked = open("/dev/null", O_RDONLY);  // one that would pass through exec
  EXPECT_EQ(run({"/bin/ls", "-m", "/proc/self/fd"}).detail, "0, 1, 2, 3") << "3 is its own";
  EXPECT_EQ(sh("readlink /proc/$$/fd/0").detail, "/dev/null");
  EXPECT_EQ(
      sh("test \"$(readlink /proc/$$/fd/1)\" = \"$(readlink /proc/$$/fd/2)\" && echo one pipe")
          .detail,
      "one pipe");
  close(leaked);
}

TEST_F(ScriptRunnerTest, AScriptLeadsItsOwnGroupWithSignalsAsUsual) {
  EXPECT_TRUE(sh("test $(ps -o pgid= $$) = $$").passed);
  EXPECT_EQ(sh("grep SigIgn /proc/$$/status | tr -d '\\t'").detail, "SigIgn:0000000000000000");
  EXPECT_EQ(sh("grep SigBlk /proc/$$/status | tr -d '\\t'").detail, "SigBlk:0000000000000000");
}

TEST_F(ScriptRunnerTest, AScriptFindsItsServerInVariables) {
  std::string script =
      "echo \"$LB_SERVER_NAME|$LB_SERVER_ADDRESS|$LB_SERVER_HOST|$LB_SERVER_PORT|$1\";"
      "test -n \"$PATH\"";
  Outcome outcome = run({"/bin/sh", "-c", script, "sh", "an argument"}, kLong,
                        {"one two", "a=b", "LD_PRELOAD=x", ""});
  EXPECT_TRUE(outcome.passed);
  EXPECT_EQ(outcome.detail, "one two|a=b|LD_PRELOAD=x||an argument");
}

TEST(ScriptMessage, ARequestHasNoOtherVariables) {
  auto bytes = to_bytes(ScriptRequest{.command = {"/bin/true"}, .server = {.name = "one"}});
  ASSERT_TRUE(bytes && parse_script_request(*bytes));
  for (std::string more : {"LD_PRELOAD=x", "LB_SERVER_NAME=x", ""}) {
    EXPECT_FALSE(parse_script_request(*bytes + more + '\0')) << more;
  }
}

TEST_F(ScriptRunnerTest, ManyRunAtOnceAndNoneWaitsForAnother) {
  int passed = 0;
  int late = 0;
  for (int i = 0; i < 20; ++i) {
    runner_->run({"/bin/sleep", "1000"}, {}, milliseconds(5'000),
                 [&](const Outcome& outcome) { late += outcome.detail == "timeout"; });
    runner_->run({"/bin/sh", "-c", "exit 0"}, {}, kLong,
                 [&](const Outcome& outcome) { passed += outcome.passed; });
  }
  EXPECT_TRUE(run_until(loop_, [&] { return passed == 20; }));
  EXPECT_EQ(late, 0) << "the quick ones did not wait";
  EXPECT_TRUE(run_until(loop_, [&] { return late == 20; }));
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ScriptRunnerTest, MoreThanTheSocketHoldsAreRunInTheEnd) {
  const std::string long_word(3'000, 'x');
  int passed = 0;
  for (int i = 0; i < 200; ++i) {
    runner_->run({"/bin/true", long_word}, {}, milliseconds(60'000),
                 [&](const Outcome& outcome) { passed += outcome.passed; });
  }
  EXPECT_TRUE(run_until(loop_, [&] { return passed == 200; }));
}

TEST_F(ScriptRunnerTest, AForgottenScriptCallsNobody) {
  bool called = false;
  runner_->forget(runner_->run({"/bin/true"}, {}, kLong, [&](const Outcome&) { called = true; }));
  EXPECT_TRUE(sh("exit 0").passed);
  EXPECT_TRUE(sh("exit 0").passed);
  EXPECT_FALSE(called);
}

TEST_F(ScriptRunnerTest, AllThatRunsEndsWithTheRunner) {
  std::string file = files_.path("pid");
  runner_->run({"/bin/sh", "-c", "echo $$ >" + file + "; sleep 1000"}, {}, kLong,
               [](const Outcome&) {});
  pid_t pid = pid_in(file);
  ASSERT_GT(pid, 0);
  runner_.reset();
  EXPECT_TRUE(run_until(loop_, [&] { return !is_alive(pid); }));
  EXPECT_FALSE(is_alive(host_)) << "not even a zombie";
}

TEST_F(ScriptRunnerTest, IgnoresTheSignalsThatAreMeantForLb) {
  for (int number : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) kill(host_, number);
  EXPECT_TRUE(sh("exit 0").passed);
}

TEST_F(ScriptRunnerTest, ScriptsEndWithTheProcessThatRunsThem) {
  std::string file = files_.path("pid");
  std::optional<Outcome> outcome;
  runner_->run({"/bin/sh", "-c", "echo $$ >" + file + "; exec sleep 1000"}, {}, kLong,
               [&](const Outcome& o) { outcome = o; });
  pid_t pid = pid_in(file);
  ASSERT_GT(pid, 0);
  kill(host_, SIGKILL);
  EXPECT_TRUE(run_until(loop_, [&] { return outcome.has_value(); }));
  EXPECT_FALSE(outcome->ran);
  EXPECT_THAT(outcome->detail, HasSubstr("no process to run scripts in"));
  EXPECT_FALSE(is_alive(host_)) << "it was reaped";
  Outcome later = run({"/bin/true"});
  EXPECT_FALSE(later.ran);
}

TEST(ScriptRunner, WithoutAProcessNothingRuns) {
  EventLoop loop;
  ScriptRunner runner(loop, {});
  std::optional<Outcome> outcome;
  runner.run({"/bin/true"}, {}, kLong, [&](const Outcome& o) { outcome = o; });
  EXPECT_FALSE(outcome);
  ASSERT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
  EXPECT_FALSE(outcome->ran);
}

}  // namespace
}  // namespace lb
