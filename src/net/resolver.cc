// SPDX-License-Identifier: MIT
#include "net/resolver.h"

#include <ares.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

namespace lb {

namespace {

using std::chrono::seconds;

constexpr const char* kHostsVariable = "CARES_HOSTS";  // by which c-ares is told of another
// Of the process: Resolver::read_names_from(). Empty: the usual one.
std::string g_resolv_conf;

// A hosts file has no TTL: it is looked at again after this time.
constexpr seconds kHostsFileTtl{5};
constexpr seconds kNumericTtl{86'400};

// One family's part of a look-up.
struct Answer {
  enum class State { pending, found, none, failed } state = State::pending;
  int status = ARES_SUCCESS;
  std::vector<Address> addresses;
  seconds ttl = seconds::max();
};

void read_records(const ares_addrinfo& info, Answer& answer) {
  for (const auto* alias = info.cnames; alias != nullptr; alias = alias->next) {
    answer.ttl = std::min(answer.ttl, seconds(alias->ttl));
  }
  for (const auto* node = info.nodes; node != nullptr; node = node->ai_next) {
    answer.ttl = std::min(answer.ttl, seconds(node->ai_ttl));
    Address address = Address::from_sockaddr(node->ai_addr, node->ai_addrlen);
    address.set_port(0);
    // Filtering name servers answer 0.0.0.0 for "not for you"; to connect there would reach us.
    if (address.is_ip() && !address.is_wildcard()) answer.addresses.push_back(address);
  }
  answer.ttl = std::max(answer.ttl, seconds(0));
}

Answer read_answer(int status, const ares_addrinfo* info) {
  Answer answer;
  answer.status = status;
  if (status == ARES_SUCCESS && info != nullptr) read_records(*info, answer);
  if (!answer.addresses.empty()) {
    answer.state = Answer::State::found;
  } else if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    answer.state = Answer::State::none;
  } else {
    answer.state = Answer::State::failed;
  }
  return answer;
}

const char* reason(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return "no such name";
    case ARES_ETIMEOUT:
      return "the name servers do not answer";
    case ARES_ECONNREFUSED:
      return "the name servers cannot be reached";
    default:
      return ares_strerror(status);
  }
}

Unexpected<Error> failure(const std::string& host, int status) {
  return fail("cannot resolve '" + host + "': " + reason(status));
}

// The names that a host name may stand for, in the order of resolver(5): with fewer dots than
// `ndots` the search domains come first.
std::deque<std::string> names_to_ask(ares_channel channel, const std::string& host) {
  if (host.ends_with('.')) return {host};
  ares_options options{};
  int mask = 0;
  if (ares_save_options(channel, &options, &mask) != ARES_SUCCESS) return {host};
  std::deque<std::string> names;
  for (int i = 0; i < options.ndomains; ++i) {
    std::string_view domain = options.domains[i];
    std::string& name = names.emplace_back(host);
    if (domain != ".") name.append(".").append(domain);
  }
  auto at =
      std::count(host.begin(), host.end(), '.') >= options.ndots ? names.begin() : names.end();
  names.insert(at, host);
  ares_destroy_options(&options);
  return names;
}

}  // namespace

void Resolver::read_names_from(const std::string& hosts, const std::string& resolv_conf) {
  setenv(kHostsVariable, hosts.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  g_resolv_conf = resolv_conf;
}

// One look-up with a c-ares channel of its own. IPv4 and IPv6 are two questions, because c-ares'
// common one says success when one of them failed; for the same reason the search domains are gone
// through here, where both questions can stay at one name. Lives until the end of the turn in which
// it finishes.
class Resolver::Lookup {
 public:
  Lookup(Resolver& resolver, std::string host, Callback callback);
  ~Lookup() { close(); }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // May finish at once, as the functions below may.
  void start();
  Result<ResolvedHost> result() const;
  Callback take_callback() { return std::move(callback_); }
  // Ends all questions; nothing is called back any more.
  void close();

 private:
  // A socket of c-ares that the loop watches.
  struct Socket {
    Socket(Lookup& owner, int descriptor);
    void on_readable() { lookup.process(fd, ARES_SOCKET_BAD); }
    void on_writable() { lookup.process(ARES_SOCKET_BAD, fd); }

    Lookup& lookup;
    const int fd;
    IoEvent readable;
    IoEvent writable;
  };
  struct Question {
    Lookup* lookup;
    int family;
    Answer answer;
  };

  int open_channel(const char* lookups, int mask);
  bool ask_hosts_file();
  void open_dns();
  void ask(Question& question, const std::string& name);
  void ask_next_name();
  bool pending() const;
  void process(int readable, int writable);
  void after_progress();
  void on_limit();
  void watch(int fd, bool readable, bool writable);

  static void on_answer(void* question, int status, int timeouts, ares_addrinfo* info);

  Resolver& resolver_;
  const std::string host_;
  Callback callback_;
  ares_channel channel_ = nullptr;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::deque<std::string> names_;  // still to be asked for, search domains applied
  std::array<Question, 2> questions_;
  bool exists_ = false;  // one of the names does, though perhaps without addresses
  Timer retry_;
  Timer limit_;
};

Resolver::Lookup::Socket::Socket(Lookup& owner, int descriptor) : lookup(owner), fd(descriptor) {
  readable.bind<&Socket::on_readable>(owner.resolver_.loop_, fd, IoEvent::kRead, this);
  writable.bind<&Socket::on_writable>(owner.resolver_.loop_, fd, IoEvent::kWrite, this);
}

Resolver::Lookup::Lookup(Resolver& resolver, std::string host, Callback callback)
    : resolver_(resolver),
      host_(std::move(host)),
      callback_(std::move(callback)),
      names_{host_},
      questions_{{{this, AF_INET, {}}, {this, AF_INET6, {}}}},
      retry_(resolver.loop_, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }),
      limit_(resolver.loop_, [this] { on_limit(); }) {}

void Resolver::Lookup::start() {
  if (auto numeric = Address::parse_ip(host_, 0)) {
    questions_[0].answer = {Answer::State::found, ARES_SUCCESS, {*numeric}, kNumericTtl};
    questions_[1].answer.state = Answer::State::none;
  } else if (!ask_hosts_file()) {
    open_dns();
  }
  after_progress();
}

int Resolver::Lookup::open_channel(const char* lookups, int mask) {
  ares_options options{};
  if (!g_resolv_conf.empty()) {
    options.resolvconf_path = g_resolv_conf.data();
    mask |= ARES_OPT_RESOLVCONF;
  }
  options.flags = ARES_FLAG_NOALIASES;
  options.timeout = static_cast<int>(resolver_.options_.timeout.count());
  options.tries = resolver_.options_.tries;
  std::string order = lookups;
  options.lookups = order.data();
  options.sock_state_cb = [](void* lookup, ares_socket_t fd, int readable, int writable) {
    static_cast<Lookup*>(lookup)->watch(fd, readable != 0, writable != 0);
  };
  options.sock_state_cb_data = this;
  return ares_init_options(&channel_, &options,
                           mask | ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                               ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
}

// A name in the hosts file is not asked for elsewhere, even when only one family stands there.
bool Resolver::Lookup::ask_hosts_file() {
  if (open_channel("f", 0) != ARES_SUCCESS) return false;
  Question both{this, AF_UNSPEC, {}};
  ask(both, host_);
  names_ = names_to_ask(channel_, host_);
  close();
  if (both.answer.state != Answer::State::found) return false;
  both.answer.ttl = kHostsFileTtl;
  questions_[0].answer = std::move(both.answer);
  questions_[1].answer.state = Answer::State::none;
  return true;
}

void Resolver::Lookup::open_dns() {
  int status = open_channel("b", ARES_OPT_DOMAINS);  // none
  const std::string& servers = resolver_.options_.servers;
  if (status == ARES_SUCCESS && !servers.empty()) {
    status = ares_set_servers_ports_csv(channel_, servers.c_str());
  }
  if (status != ARES_SUCCESS) {
    for (Question& question : questions_) question.answer = read_answer(status, nullptr);
    return;
  }
  limit_.start(resolver_.options_.limit);
  ask_next_name();
}

void Resolver::Lookup::ask(Question& question, const std::string& name) {
  ares_addrinfo_hints hints{};
  hints.ai_family = question.family;
  hints.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Lookup::on_answer, &question);
}

void Resolver::Lookup::ask_next_name() {
  std::string name = std::move(names_.front());
  names_.pop_front();
  for (Question& question : questions_) question.answer = {};
  for (Question& question : questions_) ask(question, name);
}

bool Resolver::Lookup::pending() const {
  return std::any_of(questions_.begin(), questions_.end(), [](const Question& question) {
    return question.answer.state == Answer::State::pending;
  });
}

void Resolver::Lookup::on_answer(void* question, int status, int, ares_addrinfo* info) {
  auto* asked = static_cast<Question*>(question);
  // The cancelled ones: what is known of them is decided already.
  if (status != ARES_ECANCELLED && status != ARES_EDESTRUCTION) {
    asked->answer = read_answer(status, info);
  }
  ares_freeaddrinfo(info);
}

void Resolver::Lookup::process(int readable, int writable) {
  if (channel_ == nullptr) return;
  ares_process_fd(channel_, readable, writable);
  after_progress();
}

// Nothing of this object may be touched after finish(): its callback may destroy the resolver.
void Resolver::Lookup::after_progress() {
  while (!pending()) {
    // The next name only when this one surely has no address: an error could hide one.
    bool nothing = true;
    for (const Question& question : questions_) {
      nothing = nothing && question.answer.state == Answer::State::none;
      exists_ = exists_ || question.answer.status != ARES_ENOTFOUND;
    }
    if (!nothing || names_.empty()) {
      resolver_.finish(*this);
      return;
    }
    ask_next_name();
  }
  timeval wait{};
  if (ares_timeout(channel_, nullptr, &wait) == nullptr) return;
  // A millisecond more, because ares_timeout() is exact and the timer's unit is coarse.
  retry_.start(seconds(wait.tv_sec) + std::chrono::milliseconds(wait.tv_usec / 1000 + 1));
}

void Resolver::Lookup::on_limit() {
  for (Question& question : questions_) {
    if (question.answer.state == Answer::State::pending) {
      question.answer = read_answer(ARES_ETIMEOUT, nullptr);
    }
  }
  resolver_.finish(*this);
}

void Resolver::Lookup::watch(int fd, bool readable, bool writable) {
  auto at = std::find_if(sockets_.begin(), sockets_.end(),
                         [fd](const auto& socket) { return socket->fd == fd; });
  if (!readable && !writable) {
    if (at == sockets_.end()) return;
    // c-ares closes the descriptor next, perhaps inside this socket's own callback.
    (*at)->readable.disarm();
    (*at)->writable.disarm();
    resolver_.loop_.retire(std::move(*at));
    sockets_.erase(at);
    return;
  }
  if (at == sockets_.end()) at = sockets_.insert(at, std::make_unique<Socket>(*this, fd));
  auto set = [](IoEvent& event, bool wanted) { wanted ? event.arm() : event.disarm(); };
  set((*at)->readable, readable);
  set((*at)->writable, writable);
}

void Resolver::Lookup::close() {
  retry_.stop();
  limit_.stop();
  if (channel_ == nullptr) return;
  // Cancelled first: c-ares 1.18 may start new questions while it is destroyed with open ones.
  ares_cancel(channel_);
  ares_destroy(std::exchange(channel_, nullptr));
}

Result<ResolvedHost> Resolver::Lookup::result() const {
  using State = Answer::State;
  ResolvedHost resolved{.ttl = seconds::max()};
  const Answer* failed = nullptr;
  for (const auto& [lookup, family, answer] : questions_) {
    resolved.addresses.insert(resolved.addresses.end(), answer.addresses.begin(),
                              answer.addresses.end());
    if (answer.state == State::found) resolved.ttl = std::min(resolved.ttl, answer.ttl);
    if (answer.state == State::failed) failed = &answer;
  }
  resolved.partial = failed != nullptr;
  auto& addresses = resolved.addresses;
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (!addresses.empty()) return resolved;
  if (failed != nullptr) return failure(host_, failed->status);
  if (!exists_) return failure(host_, ARES_ENOTFOUND);
  resolved.ttl = seconds(0);
  return resolved;
}

Resolver::Resolver(EventLoop& loop, ResolverOptions options)
    : loop_(loop), options_(std::move(options)), start_(loop, [this] { start_waiting(); }) {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
}

Resolver::~Resolver() = default;

void Resolver::resolve(std::string host, Callback callback) {
  waiting_.push_back({std::move(host), std::move(callback)});
  start_.start(std::chrono::milliseconds(0));
}

// One a turn: a look-up reads files, and the next waits for what else there is to do.
void Resolver::start_waiting() {
  if (waiting_.empty() || lookups_.size() >= options_.parallel) return;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  if (!waiting_.empty()) start_.start(std::chrono::milliseconds(0));
  lookups_.push_back(
      std::make_unique<Lookup>(*this, std::move(next.host), std::move(next.callback)));
  lookups_.back()->start();
}

void Resolver::finish(Lookup& lookup) {
  auto at = std::find_if(lookups_.begin(), lookups_.end(),
                         [&](const auto& one) { return one.get() == &lookup; });
  lookup.close();
  Callback callback = lookup.take_callback();
  Result<ResolvedHost> result = lookup.result();
  loop_.retire(std::move(*at));
  lookups_.erase(at);
  if (!waiting_.empty()) start_.start(std::chrono::milliseconds(0));
  callback(std::move(result));
}

}  // namespace lb
