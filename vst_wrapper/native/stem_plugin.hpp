// The plugin itself, without a word of VST3: parameters, state, and blocks in and out.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "engine_link.hpp"
#include "latency.hpp"
#include "mixer.hpp"
#include "parameters.hpp"
#include "timeline.hpp"

namespace streamsep {

// A parameter that changes within a block.
struct ParameterChange {
    int offset;  // samples from the block's start
    int index;   // in the table of parameters
    double value;
};

// Changes of one block, in order of their offsets. Room for 256; what does not fit is applied with
// the last one of the same parameter that does, or at once if there is none, which changes when, but
// not what a parameter is at the end.
struct ParameterChanges {
    std::array<ParameterChange, 256> changes;
    int count = 0;
};

struct Block {
    std::array<const float*, kPluginChannels> input{};
    Outputs output;
    int length = 0;
    bool offline = false;  // the host renders, and has time
    ParameterChanges* changes = nullptr;
};

class StemPlugin {
public:
    StemPlugin();

    // --- main thread ---

    // What the next activation is for.
    void set_up(double sample_rate, int longest_block, bool offline);
    void set_channels(int channels) { channels_ = channels; }
    void activate();
    void deactivate();

    // Samples by which the output lags: while active it never changes; else what the next
    // activation will have.
    std::int64_t latency() const;

    // The preset that is chosen, if another one plays.
    std::optional<int> pending_preset() const;

    // The saved state: text, its first line the version.
    std::string save() const;

    // Take over a saved state. Returns false, and changes nothing, if it is none.
    bool restore(const std::string& state);

    ParameterValues& values() { return values_; }

    // --- audio thread ---

    // Begin anew: what is inside is forgotten. Real-time: no lock, allocation or system call.
    void restart();

    // Real-time: no lock, no allocation; the only system call wakes the network thread. Rendering
    // offline it waits for stems as long as there is hope.
    void process(const Block& block);

private:
    int chosen_preset() const { return values_.choice(kPreset); }
    protocol::Mode mode_for(bool offline) const;
    SessionPlan plan() const;
    protocol::Mode mode_of(const Block& block);
    void process_stretch(const Block& block, int offset, int length, bool waits);

    ParameterValues values_;
    std::string endpoint_;  // empty: this user's engine
    double sample_rate_ = 44'100.0;
    int longest_block_ = 1024;
    bool set_up_offline_ = false;
    int channels_ = 2;

    PlayCounters counters_;
    bool active_ = false;
    int active_preset_ = kDefaultPreset;
    std::shared_ptr<Timeline> timeline_;
    std::unique_ptr<Mixer> mixer_;
    std::vector<float> scratch_;
    PlayedBlock played_{};
    std::atomic<std::int64_t> failures_{0};  // how often waiting was given up
    bool has_hope_ = true;
    EngineLink link_;
};

}  // namespace streamsep
