// One session with an engine: a connection, and the protocol's rules as a client sees them.
//
// Belongs to the network thread. Anything that cannot be gone on with is thrown as RemoteError and
// ends the session; whoever owns it opens another one.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "engine_socket.hpp"
#include "remote_error.hpp"
#include "timeline.hpp"

namespace streamsep {

using Clock = std::chrono::steady_clock;

// What a session is opened for, as the main thread orders it.
struct SessionPlan {
    std::string endpoint;
    std::string client;  // a name for people who look at the engine's status
    int sample_rate = 0;
    int preset = 0;
    std::shared_ptr<Timeline> timeline;

    // Whether a session that was opened for this plan serves another one as well.
    bool serves(const SessionPlan& other) const;
};

// How the network thread tries to open it, which may differ from one attempt to the next.
struct SessionTerms {
    protocol::Mode mode = protocol::Mode::Live;
    std::int64_t spared = 0;  // samples of the budget that the engine's network needs for itself
};

// The session would be too late by so many samples, but not with a budget that is smaller by them.
class BudgetTooLarge : public RemoteError {
public:
    BudgetTooLarge(const std::string& what, std::int64_t by) : RemoteError(what), by_(by) {}

    std::int64_t by() const { return by_; }

private:
    std::int64_t by_;
};

// What has happened since the plugin was made, all sessions together.
struct LinkCounters {
    std::int64_t connections = 0;  // sessions opened
    std::int64_t lost = 0;         // sessions that ended otherwise than by our will
    std::int64_t late = 0;         // samples of stems that came when they had been due
    std::int64_t substituted = 0;  // messages of stems in which the engine itself was late
    std::int64_t non_finite = 0;   // values from the engine that no loudspeaker should get
};

class EngineSession {
public:
    // Begin to connect. Throws RemoteError if nobody is there.
    EngineSession(SessionPlan plan, SessionTerms terms, LinkCounters& counters);

    int descriptor() const { return socket_.descriptor(); }
    bool wants_to_write() const { return socket_.wants_to_write(); }
    protocol::Mode mode() const { return terms_.mode; }

    // Carry what there is to carry, without waiting. `somebody_waits` says that the audio thread
    // stands still until stems come. Throws BudgetTooLarge if another session should be tried.
    void turn(bool somebody_waits);

    // Nothing if the engine has not answered yet.
    const std::optional<protocol::Welcome>& welcome() const { return welcome_; }

    // Whether the engine's answer could be accepted; from then on there are streams.
    bool is_open() const { return open_; }

    // Whether the engine has been silent for so long that nothing more is sent to it.
    bool is_stalled() const { return stalled_; }

    // Whether any stems have come: only then has it been worth the while.
    bool has_delivered() const { return delivered_; }

    // Say good-bye, if there is somebody to say it to.
    void end() noexcept;

private:
    bool is_live() const { return terms_.mode == protocol::Mode::Live; }
    void greet();
    void take(const protocol::FromEngine& message);
    void take_welcome(const protocol::Welcome& welcome);
    void check_in_time() const;
    std::int64_t budget() const;
    void take_stems(protocol::Stems stems);
    void map_stems(const std::vector<std::string>& names);
    void keep_alive();
    void note_waiting(bool somebody_waits);
    void check_silence();
    void start_stream();
    void send_audio();
    bool may_send(std::int64_t length) const;

    const SessionPlan plan_;
    const SessionTerms terms_;
    LinkCounters& counters_;
    EngineSocket socket_;
    std::optional<protocol::Welcome> welcome_;
    std::array<int, kStems> order_{};
    std::uint32_t block_ = 0;
    std::uint32_t epoch_ = 0;
    std::int64_t begin_ = 0;      // of the stream, as the timeline says
    std::int64_t sent_ = 0;       // position after the last AUDIO
    std::int64_t received_ = 0;   // position after the last STEMS
    std::uint64_t audio_sequence_ = 0;
    std::uint64_t stems_sequence_ = 0;
    std::uint64_t pings_ = 0;
    Clock::time_point opened_;
    Clock::time_point heard_;
    Clock::time_point carried_;      // the last AUDIO or STEMS
    Clock::time_point waits_since_;  // of the audio thread
    Clock::time_point pinged_;
    bool waits_ = false;  // the audio thread
    bool open_ = false;
    bool busy_ = false;
    bool stalled_ = false;
    bool delivered_ = false;
    std::vector<float> scratch_;
};

}  // namespace streamsep
