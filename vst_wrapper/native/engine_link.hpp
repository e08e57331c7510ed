// The plugin's thread that talks to the engine, and what the audio thread may ask of it.
//
//     audio thread ── wake ──► network thread ── ZeroMQ ── engine
//          ▲                        │
//          └──── timeline ◄─────────┘
//
// The thread knocks at the engine's door until it opens, at first often, then once a second. The
// audio thread sees none of that: it finds stems in the timeline or it does not. Only when a host
// renders offline does it wait for them, and then no longer than there is hope.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "engine_session.hpp"

namespace streamsep {

// How it stands with the engine. The names are part of the saved state.
enum class LinkState { Idle, Connecting, Streaming, Stalled, Unreachable };
const char* link_state_name(LinkState state);

// For people and for tests; a copy.
struct LinkStatus {
    LinkState state = LinkState::Idle;
    std::string problem;  // why the last session or attempt ended; empty while all is well
    std::string engine;
    std::string model;
    std::string mode;
    LinkCounters counters;
};

class EngineLink {
public:
    EngineLink();

    // Ends the session and the thread; takes no longer than a moment.
    ~EngineLink();
    EngineLink(const EngineLink&) = delete;
    EngineLink& operator=(const EngineLink&) = delete;

    // --- main thread ---

    // Have a session for this from now on; `mode` is taken from the last `request_mode`.
    void open(const SessionPlan& plan);

    // There is nothing to play; the session ends if that lasts.
    void pause();

    LinkStatus status() const;

    // --- audio thread ---

    // Real-time: one system call that does not wait.
    void wake() const;

    // Real-time: no system call.
    void request_mode(protocol::Mode mode);

    // For offline rendering alone: wait until the stems of the last `length` samples are there.
    // Returns false as soon as there is no hope of that.
    bool await(const Timeline& timeline, int length);

private:
    void start_thread();
    bool is_forked() const;
    void run();
    void take_orders();
    void connect();
    void carry();
    void sleep_until_something_happens();
    void give_up(const std::string& problem);
    void publish(LinkState state);
    void announce_progress() const;

    const int wake_;      // eventfd: there is something to do for the thread
    const int progress_;  // eventfd: there may be something for a waiting audio thread
    std::unique_ptr<std::thread> thread_;
    unsigned born_in_;  // the count of forks when the thread was started

    std::atomic<bool> stop_{false};
    std::atomic<bool> waits_{false};
    std::atomic<bool> hopeless_{false};
    std::atomic<protocol::Mode> mode_{protocol::Mode::Live};

    mutable std::mutex orders_lock_;  // between the main and the network thread
    SessionPlan plan_;
    bool active_ = false;
    std::uint64_t orders_ = 0;

    mutable std::mutex status_lock_;
    LinkStatus status_;

    // Network thread only.
    std::uint64_t orders_taken_ = 0;
    SessionPlan current_;
    SessionTerms terms_;  // of the last attempt; more is spared once a session was too late
    bool playing_ = false;
    Clock::time_point paused_;
    Clock::time_point retry_;
    Clock::duration backoff_{};
    std::string problem_;
    LinkCounters counters_;
    std::unique_ptr<EngineSession> session_;
};

}  // namespace streamsep
