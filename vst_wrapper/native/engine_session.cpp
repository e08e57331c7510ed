#include "engine_session.hpp"

#include <algorithm>
#include <cmath>

#include "latency.hpp"
#include "remote_error.hpp"
#include "text_fields.hpp"

namespace streamsep {
namespace {

using namespace std::chrono_literals;

constexpr std::array<const char*, kStems> kNames = {"drums", "bass", "other", "vocals"};
constexpr std::int64_t kOfflinePacket = 1024;
constexpr std::size_t kMostUnsent = 16 * 1024 * 1024;

constexpr auto kGreeting = 2s;       // of hearing nothing before WELCOME
constexpr auto kGettingReady = 15s;  // of an engine that says that it tries the preset out
// An engine that misses two heartbeats is stalled: to send more would only pile up.
constexpr auto kSilence = 600ms;
constexpr auto kLiveDead = 2s;
constexpr auto kOfflineDead = 5s;
// An engine that answers but sends no stems: idle, it has lost them; busy, it may be at its first
// inference, which takes many times as long as any other.
constexpr auto kIdlePatience = 5s;
constexpr auto kBusyPatience = 60s;

std::string join(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

bool SessionPlan::serves(const SessionPlan& other) const {
    return endpoint == other.endpoint && sample_rate == other.sample_rate &&
           preset == other.preset && timeline == other.timeline;
}

EngineSession::EngineSession(SessionPlan plan, SessionTerms terms, LinkCounters& counters)
    : plan_(std::move(plan)), terms_(terms), counters_(counters), socket_(plan_.endpoint) {
    opened_ = heard_ = carried_ = waits_since_ = pinged_ = Clock::now();
    const std::int64_t longest = plan_.timeline->longest_block() + kLivePacket - 1;
    block_ = static_cast<std::uint32_t>(
        std::min<std::int64_t>(std::max(longest, kOfflinePacket), protocol::kLongestBlock));
    greet();
}

void EngineSession::greet() {
    const LatencyPreset& preset = kPresets[static_cast<std::size_t>(plan_.preset)];
    protocol::Hello hello;
    hello.client = plan_.client;
    hello.mode = terms_.mode;
    hello.sample_rate = static_cast<std::uint32_t>(plan_.sample_rate);
    hello.channels = static_cast<std::uint16_t>(plan_.timeline->channels());
    hello.block = block_;
    hello.preset = preset.name;
    hello.budget = static_cast<std::uint32_t>(budget());
    socket_.send(protocol::write(hello));
}

std::int64_t EngineSession::budget() const {
    if (!is_live()) return 0;
    return computing_samples(plan_.preset, plan_.sample_rate) - terms_.spared;
}

void EngineSession::turn(bool somebody_waits) {
    note_waiting(somebody_waits);
    socket_.exchange();
    std::vector<Bytes> frames;
    while (socket_.next(frames)) {
        heard_ = Clock::now();
        take(protocol::read(frames));
    }
    if (!welcome_) {
        const auto now = Clock::now();
        if (now - heard_ > kGreeting || now - opened_ > kGettingReady) {
            throw RemoteError("the engine does not answer");
        }
        return;
    }
    keep_alive();
    check_silence();
    if (!stalled_ || !is_live()) send_audio();
    socket_.exchange();
}

void EngineSession::take(const protocol::FromEngine& message) {
    if (const auto* error = std::get_if<protocol::Error>(&message)) {
        throw RemoteError("the engine says: " + one_line(error->text));
    }
    if (const auto* bye = std::get_if<protocol::Bye>(&message)) {
        throw RemoteError("the engine ended the session: " + one_line(bye->reason));
    }
    if (const auto* pong = std::get_if<protocol::Pong>(&message)) {
        busy_ = pong->busy;
    } else if (const auto* welcome = std::get_if<protocol::Welcome>(&message)) {
        take_welcome(*welcome);
    } else {
        take_stems(std::get<protocol::Stems>(message));
    }
}

void EngineSession::take_welcome(const protocol::Welcome& welcome) {
    if (welcome_) throw RemoteError("the engine broke the protocol: WELCOME came twice");
    welcome_ = welcome;  // whatever comes of it, the engine gets a BYE
    const Timeline& timeline = *plan_.timeline;
    if (static_cast<int>(welcome.sample_rate) != plan_.sample_rate ||
        welcome.channels != timeline.channels()) {
        throw RemoteError("asked for " + std::to_string(plan_.sample_rate) + " Hz and " +
                          std::to_string(timeline.channels()) + " channels, was welcomed with " +
                          std::to_string(welcome.sample_rate) + " Hz and " +
                          std::to_string(welcome.channels));
    }
    map_stems(welcome.stems);
    check_in_time();
    ++counters_.connections;
    open_ = true;
    start_stream();
}

// An engine rounds its presets up to the stride of its network, so that some need a little more than
// was declared. Up to half of the budget may make up for it.
void EngineSession::check_in_time() const {
    const Timeline& timeline = *plan_.timeline;
    const std::int64_t needed = std::int64_t{welcome_->network_latency} +
                                welcome_->resampling_latency + welcome_->budget + kLivePacket - 1 +
                                timeline.longest_block();
    const std::int64_t missing = needed - timeline.latency();
    if (missing <= 0) return;
    const std::string problem =
        "the engine's preset '" + one_line(welcome_->preset) +
        "', rounded up to the stride of its network, needs " + std::to_string(needed) +
        " samples, this plugin has declared " + std::to_string(timeline.latency()) +
        ": choose another latency, or serve another network";
    const std::int64_t whole = computing_samples(plan_.preset, plan_.sample_rate);
    if (is_live() && welcome_->budget == budget() && terms_.spared + missing <= whole / 2) {
        throw BudgetTooLarge(problem, missing);
    }
    throw RemoteError(problem);
}

void EngineSession::map_stems(const std::vector<std::string>& names) {
    for (std::size_t s = 0; s < kStems; ++s) {
        const auto found = std::find(names.begin(), names.end(), kNames[s]);
        if (names.size() != kStems || found == names.end()) {
            throw RemoteError("the engine's stems are " + one_line(join(names)) +
                              "; this plugin needs drums, bass, other and vocals");
        }
        order_[s] = static_cast<int>(found - names.begin());
    }
}

void EngineSession::take_stems(protocol::Stems stems) {
    const protocol::Header& header = stems.header;
    if (!welcome_ || header.stream != welcome_->stream || header.epoch > epoch_) {
        throw RemoteError("the engine broke the protocol: STEMS of another session");
    }
    if (header.epoch < epoch_) return;  // of a stream that is over
    const auto position = static_cast<std::int64_t>(header.position);
    if (header.sequence != stems_sequence_ || position != received_ ||
        position + header.samples > sent_) {
        throw RemoteError("the engine broke the protocol: STEMS out of place");
    }
    if (header.stems != kStems || header.channels != plan_.timeline->channels()) {
        throw RemoteError("the engine broke the protocol: STEMS of another shape");
    }
    if (stems.end) throw RemoteError("the engine broke the protocol: an end without FLUSH");
    for (float& value : stems.samples) {
        if (std::isfinite(value)) continue;
        value = 0.0f;
        ++counters_.non_finite;
    }
    ++stems_sequence_;
    received_ += header.samples;
    counters_.substituted += stems.substituted ? 1 : 0;
    counters_.late += plan_.timeline->add_stems(position, stems.samples.data(),
                                                static_cast<int>(header.samples), order_);
    carried_ = Clock::now();
    delivered_ = true;
}

void EngineSession::keep_alive() {
    const auto now = Clock::now();
    if (now - pinged_ < std::chrono::milliseconds(welcome_->heartbeat_ms)) return;
    pinged_ = now;
    protocol::Header ping;
    ping.kind = protocol::Kind::Ping;
    ping.stream = welcome_->stream;
    ping.sequence = ++pings_;
    socket_.send(protocol::write(ping));
}

void EngineSession::note_waiting(bool somebody_waits) {
    if (somebody_waits && !waits_) waits_since_ = Clock::now();
    waits_ = somebody_waits;
}

void EngineSession::check_silence() {
    const auto now = Clock::now();
    const auto silent = now - heard_;
    if (silent > (is_live() ? kLiveDead : kOfflineDead)) {
        throw RemoteError("nothing has been heard from the engine for seconds");
    }
    // A host may pause before it asks for more; that is no fault of the engine.
    const auto awaited = now - std::max(carried_, waits_since_);
    if (waits_ && awaited > (busy_ ? kBusyPatience : kIdlePatience)) {
        throw RemoteError("the engine answers but sends no stems");
    }
    const bool stalled = silent > kSilence;
    // What was not sent meanwhile would come back too late.
    if (is_live() && stalled_ && !stalled) start_stream();
    stalled_ = stalled;
}

// Begin a stream where nothing is missed that could still be played: offline everything that is due
// can wait; live the budget may be spent on the way as well as on computing.
void EngineSession::start_stream() {
    const Timeline& timeline = *plan_.timeline;
    const std::int64_t reach = is_live() ? welcome_->budget / 2
                                         : timeline.latency() + timeline.longest_block();
    // In this order: the audio thread may restart the timeline at any moment, and what was there
    // before `begin` moved must not be sent as a part of what comes after.
    const std::int64_t now = timeline.now();
    begin_ = timeline.begin();
    const std::int64_t position = std::max(begin_, now - reach);
    // The first stream of a session begins at 0 by itself.
    if (position != 0 || sent_ != 0) {
        protocol::Header reset;
        reset.kind = protocol::Kind::Reset;
        reset.stream = welcome_->stream;
        reset.epoch = ++epoch_;
        reset.position = static_cast<std::uint64_t>(position);
        socket_.send(protocol::write(reset));
    }
    sent_ = received_ = position;
    audio_sequence_ = stems_sequence_ = 0;
}

bool EngineSession::may_send(std::int64_t length) const {
    return sent_ - received_ + length <= welcome_->window && socket_.unsent() < kMostUnsent;
}

void EngineSession::send_audio() {
    const Timeline& timeline = *plan_.timeline;
    const std::int64_t now = timeline.now();  // before `begin`, as in start_stream
    // The second: this thread itself was held up for so long that its stems could not be in time.
    if (timeline.begin() != begin_ || (is_live() && now - sent_ > timeline.latency())) {
        start_stream();
    }
    const std::int64_t least = waits_ ? 1 : is_live() ? kLivePacket : kOfflinePacket;
    while (now - sent_ >= least) {
        const std::int64_t length = std::min<std::int64_t>(now - sent_, block_);
        if (!may_send(length)) return;
        timeline.copy_mixture(sent_, sent_ + length, scratch_);
        protocol::Header audio;
        audio.kind = protocol::Kind::Audio;
        audio.stream = welcome_->stream;
        audio.epoch = epoch_;
        audio.sequence = audio_sequence_++;
        audio.position = static_cast<std::uint64_t>(sent_);
        audio.samples = static_cast<std::uint32_t>(length);
        audio.stems = 1;
        audio.channels = static_cast<std::uint16_t>(timeline.channels());
        socket_.send(protocol::write_audio(audio, scratch_));
        sent_ += length;
        carried_ = Clock::now();
    }
}

void EngineSession::end() noexcept {
    try {
        if (welcome_) socket_.send(protocol::write(protocol::Bye{welcome_->stream, ""}));
        socket_.exchange();
    } catch (const std::exception&) {
        // It has gone already.
    }
}

}  // namespace streamsep
