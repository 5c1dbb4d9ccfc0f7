// SPDX-License-Identifier: MIT
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/commands.h"
#include "admin/top.h"
#include "app/demo.h"
#include "app/descriptors.h"
#include "app/outside.h"
#include "app/process.h"
#include "app/sandbox.h"
#include "app/sandbox_proof.h"
#include "app/tls_inspection.h"
#include "common/log.h"
#include "common/result.h"
#include "config/loader.h"
#include "config/one_line.h"

namespace {

constexpr int kRunTimeError = 1;
constexpr int kUsageError = 2;

const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing writes it
}

int report(const std::vector<lb::ConfigProblem>& problems, const std::string& file) {
  for (const lb::ConfigProblem& problem : problems) {
    fmt::print(stderr, "{}\n", problem.to_string(file));
  }
  return kUsageError;
}

int check(const std::string& file, bool sandbox) {
  auto loaded = lb::load_config(file, &lb::tls_inspector());
  if (!loaded) return report(loaded.error(), file);
  for (const lb::ConfigProblem& warning : loaded->warnings) {
    fmt::print(stderr, "warning: {}\n", warning.to_string(file));
  }
  fmt::print("{}: ok\n", file);
  if (sandbox && !lb::prove_sandbox(loaded->config, file)) return kRunTimeError;
  return 0;
}

// `name` is what messages call the configuration, `file` where it is; empty: nowhere.
int run(const std::string& name, const std::string& file,
        const std::function<decltype(lb::load_config(""))()>& load) {
  auto failed = [](const lb::Error& error) {
    fmt::print(stderr, "lb: {}\n", error.message);
    return kRunTimeError;
  };
  auto loaded = load();
  if (!loaded) return report(loaded.error(), name);
  auto enough =
      lb::enough_descriptors(lb::raise_descriptor_limit(), lb::worker_count(loaded->config));
  if (!enough) return failed(enough.error());
  auto sandbox = lb::Sandbox::plan(loaded->config, file);
  if (!sandbox) return failed(sandbox.error());
  auto outside = lb::start_outside(loaded->config, file, *sandbox);
  if (!outside) return failed(outside.error());
  lb::Process process({name, load, std::filesystem::path(file).parent_path()}, std::move(*loaded),
                      std::move(*outside), std::move(*sandbox));
  int code = process.run();
  lb::log::shutdown();
  return code;
}

// lb tcp, lb udp and lb http: a listener and its servers on the command line.
struct OneLineCommands {
  lb::OneLine line;
  std::vector<CLI::App*> commands;

  void add_to(CLI::App& app) {
    for (const char* protocol : {"tcp", "udp", "http"}) {
      CLI::App* command =
          app.add_subcommand(protocol, std::string("balance ") + protocol +
                                           " without a file: one listener, its servers");
      command->add_option("--listen", line.listen, "where to listen, such as :8080")
          ->required()
          ->delimiter(',');
      command->add_option("--to", line.to, "the servers, such as 10.0.0.1:8080,10.0.0.2:8080")
          ->required()
          ->delimiter(',');
      command->add_option("--balance", line.balance, "how a server is chosen (round_robin)");
      command->add_option("--admin", line.admin,
                          "an admin address, such as 127.0.0.1:9900 (default: none); changes need "
                          "LB_ADMIN_TOKEN");
      commands.push_back(command);
    }
  }

  bool parsed() {
    for (CLI::App* command : commands) {
      if (!command->parsed()) continue;
      line.protocol = command->get_name();
      if (const char* token = variable("LB_ADMIN_TOKEN"); token != nullptr) line.token = token;
      return true;
    }
    return false;
  }

  int run() const {
    return ::run("lb " + line.protocol, "", [line = line] { return lb::load_one_line(line); });
  }
};

// The commands that talk to a running lb.
struct AdminCommands {
  std::string address;
  std::string token_file;
  std::string ca_file;
  std::string pool;
  std::string server;
  bool json = false;
  CLI::App* status = nullptr;
  CLI::App* servers = nullptr;
  CLI::App* drain = nullptr;
  CLI::App* ready = nullptr;
  CLI::App* add = nullptr;
  CLI::App* remove = nullptr;
  CLI::App* reload = nullptr;
  CLI::App* top = nullptr;
  lb::admin::AddOptions added;

  void add_to(CLI::App& app) {
    status = subcommand(app, "status", "is a running lb well, and what are its pools?");
    servers = subcommand(app, "servers", "the servers of a running lb and what they do");
    servers->add_option("--pool", pool, "only those of this pool");
    drain = subcommand(app, "drain", "no new clients for a server; what is open goes on");
    ready = subcommand(app, "ready", "a drained server takes clients again");
    remove = subcommand(app, "remove", "a server leaves its pool; what is open may finish");
    for (CLI::App* command : {drain, ready, remove}) {
      command->add_option("server", server, "POOL/SERVER")->required();
    }
    add = subcommand(app, "add", "a new server for a pool; tells what its first check said");
    add->add_option("pool", added.where, "POOL or POOL/NAME")->required();
    add->add_option("address", added.address, "HOST:PORT")->required();
    add->add_option("--weight", added.weight, "its share (default: 1)")->check(CLI::Range(0, 1000));
    add->add_flag("--backup", added.backup, "used only while no other can be");
    add->add_option("--check-path", added.check_path, "an http check of its own: /health");
    add->add_option("--check-interval", added.check_interval, "how often it is checked: 500ms");
    reload = subcommand(app, "reload", "read the configuration file again; tells what is wrong");
    top = subcommand(app, "top", "what a running lb does, live; q ends it");
  }

  bool parsed() const {
    for (const CLI::App* command : {status, servers, drain, ready, add, remove, reload, top}) {
      if (command->parsed()) return true;
    }
    return false;
  }

  int run() const {
    auto target = lb::admin::find_target(address, token_file, ca_file);
    auto code = target ? run(*target) : lb::Result<int>(lb::Unexpected{target.error()});
    if (code) return *code;
    fmt::print(stderr, "lb: {}\n", code.error().message);
    return 1;
  }

 private:
  CLI::App* subcommand(CLI::App& app, const std::string& name, const std::string& what) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("--admin", address,
                        "its admin address (default: LB_ADMIN, else 127.0.0.1:9900)");
    command->add_option("--token-file", token_file,
                        "a file with its admin.token (default: LB_ADMIN_TOKEN)");
    command->add_option("--ca", ca_file,
                        "for https://: a file with the authority of its certificate (default: "
                        "LB_ADMIN_CA, else this system's)");
    command->add_flag("--json", json, "JSON instead of a table");
    return command;
  }

  lb::Result<int> run(const lb::admin::AdminTarget& target) const {
    if (status->parsed()) return lb::admin::show_status(target, json);
    if (servers->parsed()) return lb::admin::show_servers(target, pool, json);
    if (add->parsed()) return lb::admin::add_server(target, added, json);
    if (remove->parsed()) return lb::admin::remove_server(target, server, json);
    if (reload->parsed()) return lb::admin::reload(target, json);
    if (top->parsed()) return lb::admin::run_top(target, json);
    return lb::admin::set_server_state(target, server, drain->parsed() ? "drain" : "ready", json);
  }
};

}  // namespace

int main(int argc, char** argv) {
  lb::fill_standard_descriptors();
  CLI::App app("lb: a load balancer for TCP, UDP and HTTP");
  app.footer(
      "Without --config the environment configures one HTTP listener: BACKEND_SERVERS\n"
      "(http://host:port,...), ALGORITHM (round_robin), HOST (0.0.0.0), PORT (8080),\n"
      "ADMIN (127.0.0.1:9900, or off), LB_ADMIN_TOKEN.");
  app.set_version_flag("--version", "lb " LB_VERSION);
  std::string file;
  auto* config = app.add_option("--config,-c", file, "the configuration file (lb.yaml)");
  auto* check_command = app.add_subcommand("check", "find every error of a configuration file");
  std::string checked_file;
  check_command->add_option("--config,-c", checked_file, "the configuration file")->required();
  bool checks_sandbox = false;
  check_command->add_flag("--sandbox", checks_sandbox,
                          "also show what lb gives up at start, and prove that it holds");
  auto* demo_command = app.add_subcommand(
      "demo", "try it out: three example servers, a balancer and clients, with no file");
  lb::DemoOptions demo;
  demo_command
      ->add_option("--port", demo.port,
                   "where the balancer listens on 127.0.0.1 (default: 8000 or the next free one)")
      ->check(CLI::Range(1, 65'535));
  demo_command->add_option("--seconds", demo.seconds, "end after so long")
      ->check(CLI::Range(1, 86'400));
  demo_command->add_option("--serve", demo.serve,
                           "be one example server on this address, without a balancer");
  OneLineCommands one_line;
  one_line.add_to(app);
  AdminCommands admin;
  admin.add_to(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (check_command->parsed()) return check(checked_file, checks_sandbox);
  if (one_line.parsed()) return one_line.run();
  if (admin.parsed()) return admin.run();
  if (demo_command->parsed()) {
    int code = lb::run_demo(demo);
    lb::log::shutdown();
    return code;
  }
  if (config->empty() && variable("BACKEND_SERVERS") == nullptr) {
    fmt::print(stderr,
               "lb: give --config FILE, or BACKEND_SERVERS in the environment; see lb --help\n");
    return kUsageError;
  }
  if (config->empty()) {
    return run("environment", "", [] { return lb::load_environment(variable); });
  }
  return run(file, file, [file] { return lb::load_config(file, &lb::tls_inspector()); });
}
