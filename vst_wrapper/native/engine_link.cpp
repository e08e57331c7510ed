#include "engine_link.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "remote_error.hpp"

namespace streamsep {
namespace {

using namespace std::chrono_literals;

constexpr Clock::duration kFirstBackoff = 50ms;
constexpr Clock::duration kLongestBackoff = 1s;
constexpr auto kLinger = 2s;  // of a session while nothing plays: hosts deactivate for a moment
constexpr int kTickMs = 100;
constexpr int kIdleTickMs = 1000;
constexpr int kWaitMs = 20;

// A forked process has the plugin but not its thread.
std::atomic<unsigned> forks{0};
void count_fork() { forks.fetch_add(1); }
const int watching_forks = pthread_atfork(nullptr, nullptr, count_fork);

void raise(int event) {
    const std::uint64_t one = 1;
    // Full means that the other side will look anyway.
    [[maybe_unused]] const ssize_t written = write(event, &one, sizeof(one));
}

void clear(int event) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t size = read(event, &count, sizeof(count));
}

}  // namespace

const char* link_state_name(LinkState state) {
    switch (state) {
        case LinkState::Idle:
            return "idle";
        case LinkState::Connecting:
            return "connecting";
        case LinkState::Streaming:
            return "streaming";
        case LinkState::Stalled:
            return "stalled";
        default:
            return "unreachable";
    }
}

EngineLink::EngineLink()
    : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      progress_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      born_in_(forks.load()) {}

EngineLink::~EngineLink() {
    stop_ = true;
    raise(wake_);
    if (thread_ && is_forked()) {
        // The thread never was in this process, and what it held is the parent's.
        (void)thread_.release();
        (void)session_.release();
    } else if (thread_) {
        thread_->join();
    }
    close(wake_);
    close(progress_);
}

bool EngineLink::is_forked() const { return forks.load() != born_in_; }

void EngineLink::open(const SessionPlan& plan) {
    {
        const std::lock_guard<std::mutex> guard(orders_lock_);
        plan_ = plan;
        active_ = true;
        ++orders_;
        hopeless_ = false;
    }
    start_thread();
    raise(wake_);
}

void EngineLink::pause() {
    const std::lock_guard<std::mutex> guard(orders_lock_);
    active_ = false;
    ++orders_;
    raise(wake_);
}

void EngineLink::start_thread() {
    if (thread_ && is_forked()) {
        (void)thread_.release();
        (void)session_.release();
    }
    if (thread_) return;
    born_in_ = forks.load();
    // The thread inherits a mask that leaves the host's signals to the host.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::make_unique<std::thread>([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LinkStatus EngineLink::status() const {
    const std::lock_guard<std::mutex> guard(status_lock_);
    LinkStatus copy = status_;
    if (is_forked() && thread_) copy.problem = "this process was forked; activate the plugin again";
    return copy;
}

void EngineLink::wake() const { raise(wake_); }

void EngineLink::request_mode(protocol::Mode mode) {
    if (mode_.load(std::memory_order_relaxed) == mode) return;
    mode_ = mode;
    hopeless_ = false;  // another kind of session may well be let in
}

bool EngineLink::await(const Timeline& timeline, int length) {
    if (timeline.is_complete(length)) return true;
    waits_ = true;
    raise(wake_);
    bool complete = false;
    while (!(complete = timeline.is_complete(length)) && !hopeless_ && !is_forked()) {
        pollfd progress{progress_, POLLIN, 0};
        poll(&progress, 1, kWaitMs);
        clear(progress_);
    }
    waits_ = false;
    return complete;
}

void EngineLink::run() {
    pthread_setname_np(pthread_self(), "streamsep");
    while (!stop_) {
        take_orders();
        if (playing_ && !session_ && Clock::now() >= retry_) connect();
        if (session_) carry();
        sleep_until_something_happens();
    }
    if (session_) session_->end();
    session_.reset();
}

void EngineLink::take_orders() {
    const bool was_playing = playing_;
    bool changed = false;
    {
        const std::lock_guard<std::mutex> guard(orders_lock_);
        if (orders_ != orders_taken_) {
            orders_taken_ = orders_;
            playing_ = active_;
            changed = active_ && !current_.serves(plan_);
            if (active_) current_ = plan_;
            if (changed) terms_.spared = 0;
            retry_ = {};
            backoff_ = kFirstBackoff;
        }
    }
    if (was_playing && !playing_) paused_ = Clock::now();
    const bool lingered = !playing_ && Clock::now() - paused_ > kLinger;
    const bool other_mode = playing_ && session_ && session_->mode() != mode_.load();
    if (session_ && (changed || lingered || other_mode)) {
        session_->end();
        session_.reset();
        retry_ = {};
    }
    if (!session_ && !playing_) {
        current_.timeline.reset();
        publish(LinkState::Idle);
    }
}

void EngineLink::connect() {
    terms_.mode = mode_;
    publish(LinkState::Connecting);
    try {
        session_ = std::make_unique<EngineSession>(current_, terms_, counters_);
    } catch (const std::exception& error) {
        give_up(error.what());
    }
}

void EngineLink::carry() {
    try {
        session_->turn(waits_);
    } catch (const BudgetTooLarge& error) {
        terms_.spared += error.by();
        session_->end();
        session_.reset();
        retry_ = {};
        return;
    } catch (const std::exception& error) {
        give_up(error.what());
        return;
    }
    if (session_->has_delivered()) backoff_ = kFirstBackoff;
    if (session_->welcome()) {
        problem_.clear();
        hopeless_ = false;
        publish(session_->is_stalled() ? LinkState::Stalled : LinkState::Streaming);
    }
    announce_progress();
}

void EngineLink::give_up(const std::string& problem) {
    if (session_ && session_->is_open()) ++counters_.lost;
    if (session_) session_->end();
    session_.reset();
    problem_ = problem;
    retry_ = Clock::now() + backoff_;
    backoff_ = std::min(2 * backoff_, kLongestBackoff);
    publish(LinkState::Unreachable);
    {
        // What has been ordered since deserves an attempt of its own.
        const std::lock_guard<std::mutex> guard(orders_lock_);
        if (orders_ == orders_taken_ && terms_.mode == mode_) hopeless_ = true;
    }
    announce_progress();
}

void EngineLink::announce_progress() const {
    if (waits_) raise(progress_);
}

void EngineLink::publish(LinkState state) {
    const std::lock_guard<std::mutex> guard(status_lock_);
    status_.state = state;
    status_.problem = problem_;
    status_.counters = counters_;
    if (session_ && session_->welcome()) {
        status_.engine = session_->welcome()->engine;
        status_.model = session_->welcome()->model;
        status_.mode = session_->mode() == protocol::Mode::Live ? "live" : "offline";
    }
}

void EngineLink::sleep_until_something_happens() {
    std::array<pollfd, 2> watched{};
    watched[0] = {wake_, POLLIN, 0};
    nfds_t count = 1;
    int timeout_ms = playing_ ? kTickMs : kIdleTickMs;
    if (session_) {
        const short writable = session_->wants_to_write() ? POLLOUT : 0;
        watched[1] = {session_->descriptor(), static_cast<short>(POLLIN | writable), 0};
        count = 2;
    } else if (playing_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(retry_ - Clock::now());
        timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 1000));
    }
    poll(watched.data(), count, timeout_ms);
    clear(wake_);
}

}  // namespace streamsep
