// SPDX-License-Identifier: MIT
#include "app/file_rules.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace lb {

namespace {

namespace fs = std::filesystem;

// Read by libraries, of which none holds a secret. Names that are replaced while lb runs are known
// by their directory only where that is one of their own.
constexpr const char* kRead[] = {
    "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
    "/etc/localtime", "/usr/share/zoneinfo",
    // authorities
    "/etc/ssl/openssl.cnf", "/etc/ssl/certs", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    // libraries that are loaded late
    "/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib",
    // of this process and this machine
    "/proc/self", "/proc/sys/net", "/proc/sys/kernel", "/proc/meminfo", "/proc/cpuinfo",
    "/sys/fs/cgroup", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random"};
// Directories of the package, which are lb's whether the configuration names them yet or not.
const FileRule kOwn[] = {{"/etc/lb", kReadFiles},
                         {"/var/log/lb", kWriteFiles | kMakeFiles},
                         {"/var/lib/lb", kWriteFiles | kMakeFiles},
                         {"/run/lb", kMakeSockets}};
// Where OpenSSL looks instead when they are set.
constexpr const char* kReadByVariable[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"};

// Directories that hold too much to be opened as a whole for one file.
constexpr const char* kTooWide[] = {"/dev", "/proc", "/sys"};

constexpr int kMostLinks = 40;  // one after the other, as the kernel follows them

bool is_below(const fs::path& path, const fs::path& directory) {
  auto [end, rest] = std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return end == directory.end();
}

fs::path whole_path(const fs::path& path) {
  std::error_code ignored;
  fs::path whole = fs::absolute(path, ignored).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// The path as it is written, and without symbolic links, of which the last may lead to a file that
// is yet to be made.
std::vector<fs::path> both_names(const fs::path& path) {
  fs::path written = whole_path(path);
  std::error_code error;
  fs::path real = fs::weakly_canonical(written, error);
  std::error_code none;
  for (int links = 0; links < kMostLinks && fs::is_symlink(real, none); ++links) {
    real = fs::weakly_canonical(real.parent_path() / fs::read_symlink(real, none), error);
  }
  if (error || real == written) return {written};
  return {written, real};
}

void add(std::vector<FileRule>& rules, fs::path path, uint8_t rights) {
  auto same = std::find_if(rules.begin(), rules.end(),
                           [&](const FileRule& rule) { return rule.path == path; });
  if (same != rules.end()) {
    same->rights |= rights;
  } else {
    rules.push_back({std::move(path), rights});
  }
}

bool is_too_wide(const fs::path& directory) {
  return directory == "/" ||
         std::any_of(std::begin(kTooWide), std::end(kTooWide),
                     [&](const char* wide) { return is_below(directory, wide); });
}

// A file that may be replaced.
void add_file(std::vector<FileRule>& rules, const fs::path& file, uint8_t rights) {
  for (fs::path& name : both_names(file)) {
    fs::path directory = name.parent_path();
    add(rules, is_too_wide(directory) ? std::move(name) : std::move(directory), rights);
  }
}

uint8_t rights_for(const NamedFile& file) {
  // What is kept over a restart is read before the rules begin.
  return file.use == FileUse::read ? kReadFiles : kWriteFiles | kMakeFiles;
}

struct Wanted {
  std::string what;
  std::vector<FileRule> rules = {};
  bool is_one_file = false;  // which somebody else can open, too
};

void want_socket(std::vector<Wanted>& wanted, const std::string& key, const Address& address) {
  if (!address.is_unix()) return;
  fs::path path(std::string(address.unix_path()));
  Wanted socket{key + ": " + path.native()};
  add_file(socket.rules, path, kMakeSockets);
  wanted.push_back(std::move(socket));
}

std::vector<Wanted> wanted_of(const Config& config) {
  std::vector<Wanted> wanted;
  for (const NamedFile& file : config.sandbox.files) {
    Wanted one{file.key + ": " + file.path, {}, file.use != FileUse::replace};
    add_file(one.rules, file.path, rights_for(file));
    wanted.push_back(std::move(one));
  }
  for (const auto& [name, listener] : config.listeners) {
    for (const ListenAddress& address : listener.addresses) {
      want_socket(wanted, "listeners." + name + ".address", address.address);
    }
  }
  if (config.admin) want_socket(wanted, "admin.address", config.admin->address);
  return wanted;
}

void add_library_files(std::vector<FileRule>& rules) {
  for (const char* path : kRead) {
    add(rules, path, kReadFiles);
    // /etc/resolv.conf may be a link into a directory of its own, where it is replaced.
    std::error_code error;
    if (!fs::is_symlink(path, error) || fs::is_directory(path, error)) continue;
    fs::path directory = fs::weakly_canonical(path, error).parent_path();
    bool is_own = !directory.parent_path().empty() && directory.parent_path() != "/";
    add(rules, is_own ? std::move(directory) : fs::weakly_canonical(path, error), kReadFiles);
  }
  for (const char* name : kReadByVariable) {
    const char* path = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    if (path != nullptr && *path != '\0') add(rules, whole_path(path), kReadFiles);
  }
  add(rules, "/dev/null", kReadFiles | kWriteFiles);
}

}  // namespace

std::vector<FileRule> rules_of_config(const Config& config) {
  std::vector<FileRule> rules;
  for (Wanted& one : wanted_of(config)) {
    for (FileRule& rule : one.rules) add(rules, std::move(rule.path), rule.rights);
  }
  return rules;
}

std::vector<FileRule> file_rules(const Config& config, const fs::path& config_file) {
  std::vector<FileRule> rules = rules_of_config(config);
  if (!config_file.empty()) add_file(rules, config_file, kReadFiles);
  for (const FileRule& own : kOwn) add(rules, own.path, own.rights);
  add_library_files(rules);
  return rules;
}

bool covers(const std::vector<FileRule>& rules, const FileRule& wanted) {
  uint8_t missing = wanted.rights;
  for (const FileRule& rule : rules) {
    if (is_below(wanted.path, rule.path)) missing &= static_cast<uint8_t>(~rule.rights);
  }
  return missing == 0;
}

bool may_replace(const std::vector<FileRule>& rules, const fs::path& file) {
  auto names = both_names(file);
  return std::any_of(names.begin(), names.end(), [&](const fs::path& name) {
    return covers(rules, {name, kWriteFiles}) || covers(rules, {name, kMakeFiles});
  });
}

std::string first_outside(const Config& config, const std::vector<FileRule>& rules,
                          bool without_files) {
  for (const Wanted& one : wanted_of(config)) {
    if (without_files && one.is_one_file) continue;
    bool inside = std::all_of(one.rules.begin(), one.rules.end(),
                              [&](const FileRule& rule) { return covers(rules, rule); });
    if (!inside) return one.what;
  }
  return "";
}

}  // namespace lb
